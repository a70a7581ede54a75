--- Plain Lua values to DynamoDB's AttributeValue and back.
---
---   aws.null NULL · boolean BOOL · number N · string S · binary B · set SS, NS, BS · table L or M
---
--- A table is a list when it has something at [1] and a map when its keys are strings; an empty one is what
--- its metatable's __jsontype says, and a map without one.
local binary = require("luaws.dynamodb.binary")
local core = require("luaws.core")
local errors = require("luaws.errors")
local number = require("luaws.dynamodb.number")
local set = require("luaws.dynamodb.set")

local convert = {}

local null = core.null
local MAX_DEPTH <const> = 128 -- DynamoDB takes 32; a table that contains itself has no end

-- Where a value stands: a row of keys after a name. It is put into words only for an error.
local function where(place)
  local parts = { place.name }
  for i = 1, place.depth do
    local key = place[i]
    parts[i + 1] = type(key) == "number" and ("[%d]"):format(key - 1) or "." .. tostring(key)
    if i > 16 then
      parts[i + 2] = "…"
      break
    end
  end
  return table.concat(parts)
end

local function fail(place, fmt, ...)
  errors.raise("TypeError", "%s: " .. fmt, where(place), ...)
end

-- Calls a function that knows nothing of places, and says in its error where it was.
local function located(place, convert_one, value)
  local ok, result = pcall(convert_one, value)
  if not ok then
    if not errors.is_error(result) then
      error(result, 0)
    end
    errors.raise(result.kind, "%s: %s", where(place), result.message)
  end
  return result
end

local function enter(place, key)
  local depth = place.depth + 1
  place.depth, place[depth] = depth, key
  if depth > MAX_DEPTH then
    fail(place, "nested too deep, or in itself")
  end
end

local function leave(place)
  place.depth = place.depth - 1
end

local function check_text(value, place)
  if not utf8.len(value) then
    fail(place, "this string is no UTF-8 text; bytes are given as aws.dynamodb.binary(s)")
  end
  return value
end

