--- Tab completion: what may come next in a piece of Lua, told from the values of variables and from AWS's
--- models. Nothing is called to find out, but that a client may be made to look into its model.
---
---     local candidates, start, suffix = complete('ec2:describe_inst', _G)
local things = require("luaws.repl.things")
local tokens = require("luaws.repl.tokens")

local evaluate

-- ---- expressions ----

local function is_symbol(token, text)
  return token ~= nil and token.type == "symbol" and token.text == text
end

-- The index at which the chain of names, calls and indexes begins that ends at `stop`; nil for anything else.
local function chain_start(list, stop)
  local i = stop
  while i >= 1 do
    local token, before = list[i], list[i - 1]
    if token.type == "name" then
      if not (is_symbol(before, ".") or is_symbol(before, ":")) then
        return i
      end
      i = i - 2
    elseif token.type == "string" and not token.open and tokens.ends_expression(before) then
      i = i - 1
    elseif token.partner and token.partner < i then
      local opener = token.partner
      if not tokens.ends_expression(list[opener - 1]) then
        return token.text == ")" and opener or nil
      end
      i = opener - 1
    else
      return nil
    end
  end
end

-- The arguments of the call in the brackets at `open`, which may be open still, where they are plain strings.
local function literal_arguments(list, open)
  local args, n, i = {}, 1, open + 1
  local stop = list[open].partner or #list + 1
  while i < stop do
    local token = list[i]
    if is_symbol(token, ",") then
      n = n + 1
    elseif token.type == "string" and (is_symbol(list[i - 1], ",") or i == open + 1)
        and (is_symbol(list[i + 1], ",") or i + 1 == stop) then
      args[n] = token.value
    elseif token.partner and token.partner > i then
      i = token.partner
    end
    i = i + 1
  end
  return args
end

-- What the variable stands for that is called `name` at the place `at`: something this piece of Lua gives
-- it, or what it is now.
local function variable(list, at, name, env)
  for i = at - 1, 1, -1 do
    local token, after = list[i], list[i + 1]
    if token.type == "name" and token.text == name and not is_symbol(list[i - 1], ".") then
      if is_symbol(after, "=") and not is_symbol(list[i - 1], ",") and i + 2 < at
          and not is_symbol(list[tokens.enclosing(list, i) or 0], "{") then
        return (evaluate(list, i + 2, at - 1, env))
      elseif after and after.text == "in" and i + 2 < at then
        local pairs_of = list[i + 2].text
        if (pairs_of == "ipairs" or pairs_of == "pairs") and is_symbol(list[i + 3], "(") then
          local of = evaluate(list, i + 4, at - 1, env)
          return of and things.index(of)
        end
        return things.each((evaluate(list, i + 2, at - 1, env)))
      end
    end
  end
  return things.of_value(rawget(env, name))
end

local function primary(list, i, last, env)
  local token = list[i]
  if token.type == "name" then
    return variable(list, i, token.text, env), i + 1
  elseif token.type == "string" then
    return things.of_value(token.value), i + 1
  elseif is_symbol(token, "(") and token.partner and token.partner <= last then
    return evaluate(list, i + 1, token.partner - 1, env), token.partner + 1
  end
end

--- The thing that the expression at `i` stands for, going no further than `last`, and the index after it.
function evaluate(list, i, last, env)
  if not list[i] or i > last then
    return nil
  end
  local thing, at = primary(list, i, last, env)
  while thing and at <= last do
    local token, after = list[at], list[at + 1]
    if (is_symbol(token, ".") or is_symbol(token, ":")) and after and after.type == "name" and at < last then
      thing, at = things.member(thing, after.text), at + 2
    elseif is_symbol(token, "[") and token.partner and token.partner <= last then
      local key = token.partner == at + 2 and after.value or nil
      thing, at = things.index(thing, key), token.partner + 1
    elseif (is_symbol(token, "(") or is_symbol(token, "{")) and token.partner and token.partner <= last then
      local args = is_symbol(token, "(") and literal_arguments(list, at) or {}
      thing, at = things.result(thing, args), token.partner + 1
    elseif token.type == "string" then
      thing, at = things.result(thing, { token.value }), at + 1
    else
      break
    end
  end
  return thing, at
end

-- The thing whose expression ends at `stop`.
local function thing_before(list, stop, env)
  local start = chain_start(list, stop)
  return start and (evaluate(list, start, stop, env))
end

-- ---- what is expected at a place ----

local expected

-- How many commas of the brackets at `open` stand before `index`, and one.
local function argument_number(list, open, index)
  local n, i = 1, open + 1
  while i < index do
    if is_symbol(list[i], ",") then
      n = n + 1
    end
    local partner = list[i].partner
    i = partner and partner > i and partner < index and partner + 1 or i + 1
  end
  return n
end

local function argument(list, callee_end, n, env)
  local callee = thing_before(list, callee_end, env)
  local open = callee_end + 1
  local args = callee and is_symbol(list[open], "(") and literal_arguments(list, open) or {}
  return callee and things.argument(callee, n, args)
end

