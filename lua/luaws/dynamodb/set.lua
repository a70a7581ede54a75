--- Sets of strings, of numbers or of binaries. The elements keep the order in which they came.
local binary = require("luaws.dynamodb.binary")
local errors = require("luaws.errors")
local methods = require("luaws.methods")
local number = require("luaws.dynamodb.number")

local set = {}

local Set = {}
local set_mt = { __name = "luaws.dynamodb.set", __index = Set }

-- Texts that are the same for equal elements, by DynamoDB's names of their types.
local KEYS = {
  S = function(value) return value end,
  N = number.key,
  B = function(value) return value.bytes end,
}

-- The element's type, and its text.
local function identify(value)
  local kind = type(value) == "string" and "S" or number.is_number(value) and "N"
    or binary.is_binary(value) and "B"
  if kind then
    return kind, KEYS[kind](value)
  end
  errors.raise("TypeError", "a set holds strings, numbers or binaries, not a %s", type(value))
end

--- True for a set.
---@param value any
---@return boolean
function set.is_set(value)
  return getmetatable(value) == set_mt
end

--- Puts a value in, if it is not there.
---@param value string|number|table of the type that the others have
---@return table the set
function Set:add(value)
  local kind, key = identify(value)
  if #self._values > 0 and kind ~= self._kind then
    errors.raise("TypeError", "a set holds strings, numbers or binaries, not a mix of them")
  end
  self._kind = kind
  if not self._places[key] then
    local n = #self._values + 1
    self._values[n], self._places[key] = value, n
  end
  return self
end

--- Takes a value out, if it is there.
---@return table the set
function Set:remove(value)
  local kind, key = identify(value)
  local place = kind == self._kind and self._places[key]
  if place then
    table.remove(self._values, place)
    self._places[key] = nil
    for other, at in pairs(self._places) do
      self._places[other] = at > place and at - 1 or at
    end
  end
  return self
end

--- Whether the value is in the set. Numbers are equal by value, whatever they are kept in.
---@return boolean
function Set:contains(value)
  if type(value) ~= "string" and not number.is_number(value) and not binary.is_binary(value) then
    return false
  end
  local kind, key = identify(value)
  return kind == self._kind and self._places[key] ~= nil
end

--- `for value in set:values() do`
---@return function iterator
function Set:values()
  local i = 0
  return function()
    i = i + 1
    return self._values[i]
  end
end

--- DynamoDB's name of the element type, "S", "N" or "B"; nil for an empty set.
function Set:element_type()
  return #self._values > 0 and self._kind or nil
end

methods.all("set", set_mt, Set)

--- A set of the values of a sequence, or of another set.
---@param values table|nil
---@return table
function set.new(values)
  local self = setmetatable({ _values = {}, _places = {} }, set_mt)
  if set.is_set(values) then
    values = values._values
  elseif values ~= nil and type(values) ~= "table" then
    errors.raise("TypeError", "set{} takes a sequence, not a %s", type(values))
  end
  local n = 0
  for key in pairs(values or {}) do
    if math.type(key) ~= "integer" or key < 1 then
      errors.raise("TypeError", "set{} takes a sequence; this table has the key %s", tostring(key))
    end
    n = math.max(n, key)
  end
  for i = 1, n do
    self:add(values[i])
  end
  return self
end

--- A set of what is known to be of one type, "S", "N" or "B".
---@param kind string
---@param values table kept
---@return table
function set.of(kind, values)
  local places, key_of, n = {}, KEYS[kind], 0
  for _, value in ipairs(values) do
    local key = key_of(value)
    if not places[key] then
      n = n + 1
      values[n], places[key] = value, n
    end
  end
  for i = #values, n + 1, -1 do
    values[i] = nil
  end
  return setmetatable({ _values = values, _places = places, _kind = kind }, set_mt)
end

function set_mt:__len()
  return #self._values
end

function set_mt.__eq(a, b)
  if not (set.is_set(a) and set.is_set(b)) or #a ~= #b or a:element_type() ~= b:element_type() then
    return false
  end
  for value in a:values() do
    if not b:contains(value) then
      return false
    end
  end
  return true
end

function set_mt:__tostring()
  local parts = {}
  for value in self:values() do
    parts[#parts + 1] = type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  return #parts > 0 and "set{ " .. table.concat(parts, ", ") .. " }" or "set{}"
end

return set
