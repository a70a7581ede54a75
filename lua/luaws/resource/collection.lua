--- Rows of resources, such as ec2.instances or bucket.objects.
---
---     for object in bucket.objects:filter { Prefix = "logs/" }:limit(10) do print(object.key) end
---
--- What the attribute gives is a manager, which is not iterated itself. Its methods, and those of the
--- collections they return, make a new collection each time, with the parameters of all filters: lists are
--- added to lists, the last of anything else wins. A collection holds parameters and no place, so it can
--- be iterated twice or within itself; pages are fetched as the loop gets there.
local action = require("luaws.resource.action")
local core = require("luaws.core")
local errors = require("luaws.errors")
local nearest = require("luaws.nearest")
local paginate = require("luaws.paginate")
local response = require("luaws.resource.response")
local values = require("luaws.jmespath.values")

local collection = {}

local METHODS = { "all", "filter", "iterator", "limit", "page_size", "pages" }

-- Where each running loop is, by the object it got last.
local cursors = setmetatable({}, { __mode = "k" })

local Collection = {}
local collection_mt = { __name = "luaws.collection" }

local Manager = {}
local manager_mt = { __name = "luaws.collection_manager" }

-- Plain tables are copied; objects in them, such as conditions, are shared.
local function deep_copy(value)
  if type(value) ~= "table" then
    return value
  end
  local mt = getmetatable(value)
  if mt ~= nil and not (type(mt) == "table" and mt.__jsontype) then
    return value
  end
  local copy = {}
  for key, item in pairs(value) do
    copy[key] = deep_copy(item)
  end
  return setmetatable(copy, mt)
end

local function is_plain_list(value)
  return type(value) == "table" and values.is_array(value)
end

local function is_plain_map(value)
  return type(value) == "table" and values.is_object(value)
    and (getmetatable(value) == nil or getmetatable(value).__jsontype ~= nil)
end