-- What the table at the bracket `open` is expected to be.
local function expected_table(list, open, env)
  if tokens.ends_expression(list[open - 1]) then
    return argument(list, open - 1, 1, env)
  end
  return expected(list, open, env)
end

--- What the value at `index` is expected to be, as things.argument says it.
function expected(list, index, env)
  local before = list[index - 1]
  if list[index] and list[index].type == "string" and tokens.ends_expression(before) then
    return argument(list, index - 1, 1, env)
  elseif is_symbol(before, "==") or is_symbol(before, "~=") then
    local thing = thing_before(list, index - 2, env)
    return thing and thing.kind == "shape" and { shape = thing } or nil
  end
  local open = tokens.enclosing(list, index)
  if not open then
    return nil
  elseif is_symbol(list[open], "(") and (open == index - 1 or is_symbol(before, ",")) then
    return argument(list, open - 1, argument_number(list, open, index), env)
  elseif not is_symbol(list[open], "{") then
    return nil
  elseif is_symbol(before, "=") then
    local key = list[index - 2]
    if is_symbol(key, "]") then
      key = list[index - 3]
    end
    return things.within(expected_table(list, open, env), key and (key.value or key.text))
  end
  return things.within(expected_table(list, open, env), nil)
end

-- The keys that the table at `open` has already.
local function present_keys(list, open, stop)
  local present, i = {}, open + 1
  while i < stop do
    local token = list[i]
    if token.type == "name" and is_symbol(list[i + 1], "=") then
      present[token.text] = true
    end
    i = token.partner and token.partner > i and token.partner + 1 or i + 1
  end
  return present
end

-- ---- candidates ----

local function starting_with(names, prefix, fold)
  local found, seen = {}, {}
  local wanted = fold and prefix:lower() or prefix
  for _, name in ipairs(names) do
    local head = name:sub(1, #prefix)
    if not seen[name] and (fold and head:lower() or head) == wanted then
      seen[name] = true
      found[#found + 1] = name
    end
  end
  return found
end

-- Names that begin with the prefix; when none does, those that do but for upper and lower case.
local function select_names(names, prefix)
  local found = starting_with(names, prefix)
  if #found == 0 then
    found = starting_with(names, prefix, true)
  end
  table.sort(found)
  return found
end

local function keys_at(list, index, env)
  local before = list[index - 1]
  local open = tokens.enclosing(list, index)
  if not (open and is_symbol(list[open], "{"))
      or not (open == index - 1 or is_symbol(before, ",") or is_symbol(before, ";")) then
    return {}
  end
  local names, present = {}, present_keys(list, open, index)
  for _, name in ipairs(things.keys(expected_table(list, open, env))) do
    if not present[name] then
      names[#names + 1] = name
    end
  end
  return names
end

local function variables(list, index, env)
  local names = {}
  for name in next, env do
    if type(name) == "string" and name:find("^[%a_][%w_]*$") then
      names[#names + 1] = name
    end
  end
  for i = 1, index - 1 do
    if list[i].type == "name" and not is_symbol(list[i - 1], ".") and not is_symbol(list[i - 1], ":")
        and (is_symbol(list[i + 1], "=") and not is_symbol(list[tokens.enclosing(list, i) or 0], "{")
          or list[i - 1] and list[i - 1].text == "for"
          or list[i + 1] and list[i + 1].text == "in") then
      names[#names + 1] = list[i].text
    end
  end
  for word in next, tokens.KEYWORDS do
    names[#names + 1] = word
  end
  return names
end

local function complete_string(list, index, env)
  local token = list[index]
  local callee = list[index - 1]
  if is_symbol(callee, "(") then
    callee = list[index - 2]
  end
  if callee and callee.text == "help" then
    return require("luaws.help").topics(token.value, env)
  end
  return things.values(expected(list, index, env))
end

--- The candidates for what stands at the end of `text`: a sequence of names, the place in text that they
--- replace it from, and what may be added behind one that is chosen.
---@param text string a piece of Lua up to the cursor
---@param env table where variables are looked up
---@return table candidates
---@return integer start
---@return string suffix
local function complete(text, env)
  local list = tokens.split(text)
  if not list then
    return {}, #text + 1, ""
  end
  local last = list[#list]
  if last and last.type == "string" and last.open then
    local quote = text:sub(last.at, last.first - 1)
    local closing = quote:gsub("%[", "]")
    return select_names(complete_string(list, #list, env), last.value), last.first, closing
  end
  local index, prefix = #list + 1, ""
  if last and last.stop == #text and (last.type == "name" or last.type == "keyword") then
    index, prefix = #list, last.text
  end
  local start, before = #text + 1 - #prefix, list[index - 1]
  if is_symbol(before, ".") or is_symbol(before, ":") then
    local names = things.names(thing_before(list, index - 2, env), before.text == ":")
    return select_names(names, prefix), start, ""
  end
  local keys = select_names(keys_at(list, index, env), prefix)
  if #keys > 0 then
    return keys, start, " = "
  end
  return select_names(variables(list, index, env), prefix), start, ""
end

return complete
