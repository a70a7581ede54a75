--- Turns a paged operation into an iterator over its pages.
---
---     local pages = client:get_paginator("list_objects_v2"):paginate { Bucket = "b" }
---     for page in pages do print(#page.Contents) end
---
--- A pages object is a value: it holds the parameters and no place in the row, so it can be iterated
--- twice, or within itself. Each loop's place hangs on the page that the loop got last.
local core = require("luaws.core")
local errors = require("luaws.errors")
local features = require("luaws.features")
local jmespath = require("luaws.jmespath")
local methods = require("luaws.methods")
local nearest = require("luaws.nearest")
local page_token = require("luaws.page_token")
local repr = require("luaws.repr")
local values = require("luaws.jmespath.values")

local paginate = {}

local Paginator = {}
local paginator_mt = { __name = "luaws.paginator", __index = Paginator }

local Pages = {}
local pages_mt = { __name = "luaws.pages" }

local PAGING = { "MaxItems", "PageSize", "StartingToken" }

local function as_list(value)
  if value == nil or type(value) == "table" then
    return value or {}
  end
  return { value }
end

local function copy_table(t)
  local copy = {}
  for key, item in pairs(t) do
    copy[key] = item
  end
  return copy
end

-- What Python's len() says; nil where it would not say anything.
local function count_items(value)
  if type(value) == "string" then
    return utf8.len(value) or #value
  elseif values.is_array(value) then
    return #value
  elseif type(value) == "table" then
    local n = 0
    for _ in pairs(value) do
      n = n + 1
    end
    return n
  end
  return value == nil and 0 or nil
end

-- Items first + 1 to last of a list or text; as in Python, a negative bound counts from the end.
local function slice(value, first, last)
  local n = count_items(value)
  last = last or n
  first = math.min(first < 0 and math.max(n + first, 0) or first, n)
  last = math.min(last < 0 and math.max(n + last, 0) or last, n)
  if type(value) ~= "string" then
    return values.close_array(table.move(value, first + 1, last, 1, {}))
  elseif last <= first then
    return ""
  elseif not utf8.len(value) then
    return value:sub(first + 1, last)
  end
  return value:sub(utf8.offset(value, first + 1), utf8.offset(value, last + 1) - 1)
end

-- Sets what a dotted expression names, in a copy of `target` that shares all other branches with it.
local function with_value(target, expression, value)
  if expression:find("[][*]") or expression == "" or expression == "." then
    errors.raise("InvalidExpressionError", "Invalid expression %s: Only dotted lookups are supported.",
      expression)
  end
  local function copy_of(t)
    return type(t) == "table" and setmetatable(copy_table(t), getmetatable(t)) or {}
  end
  local top = copy_of(target)
  local at = top
  local front, last = expression:match("^(.*)%.([^.]*)$")
  for key in (front or ""):gmatch("[^.]+") do
    at[key] = copy_of(at[key])
    at = at[key]
  end
  at[last or expression] = value
  return top
end

local function to_integer(value, what)
  local number = value
  if type(value) == "string" then
    number = value:match("^%s*[+-]?%d+%s*$") and tonumber(value)
  end
  local whole = type(number) == "number" and math.tointeger(number < 0 and math.ceil(number)
    or math.floor(number))
  if not whole then
    errors.raise("ValueError", "invalid value for %s: %s", what, repr.value(value))
  end
  return whole
end

-- The next token for each input, or nil when there is no further page.
local function next_tokens(config, page)
  if config.more_results then
    local more = jmespath.search(config.more_results, page)
    if not more or more == "" or more == 0 or type(more) == "table" and next(more) == nil then
      return nil
    end
  end
  local tokens = {}
  for i, expression in ipairs(config.output_token) do
    local token = jmespath.search(expression, page)
    if token and token ~= "" and token ~= 0 and not (type(token) == "table" and next(token) == nil) then
      tokens[config.input_token[i]] = token
    end
  end
  return next(tokens) ~= nil and tokens or nil
end

local function put_tokens(config, params, tokens)
  for _, key in ipairs(config.input_token) do
    local token = tokens[key]
    params[key] = token ~= "None" and token or nil
  end
end

-- The first page of a resumed row: what was handed out before is cut off. Secondary results belonged to
-- that part and are emptied, but for numbers, which still tell what the service counted on this page.
local function cut_front(config, page, offset)
  local primary = config.result_key[1]
  local items = jmespath.search(primary, page)
  local rest
  if values.is_array(items) or type(items) == "string" then
    rest = slice(items, offset)
  end
  local cut = with_value(page, primary, rest)
  for i = 2, #config.result_key do
    local key = config.result_key[i]
    local sample, empty = jmespath.search(key, cut), nil
    if values.is_array(sample) then
      empty = values.new_array()
    elseif type(sample) == "string" then
      empty = ""
    elseif type(sample) == "number" or type(sample) == "boolean" then
      empty = sample
    end
    cut = with_value(cut, key, empty)
  end
  return cut
end

local function non_aggregate(config, page)
  local part = {}
  for _, key in ipairs(config.non_aggregate_keys) do
    part = with_value(part, key, jmespath.search(key, page))
  end
  return part
end

-- A place in the row of pages: one per running loop.
local function start(pages)
  local cursor = { params = copy_table(pages._params), tokens = {}, total = 0, offset = 0, first = true }
  if pages._starting_token ~= nil then
    cursor.tokens, cursor.offset = page_token.decode(pages._starting_token, pages._config.input_token)
    put_tokens(pages._config, cursor.params, cursor.tokens)
  end
  if pages._page_size ~= nil then
    cursor.params[pages._config.limit_key] = pages._page_size
  end
  pages.resume_token = nil
  return cursor
end

local function make_resume_token(pages, tokens, offset)
  return page_token.encode(pages._config.input_token, tokens, offset, pages._model, pages._input)
end

-- Cuts the page where MaxItems are reached and says where to go on.
local function cut_back(pages, cursor, page, count, excess)
  local key = pages._config.result_key[1]
  local items = jmespath.search(key, page)
  if items ~= nil and not values.is_array(items) and type(items) ~= "string" then
    errors.raise("PaginationError", "Error during pagination: MaxItems cannot cut %s, which is not a list.",
      key)
  end
  local keep = count - excess
  cursor.finished = true
  pages.resume_token = make_resume_token(pages, cursor.tokens, keep + cursor.offset)
  return with_value(page, key, items ~= nil and slice(items, 0, keep) or values.new_array())
end

-- Where to go on after a page that was handed out whole.
local function move_on(pages, cursor, page)
  local tokens = next_tokens(pages._config, page)
  if not tokens then
    cursor.finished = true
    return
  end
  if cursor.total == pages._max_items then
    pages.resume_token = make_resume_token(pages, tokens)
    cursor.finished = true
    return
  end
  if cursor.previous and values.same(cursor.previous, tokens) then
    -- The caller has not seen this page yet: the error is for when the next one is asked for.
    cursor.failure = errors.new("PaginationError", ("Error during pagination: The same next token was "
      .. "received twice: %s"):format(repr.value(tokens, pages._config.input_token)))
    return
  end
  put_tokens(pages._config, cursor.params, tokens)
  cursor.tokens, cursor.previous, cursor.offset = tokens, tokens, 0
end

local function next_page(pages, cursor)
  if cursor.failure then
    error(cursor.failure, 0)
  elseif cursor.finished then
    return nil
  end
  local page = pages._call(copy_table(cursor.params))
  if cursor.first then
    cursor.first = false
    if pages._starting_token ~= nil then
      page = cut_front(pages._config, page, cursor.offset)
    end
    pages.non_aggregate_part = non_aggregate(pages._config, page)
  end
  local count = count_items(jmespath.search(pages._config.result_key[1], page))
  local excess = pages._max_items and cursor.total + (count or 0) - pages._max_items or 0
  if excess > 0 then
    return cut_back(pages, cursor, page, count, excess)
  end
  cursor.total = cursor.total + (count or 0)
  move_on(pages, cursor, page)
  return page
end

--- The generic for calls this with the page it got last; nil starts a new row.
function pages_mt.__call(pages, _, last)
  local cursor
  if last == nil then
    cursor = start(pages)
  else
    cursor = pages._cursors[last]
    if not cursor then
      errors.raise("ValueError", "this page is not one of these pages")
    end
  end
  local page = next_page(pages, cursor)
  if page ~= nil then
    pages._cursors[page] = cursor
  end
  return page
end

function pages_mt.__tostring(pages)
  return ("pages of %s"):format(pages._method)
end

local no_such = nearest.no_such("pages", setmetatable({
  resume_token = true, non_aggregate_part = true, result_keys = true,
}, { __index = Pages }))

local function refuse_list(pages)
  errors.raise("TypeError", "%s are no list: write `for page in pages do`, or use build_full_result()",
    tostring(pages))
end

pages_mt.__len, pages_mt.__pairs = refuse_list, refuse_list

function pages_mt.__index(pages, name)
  if math.type(name) then
    refuse_list(pages)
  end
  local method = Pages[name]
  if method == nil and name ~= "resume_token" then
    return no_such(pages, name)
  end
  return method
end

--- What a JMESPath expression finds, page by page. A list is handed out item by item; a page in which
--- nothing is found is passed over.
---@param expression string
---@return function iterator
function Pages:search(expression)
  local compiled = jmespath.compile(expression)
  local page, found, place
  return function()
    while true do
      if found then
        place = place + 1
        if found[place] ~= nil then
          return found[place]
        end
      end
      page = self(nil, page)
      if page == nil then
        return nil
      end
      local result = compiled:search(page)
      if values.is_array(result) then
        found, place = result, 0
      elseif result ~= nil then
        found = nil
        return result
      else
        found = nil
      end
    end
  end
end

-- Adds what the first page says beside its results. Where that holds the results too (devops-guru's
-- ResourceCollection), those of all pages stay.
local function merge(target, source)
  for key, item in pairs(source) do
    if type(item) ~= "table" or type(target[key]) ~= "table" then
      target[key] = item
    elseif item[1] == nil then
      merge(target[key], item)
    end
  end
end

-- Lists grow in place (they are ours), so that many pages cost no more than their items.
local function add_result(result, own, key, value)
  local existing = jmespath.search(key, result)
  if existing == nil then
    if values.is_array(value) then
      value = setmetatable(table.move(value, 1, #value, 1, {}), getmetatable(value))
      own[key] = value
    end
    return with_value(result, key, value)
  end
  if values.is_array(value) and own[key] then
    table.move(value, 1, #value, #own[key] + 1, own[key])
  elseif type(value) == "number" and type(existing) == "number" then
    return with_value(result, key, existing + value)
  elseif type(value) == "string" and type(existing) == "string" then
    return with_value(result, key, existing .. value)
  end
  return result
end

--- All pages as one: lists one after the other, numbers added, the rest as on the first page, and
--- NextToken where MaxItems cut the row.
---@return table
function Pages:build_full_result()
  local result, own = {}, {}
  for page in self do
    for _, key in ipairs(self._config.result_key) do
      local value = jmespath.search(key, page)
      if value ~= nil then
        result = add_result(result, own, key, value)
      end
    end
  end
  merge(result, self.non_aggregate_part)
  result.NextToken = self.resume_token
  return result
end

local result_iter_mt = { __name = "luaws.result_key_iter" }

function result_iter_mt.__call(iter)
  while true do
    iter._place = iter._place + 1
    local item = iter._items[iter._place]
    if item ~= nil then
      return item
    end
    local node = iter._node:next()
    if not node then
      return nil
    end
    local found = jmespath.search(iter.result_key, node.page)
    iter._node, iter._items, iter._place = node, values.is_array(found) and found or { found }, 0
  end
end

--- One iterator per result key, each over the items under its key on all pages. They share the
--- requests; a page is kept until the slowest of them is past it.
---@return table iterators each with a field result_key
function Pages:result_key_iters()
  local Node = {}
  local node_mt = { __index = Node }
  local finished = false
  function Node.next(node)
    if not node.after and not finished then
      local page = self(nil, node.page)
      finished = page == nil
      node.after = page and setmetatable({ page = page }, node_mt)
    end
    return node.after
  end
  local first = setmetatable({}, node_mt)
  local iters = {}
  for i, key in ipairs(self.result_keys) do
    iters[i] = setmetatable({ result_key = key, _node = first, _items = {}, _place = 0 }, result_iter_mt)
  end
  return iters
end

methods.check("pages", pages_mt, Pages)

local function check_page_size(paginator, page_size)
  local key = paginator._config.limit_key
  if key == nil then
    errors.raise("PaginationError", "Error during pagination: PageSize parameter is not supported for "
      .. "the pagination interface for this operation.")
  end
  local input = paginator._input
  local shape = input and input.members[key] and paginator._model:shape(input.members[key])
  if shape and shape.type == "string" then
    return tostring(page_size)
  end
  return to_integer(page_size, "PageSize")
end

--- The pages for these parameters. PaginationConfig may hold MaxItems (how many items in all),
--- PageSize (how many to ask for at once) and StartingToken (the resume_token of an earlier row).
---@param params table|nil
---@return table pages usable in a generic for, as often as wanted
function Paginator:paginate(params)
  if getmetatable(self) ~= paginator_mt then
    errors.raise("TypeError", "paginate is a method: call it as paginator:paginate{...}")
  elseif params ~= nil and type(params) ~= "table" then
    errors.raise("TypeError", "paginate takes its parameters in one table, not a %s", type(params))
  end
  local copy = copy_table(params or {})
  for _, name in ipairs(PAGING) do
    if copy[name] ~= nil and not (self._input and self._input.members[name]) then
      errors.raise("TypeError", "paginate: '%s' belongs into PaginationConfig", name)
    end
  end
  local paging = copy.PaginationConfig or {}
  nearest.check_options("PaginationConfig", paging, PAGING)
  copy.PaginationConfig = nil
  return setmetatable({
    result_keys = self.result_keys,
    non_aggregate_part = {},
    _config = self._config,
    _method = self._method,
    _call = self._call,
    _model = self._model,
    _input = self._input,
    _params = copy,
    _max_items = paging.MaxItems ~= nil and to_integer(paging.MaxItems, "MaxItems") or nil,
    _page_size = paging.PageSize ~= nil and check_page_size(self, paging.PageSize) or nil,
    _starting_token = paging.StartingToken,
    _cursors = setmetatable({}, { __mode = "k" }),
  }, pages_mt)
end

-- `for page in paginator do` is easily written.
function paginator_mt.__call(paginator)
  errors.raise("TypeError", "the paginator of %s is no row of pages: write `for page in "
    .. "paginator:paginate{...} do`", paginator._method)
end

setmetatable(Paginator, { __index = nearest.no_such("paginator", setmetatable({ result_keys = true },
  { __index = Paginator })) })

local function find_operation(client, method_name)
  local operation = client.meta.service_model:operation_for_method(method_name)
  if not operation then
    local names = {}
    for i, name in ipairs(client.meta.service_model:operation_names()) do
      names[i] = core.xform_name(name)
    end
    errors.raise("KeyError", "%s", nearest.message(tostring(method_name), names))
  end
  return operation
end

local function find_config(client, operation)
  local meta = client.meta
  return core.model(client, "paginators", meta.service_name, meta.api_version, "pagination", operation.name)
end

--- Whether the operation behind this method is a paged one.
---@param client userdata
---@param method_name string such as "list_objects_v2"
---@return boolean
function paginate.can_paginate(client, method_name)
  return find_config(client, find_operation(client, method_name)) ~= nil
end

--- A paginator that makes its calls through call(params) and goes by a model's entry.
---@param method_name string for messages
---@param call function
---@param config table input_token, output_token, result_key, limit_key, more_results, ...
---@param model table|nil the service model and ...
---@param input table|nil ... the operation's input shape
---@return table
function paginate.new(method_name, call, config, model, input)
  local own = {
    input_token = as_list(config.input_token),
    output_token = as_list(config.output_token),
    result_key = as_list(config.result_key),
    non_aggregate_keys = as_list(config.non_aggregate_keys),
    limit_key = config.limit_key,
    more_results = config.more_results,
  }
  return setmetatable({
    result_keys = own.result_key,
    _config = own,
    _method = method_name,
    _call = call,
    _model = model,
    _input = input,
  }, paginator_mt)
end

--- The paginator for a client's method.
---@param client userdata
---@param method_name string
---@return table
function paginate.get(client, method_name)
  local operation = find_operation(client, method_name)
  local config = find_config(client, operation)
  if not config then
    errors.raise("OperationNotPageableError", "Operation cannot be paginated: %s", method_name)
  end
  local model = client.meta.service_model
  local method = client[method_name]
  return paginate.new(method_name, function(params)
    return features.during("paginator", method, client, params)
  end, config, model, operation.input and model:shape(operation.input))
end

return paginate