-- As botocore's merge_dicts: lists are appended at the top level only.
local function merge(target, source, append)
  for key, item in pairs(source) do
    local old = target[key]
    if is_plain_map(item) and is_plain_map(old) then
      merge(old, item, false)
    elseif append and is_plain_list(item) and is_plain_list(old) then
      table.move(item, 1, #item, #old + 1, old)
    else
      target[key] = item
    end
  end
  return target
end

-- instances.filter{…} instead of instances:filter{…} is easily written.
local function check_call(name, self, params)
  local mt = getmetatable(self)
  if mt ~= collection_mt and mt ~= manager_mt then
    errors.raise("TypeError", "%s is a method: call it as collection:%s(...)", name, name)
  elseif params ~= nil and type(params) ~= "table" then
    errors.raise("TypeError", "%s takes its parameters in one table, not a %s", name, type(params))
  end
end

-- objects:all{ Prefix = … } would be all of them.
local function check_bare_call(name, self, given)
  check_call(name, self)
  if given ~= nil then
    errors.raise("TypeError", "%s takes no parameters: write collection:filter{...}%s", name,
      name == "all" and "" or (":%s()"):format(name))
  end
end

local function new(kind, parent, params)
  return setmetatable({ _kind = kind, _parent = parent, _params = params }, collection_mt)
end

local function with(self, params)
  return new(self._kind, self._parent, merge(deep_copy(self._params), deep_copy(params), true))
end

local function check_count(name, count)
  local whole = math.type(count) == "float" and math.tointeger(count) or count
  if math.type(whole) ~= "integer" then
    errors.raise("TypeError", "%s takes a whole number", name)
  end
  return whole
end

-- One of those among the parameters of filter{}, where boto3 reads numbers out of strings.
local function count_in(given, name)
  local count = given[name]
  if type(count) == "string" then
    local whole = math.tointeger(tonumber(count:match("^%s*([+-]?%d+)%s*$")))
    if not whole then
      errors.raise("ValueError", "%s takes a whole number, not '%s'", name, count)
    end
    return whole
  end
  return count ~= nil and check_count(name, count) or nil
end

-- A function that returns the answers of the operation one after the other.
local function answers_of(self, params, limit, page_size)
  local client, operation = self._parent.meta.client, self._kind.operation
  local method = core.xform_name(operation)
  if paginate.can_paginate(client, method) then
    local call = action.override({ PaginationConfig = { MaxItems = limit, PageSize = page_size } }, params)
    local pages, page = paginate.get(client, method):paginate(call), nil
    return function()
      page = pages(nil, page)
      return page
    end
  end
  local done = false
  return function()
    if not done then
      done = true
      return action.call(client, operation, params)
    end
  end
end

--- Pages of objects: one per answer of the service.
---@return function iterator returning a sequence at a time
function Collection:pages(unwanted)
  check_bare_call("pages", self, unwanted)
  local given = deep_copy(self._params)
  local limit, page_size = count_in(given, "limit"), count_in(given, "page_size")
  given.limit, given.page_size = nil, nil
  local params = response.fill_params(self._parent, self._kind.params, {}, given)
  merge(params, given, true)
  local next_answer = answers_of(self, params, limit, page_size)
  local count, finished = 0, false
  return function()
    local answer = not finished and next_answer()
    if not answer then
      return nil
    end
    local page = self._kind.handler(self._parent, params, answer) or {}
    if limit and count + #page >= limit then
      finished = true
      page = table.move(page, 1, limit - count, 1, {})
    end
    count = count + #page
    return page
  end
end

--- The generic for calls this with the object it got last; nil starts anew.
function collection_mt.__call(self, _, last)
  local cursor = last ~= nil and cursors[last]
  if last == nil then
    cursor = { next_page = self:pages(), page = {}, place = 0 }
  elseif not cursor then
    errors.raise("ValueError", "this object is not the last one of a loop")
  else
    cursors[last] = nil
  end
  cursor.place = cursor.place + 1
  while cursor.page[cursor.place] == nil do
    cursor.page, cursor.place = cursor.next_page(), 1
    if not cursor.page then
      return nil
    end
  end
  local object = cursor.page[cursor.place]
  cursors[object] = cursor
  return object
end

--- A collection like this one.
---@return table
function Collection:all(given)
  check_bare_call("all", self, given)
  return with(self, {})
end

--- With these parameters added to the call.
---@param params table|nil
---@return table
function Collection:filter(params)
  check_call("filter", self, params)
  return with(self, params or {})
end

--- Of at most so many objects.
---@param count integer
---@return table
function Collection:limit(count)
  check_call("limit", self)
  return with(self, { limit = check_count("limit", count) })
end

--- Fetching so many at once.
---@param count integer
---@return table
function Collection:page_size(count)
  check_call("page_size", self)
  return with(self, { page_size = check_count("page_size", count) })
end

--- A collection of all, or of what these parameters find.
---@param params table|nil
---@return table
function Manager:iterator(params)
  check_call("filter", self, params)
  return new(self._kind, self._parent, deep_copy(params or {}))
end

function Manager:all(given)
  check_bare_call("all", self, given)
  return self:iterator()
end

Manager.filter = Manager.iterator

function Manager:limit(count)
  check_call("limit", self)
  return self:iterator():limit(count)
end

function Manager:page_size(count)
  check_call("page_size", self)
  return self:iterator():page_size(count)
end

function Manager:pages(given)
  check_bare_call("pages", self, given)
  return self:iterator():pages()
end

-- Calls a batch action once for each page, until a page is empty.
local function run_batch(self, model, handler, given)
  local results = {}
  for page in self:pages() do
    local params = {}
    for i, object in ipairs(page) do
      response.fill_params(object, model.request.params, params, given, i)
    end
    if next(params) == nil then
      break
    end
    action.override(params, deep_copy(given))
    local answer = action.call(self._parent.meta.client, model.request.operation, params)
    results[#results + 1] = handler(self._parent, params, answer)
  end
  return results
end

local function batch_method(name, model)
  local handler = response.raw_handler(model.path)
  return function(self, params)
    check_call(name, self, params)
    return run_batch(self, model, handler, params)
  end
end

-- The batch actions of the resource in the collection, as methods.
local function batch_methods(kind, client)
  if not kind.batch then
    kind.batch = {}
    for name, model in pairs(kind.family:definition(kind.type, client).batch_actions) do
      name = core.xform_name(name)
      kind.batch[name] = batch_method(name, model)
    end
  end
  return kind.batch
end

--- The names of what a collection of this kind can do, sorted.
---@param self table a manager or a collection
---@return table
function collection.names(self)
  local kind = rawget(self, "_kind")
  local names = table.move(METHODS, 1, #METHODS, 1, {})
  for name in pairs(batch_methods(kind, rawget(self, "_parent").meta.client)) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function refuse_list(self)
  errors.raise("TypeError", "%s is no list: write `for object in collection do`", tostring(self))
end

local function index_with(methods)
  return function(self, key)
    if math.type(key) then
      refuse_list(self)
    end
    local method = methods[key]
    if method ~= nil or type(key) ~= "string" or key:find("^_") then
      return method
    end
    local kind, parent = rawget(self, "_kind"), rawget(self, "_parent")
    method = batch_methods(kind, parent.meta.client)[key]
    if method == nil then
      errors.raise("AttributeError", "%s has %s", kind.name, nearest.message(key, collection.names(self)))
    end
    return method
  end
end

collection_mt.__index = index_with(Collection)
manager_mt.__index = index_with(Manager)

for _, mt in ipairs { collection_mt, manager_mt } do
  mt.__len, mt.__pairs = refuse_list, refuse_list
end

function collection_mt.__tostring(self)
  return ("%s(%s, %s.%s)"):format(self._kind.name, tostring(self._parent), self._kind.family.service_name,
    self._kind.type)
end

function manager_mt.__tostring(self)
  return ("%sManager(%s, %s.%s)"):format(self._kind.name, tostring(self._parent),
    self._kind.family.service_name, self._kind.type)
end

function manager_mt.__call(self)
  errors.raise("TypeError", "%s is not iterable itself: use :all(), :filter{...}, :limit(n) or :pages()",
    tostring(self))
end

--- What all collections under one attribute share.
---@param family table
---@param member table of a definition
---@param owner string the name of the resource it belongs to
---@return table kind
function collection.kind(family, member, owner)
  local model = member.model
  local prefix = owner == family.service_name and family.service_name or family.service_name .. "." .. owner
  return {
    name = ("%s.%sCollection"):format(prefix, member.name),
    family = family,
    type = model.resource.type,
    operation = model.request.operation,
    params = model.request.params,
    handler = response.handler(family, model.resource, model.request.operation),
  }
end

--- The manager of a resource's collection.
---@param kind table
---@param parent table
---@return table
function collection.manager(kind, parent)
  return setmetatable({ _kind = kind, _parent = parent }, manager_mt)
end

return collection
