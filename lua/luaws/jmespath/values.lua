--- How JMESPath's types are told from Lua values.
---   null     nil, or cjson.null where a table needs something in its place
---   array    a table with something at [1]
---   object   any other table
---   expref   a function: a compiled expression handed to a JMESPath function (&name)
--- An empty table is what its metatable's __jsontype says, "array" or "object". One without passes
--- as either where a type is asked for; its type() is "array".
local cjson = require("cjson")

local values = {}

local null = cjson.null
values.null = null

local array_mt = { __jsontype = "array" }
local object_mt = { __jsontype = "object" }

local function json_type(t)
  local mt = getmetatable(t)
  return type(mt) == "table" and mt.__jsontype or nil
end

--- An empty table that stays an array while it is empty.
function values.new_array()
  return setmetatable({}, array_mt)
end

--- An empty table that stays an object while it is empty.
function values.new_object()
  return setmetatable({}, object_mt)
end

--- Marks t as an array when it is empty; returns it.
function values.close_array(t)
  return t[1] == nil and setmetatable(t, array_mt) or t
end

--- Marks t as an object when it is empty; returns it.
function values.close_object(t)
  return next(t) == nil and setmetatable(t, object_mt) or t
end

---@return boolean
function values.is_array(v)
  if type(v) ~= "table" then
    return false
  end
  return rawlen(v) > 0 or next(v) == nil and json_type(v) ~= "object"
end

---@return boolean
function values.is_object(v)
  if type(v) ~= "table" or rawlen(v) > 0 then
    return false
  end
  return next(v) ~= nil or json_type(v) ~= "array"
end

local SCALARS = { ["nil"] = "null", string = "string", number = "number", boolean = "boolean",
  ["function"] = "expref" }

--- "null", "string", "number", "boolean", "array", "object", "expref", or "unknown" for what JSON has not.
---@return string
function values.type_of(v)
  if v == null then
    return "null"
  elseif type(v) == "table" then
    return values.is_array(v) and "array" or "object"
  end
  return SCALARS[type(v)] or "unknown"
end

--- False by JMESPath's rule: null, false, "", [] and {}. Zero is true.
---@return boolean
function values.is_false(v)
  return v == nil or v == false or v == "" or v == null or type(v) == "table" and next(v) == nil
end

-- Lua compares strings by the locale's rules, which a host program may have set; JMESPath compares code
-- points, and these are in the order of their bytes.
local set_locale = os and os.setlocale

local function plain_order()
  return set_locale ~= nil and set_locale(nil, "collate") == "C"
end

local function bytes_before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

--- Whether a comes before b; both are numbers, or both strings.
---@return boolean
function values.before(a, b)
  if type(a) == "number" or plain_order() then
    return a < b
  end
  return bytes_before(a, b)
end

--- The keys of an object in order, so that what is made of them does not change from run to run.
---@return table
function values.sorted_keys(object)
  local keys, plain = {}, true
  for key in pairs(object) do
    keys[#keys + 1] = key
    plain = plain and type(key) == "string"
  end
  if plain then
    table.sort(keys, not plain_order() and bytes_before or nil)
  else
    table.sort(keys, function(a, b) return bytes_before(tostring(a), tostring(b)) end)
  end
  return keys
end

local function count(object)
  local n = 0
  for _ in pairs(object) do
    n = n + 1
  end
  return n
end

--- Equal all the way down. Inside arrays and objects true is 1 and false is 0: Python's library has
--- it so, and what it selects, this must.
---@return boolean
function values.same(a, b)
  if a == b then
    return true
  end
  local kind_a, kind_b = type(a), type(b)
  if kind_a == "boolean" and kind_b == "number" then
    return (a and 1 or 0) == b
  elseif kind_b == "boolean" and kind_a == "number" then
    return (b and 1 or 0) == a
  elseif kind_a ~= "table" or kind_b ~= "table" then
    return false
  elseif values.is_array(a) and values.is_array(b) then
    if #a ~= #b then
      return false
    end
    for i = 1, #a do
      if not values.same(a[i], b[i]) then
        return false
      end
    end
    return true
  elseif values.is_object(a) and values.is_object(b) then
    for key, value in pairs(a) do
      if not values.same(value, b[key]) then
        return false
      end
    end
    return count(a) == count(b)
  end
  return false
end

--- What == means in an expression: like with like.
---@return boolean
function values.equal(a, b)
  return type(a) == type(b) and values.same(a, b)
end

--- A sorted copy; items that compare equal keep their order. keys[i] is what items[i] is sorted by.
---@param items table
---@param keys table numbers or strings only
---@return table
function values.stable_sort(items, keys)
  local n = #items
  local from, to = {}, {}
  for i = 1, n do
    from[i] = i
  end
  local before = values.before
  local width = 1
  while width < n do
    for low = 1, n, 2 * width do
      local middle, high = math.min(low + width, n + 1), math.min(low + 2 * width, n + 1)
      local left, right = low, middle
      for k = low, high - 1 do
        local take_right = left >= middle or right < high and before(keys[from[right]], keys[from[left]])
        if take_right then
          to[k], right = from[right], right + 1
        else
          to[k], left = from[left], left + 1
        end
      end
    end
    from, to = to, from
    width = width * 2
  end
  local sorted = {}
  for i = 1, n do
    sorted[i] = items[from[i]]
  end
  return sorted
end

return values
