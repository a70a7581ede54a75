--- JMESPath's built-in functions. Each entry says what its parameters may be and what it returns;
--- arguments arrive with null as nil and exprefs as Lua functions, and are checked before.
local errors = require("luaws.errors")
local json = require("luaws.jmespath.json")
local values = require("luaws.jmespath.values")

local null = values.null
local type_of, is_array = values.type_of, values.is_array

local functions = {}

-- Null as a value to work with: nil.
local function plain(item)
  if item == null then
    return nil
  end
  return item
end

-- Null as an item of an array.
local function kept(item)
  if item == nil then
    return null
  end
  return item
end

local function type_error(call, wanted, got)
  error(errors.new("JMESPathTypeError", ("%s() takes %s, not %s, at %s"):format(
    call.name, wanted, got, call.place), {
    function_name = call.name,
    expression = call.expression,
  }), 0)
end

-- Items of an array that are all numbers or all strings, whichever the first one is.
local function check_items(call, array, wanted, allowed)
  local first
  for i = 1, #array do
    local kind = type_of(array[i])
    if not allowed[kind] or first and kind ~= first then
      type_error(call, wanted, ("an array with %s in it"):format(kind))
    end
    first = kind
  end
end

-- A parameter: the types it may have, and for an array what its items may be.
local function parameter(wanted, types, item_types)
  local allowed, allowed_items = {}, item_types and {}
  for _, kind in ipairs(types) do
    allowed[kind] = true
  end
  for _, kind in ipairs(item_types or {}) do
    allowed_items[kind] = true
  end
  return function(call, value)
    if type(value) == "table" and next(value) == nil and not getmetatable(value)
      and (allowed.array or allowed.object) then
      return
    end
    local kind = type_of(value)
    if not allowed[kind] then
      type_error(call, wanted, kind)
    elseif allowed_items then
      check_items(call, value, wanted, allowed_items)
    end
  end
end

local function anything() end

local number = parameter("a number", { "number" })
local string_ = parameter("a string", { "string" })
local array = parameter("an array", { "array" })
local object = parameter("an object", { "object" })
local expref = parameter("an expression (&…)", { "expref" })
local numbers = parameter("an array of numbers", { "array" }, { "number" })
local strings = parameter("an array of strings", { "array" }, { "string" })
local sortables = parameter("an array of numbers or of strings", { "array" }, { "number", "string" })

local function define(name, parameters, run, variadic)
  functions[name] = { parameters = parameters, run = run, variadic = variadic }
end

local function sum(items)
  local total = 0
  for i = 1, #items do
    local item = items[i]
    local exact = total + item
    local overflowed = math.type(exact) == "integer" and (exact < total) ~= (item < 0)
    total = overflowed and total + 0.0 + item or exact
  end
  return total
end

define("abs", { number }, function(_, n)
  return n == math.mininteger and -(n + 0.0) or math.abs(n)
end)

define("avg", { numbers }, function(_, items)
  if #items == 0 then
    return nil
  end
  return sum(items) / #items
end)

define("ceil", { number }, function(_, n) return math.ceil(n) end)

define("contains", { parameter("an array or a string", { "array", "string" }), anything },
  function(_, subject, search)
    if type(subject) == "string" then
      return type(search) == "string" and subject:find(search, 1, true) ~= nil
    end
    search = kept(search)
    for i = 1, #subject do
      if values.same(subject[i], search) then
        return true
      end
    end
    return false
  end)