local function write_set(value, place)
  local kind = value:element_type()
  if not kind then
    fail(place, "DynamoDB has no empty sets")
  end
  local list = {}
  for element in value:values() do
    list[#list + 1] = kind == "N" and located(place, number.write, element) or kind == "B" and element.bytes
      or check_text(element, place)
  end
  return { [kind .. "S"] = list }
end

-- "list" or "map"; an error for a table that is partly one and partly the other.
local function table_kind(t, place)
  local count, texts, other = 0, 0, nil
  for key in next, t do
    count = count + 1
    if type(key) == "string" then
      texts = texts + 1
    elseif math.type(key) ~= "integer" then
      other = key
    end
  end
  local mt = getmetatable(t)
  local wanted = type(mt) == "table" and mt.__jsontype
  if count == 0 then
    return wanted == "array" and "list" or "map"
  elseif other ~= nil then
    fail(place, "the key %s is neither a string nor a place in a list", tostring(other))
  elseif texts > 0 and texts < count then
    fail(place, "this table has both string keys and places of a list")
  elseif texts == count then
    return wanted ~= "array" and "map" or fail(place, "a list has no string keys")
  end
  for i = 1, count do
    if rawget(t, i) == nil then
      fail(place, "this list has gaps; aws.null stands for nothing")
    end
  end
  return wanted ~= "object" and "list" or fail(place, "a map has string keys only")
end

local serialize

local function write_map(t, place)
  local out = {}
  for key, item in next, t do
    enter(place, key)
    out[check_text(key, place)] = serialize(item, place)
    leave(place)
  end
  return { M = next(out) == nil and core.map(out) or out }
end

local function write_list(t, place)
  local out = {}
  for i, item in ipairs(t) do
    enter(place, i)
    out[i] = serialize(item, place)
    leave(place)
  end
  return { L = out[1] == nil and core.list(out) or out }
end

local function write_table(t, place)
  local mt = getmetatable(t)
  local name = type(mt) == "table" and rawget(mt, "__name")
  if type(name) == "string" and name:find("^luaws%.") then
    fail(place, "a %s cannot be a value of an item", name)
  end
  return table_kind(t, place) == "list" and write_list(t, place) or write_map(t, place)
end

function serialize(value, place)
  local kind = type(value)
  if kind == "string" then
    return { S = check_text(value, place) }
  elseif kind == "number" then
    return { N = number.write_common(value) or located(place, number.write, value) }
  elseif kind == "boolean" then
    return { BOOL = value }
  elseif value == null then
    return { NULL = true }
  elseif kind ~= "table" then
    fail(place, "a %s cannot be a value of an item", kind)
  elseif number.is_object(value) then
    return { N = value.digits }
  elseif binary.is_binary(value) then
    return { B = value.bytes }
  elseif set.is_set(value) then
    return write_set(value, place)
  end
  return write_table(value, place)
end

--- The AttributeValue of a value.
---@param value any
---@param name string|nil what it is, for error messages
---@return table
function convert.serialize(value, name)
  return serialize(value, { name = name or "value", depth = 0 })
end

local deserialize

local function read_number(text, place)
  return number.read_common(text) or located(place, number.read, text)
end

-- A set of elements that are each read by a function.
local function set_of(kind, list, read, place)
  local out = {}
  for i, item in ipairs(list) do
    out[i] = read(item, place)
  end
  return set.of(kind, out)
end

local function same(value)
  return value
end

-- What a set may hold is told where it is not so; all of them come as strings.
local function check_strings(list, place)
  for _, element in ipairs(list) do
    if type(element) ~= "string" then
      fail(place, "a set takes strings, not a %s", type(element))
    end
  end
  return list
end

local READERS = {
  S = same,
  BOOL = same,
  N = read_number,
  B = binary.new,
  NULL = function()
    return null
  end,
  SS = function(list, place)
    return set.of("S", check_strings(list, place))
  end,
  NS = function(list, place)
    return set_of("N", check_strings(list, place), read_number, place)
  end,
  BS = function(list, place)
    return set_of("B", check_strings(list, place), binary.new, place)
  end,
  L = function(list, place)
    local out = {}
    for i, item in ipairs(list) do
      enter(place, i)
      out[i] = deserialize(item, place)
      leave(place)
    end
    return out[1] == nil and core.list(out) or out
  end,
  M = function(map, place)
    local out = {}
    for key, item in pairs(map) do
      enter(place, key)
      out[key] = deserialize(item, place)
      leave(place)
    end
    return next(out) == nil and core.map(out) or out
  end,
}

-- What stands in an AttributeValue, by its type; what else has that type's name is not DynamoDB's.
local INNER = {
  S = "string", N = "string", B = "string", BOOL = "boolean", SS = "table", NS = "table", BS = "table",
  L = "table", M = "table",
}

-- Says why a value is none.
local function refuse(value, place)
  if type(value) ~= "table" or next(value) == nil then
    fail(place, "an AttributeValue has one member, named by its type, and this has none that is known")
  end
  local kind, inner = next(value)
  if next(value, kind) ~= nil then
    fail(place, "an AttributeValue has one member, and this has more")
  elseif not INNER[kind] then
    fail(place, "DynamoDB type %s is not supported", tostring(kind))
  end
  fail(place, "%s takes a %s, not a %s", kind, INNER[kind], type(inner))
end

function deserialize(value, place)
  local kind, inner
  if type(value) == "table" then
    kind, inner = next(value)
  end
  local read = READERS[kind]
  if not read or INNER[kind] and type(inner) ~= INNER[kind] or next(value, kind) ~= nil then
    refuse(value, place)
  end
  return read(inner, place)
end

--- The value of an AttributeValue.
---@param value table
---@param name string|nil what it is, for error messages
---@return any
function convert.deserialize(value, name)
  return deserialize(value, { name = name or "value", depth = 0 })
end

--- A copy that shares no table with the original which either could change.
---@param value any
---@param name string|nil what it is, for an error message
---@return any
function convert.copy(value, name, depth)
  if set.is_set(value) then
    return set.new(value)
  elseif type(value) ~= "table" or number.is_object(value) or binary.is_binary(value) then
    return value
  end
  depth = (depth or 0) + 1
  if depth > MAX_DEPTH then
    errors.raise("TypeError", "%s: nested too deep, or in itself", name or "value")
  end
  local copy = setmetatable({}, getmetatable(value))
  for key, item in next, value do
    copy[key] = convert.copy(item, name, depth)
  end
  return copy
end

return convert