define("ends_with", { string_, string_ }, function(_, s, suffix)
  return suffix == "" or s:sub(-#suffix) == suffix
end)

define("floor", { number }, function(_, n) return math.floor(n) end)

define("join", { string_, strings }, function(_, glue, items) return table.concat(items, glue) end)

define("keys", { object }, function(_, t) return values.close_array(values.sorted_keys(t)) end)

define("length", { parameter("a string, an array or an object", { "string", "array", "object" }) },
  function(_, value)
    if type(value) == "string" then
      return utf8.len(value, 1, -1, true) or #value
    elseif is_array(value) then
      return #value
    end
    return #values.sorted_keys(value)
  end)

define("map", { expref, array }, function(_, each, items)
  local mapped = {}
  for i = 1, #items do
    mapped[i] = kept(each(plain(items[i])))
  end
  return values.close_array(mapped)
end)

local function extreme(items, keys, before)
  local best = 1
  for i = 2, #keys do
    if before(keys[i], keys[best]) then
      best = i
    end
  end
  return items[best]
end

local less = values.before

local function more(a, b)
  return less(b, a)
end

define("max", { sortables }, function(_, items) return extreme(items, items, more) end)
define("min", { sortables }, function(_, items) return extreme(items, items, less) end)

-- What each item is sorted by: all numbers or all strings.
local function sort_keys(call, items, by)
  local keys, first = {}, nil
  for i = 1, #items do
    local key = by(plain(items[i]))
    local kind = type_of(key)
    if kind ~= "number" and kind ~= "string" or first and kind ~= first then
      type_error(call, "an expression that gives only numbers or only strings", kind)
    end
    keys[i], first = key, kind
  end
  return keys
end

define("max_by", { array, expref }, function(call, items, by)
  return plain(extreme(items, sort_keys(call, items, by), more))
end)

define("min_by", { array, expref }, function(call, items, by)
  return plain(extreme(items, sort_keys(call, items, by), less))
end)

define("merge", { object }, function(call, ...)
  local merged, has_null = {}, false
  for i = 1, select("#", ...) do
    for key, value in pairs((select(i, ...))) do
      merged[key] = value
    end
  end
  for _, value in pairs(merged) do
    has_null = has_null or value == null
  end
  if has_null then
    call.forget_nulls(merged)
  end
  return values.close_object(merged)
end, true)

define("not_null", { anything }, function(_, ...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if value ~= nil then
      return value
    end
  end
end, true)

local function reverse_characters(s)
  if not utf8.len(s, 1, -1, true) then
    return s:reverse()
  end
  local characters = {}
  for character in s:gmatch("[\0-\x7F\xC2-\xFD][\x80-\xBF]*") do
    table.insert(characters, 1, character)
  end
  return table.concat(characters)
end

define("reverse", { parameter("an array or a string", { "array", "string" }) }, function(_, value)
  if type(value) == "string" then
    return reverse_characters(value)
  end
  local reversed, n = {}, #value
  for i = 1, n do
    reversed[i] = value[n + 1 - i]
  end
  return values.close_array(reversed)
end)

define("sort", { sortables }, function(_, items)
  return values.close_array(values.stable_sort(items, items))
end)

define("sort_by", { array, expref }, function(call, items, by)
  if #items == 0 then
    return items
  end
  return values.stable_sort(items, sort_keys(call, items, by))
end)

define("starts_with", { string_, string_ }, function(_, s, prefix) return s:sub(1, #prefix) == prefix end)

define("sum", { numbers }, function(_, items) return sum(items) end)

define("to_array", { anything }, function(_, value)
  return is_array(value) and value or { kept(value) }
end)

local NUMBER_WORDS = { inf = math.huge, infinity = math.huge, nan = 0 / 0 }

-- The number a text spells, as Python reads it: white space around it, "_" between digits.
local function spelled_number(text)
  text = text:match("^[\t-\r\x1C-\x20]*(.-)[\t-\r\x1C-\x20]*$")
  local sign, rest = text:match("^([+-]?)(.*)$")
  local word = NUMBER_WORDS[rest:lower()]
  if word then
    return sign == "-" and -word or word
  elseif rest:find("[^0-9eE.+_-]") or rest:find("^[+-]") then
    return nil
  elseif ("." .. rest .. "."):find("[^0-9]_") or (rest .. "."):find("_[^0-9]") then
    return nil
  end
  rest = rest:gsub("_", "")
  if not rest:find("[0-9]") then
    return nil
  end
  return tonumber((sign == "-" and "-" or "") .. rest)
end

define("to_number", { anything }, function(_, value)
  if type(value) == "number" then
    return value
  end
  return type(value) == "string" and spelled_number(value) or nil
end)

define("to_string", { anything }, function(_, value)
  return type(value) == "string" and value or json.encode(kept(value))
end)

define("type", { anything }, function(_, value)
  local kind = type_of(value)
  return kind ~= "expref" and kind ~= "unknown" and kind or nil
end)

define("values", { object }, function(_, t)
  local list = {}
  for i, key in ipairs(values.sorted_keys(t)) do
    list[i] = t[key]
  end
  return values.close_array(list)
end)

return functions
