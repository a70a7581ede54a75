--- Conditions on items, built from Key("name") and Attr("name"):
---
---     Key("id"):eq("a") & Key("sort"):between(1, 9)
---     Attr("size"):gt(10) | ~Attr("name"):exists()
---
--- A condition is { format, operator, operands (with n), grouped }; its operands are attributes, conditions
--- and values. expression.lua makes text of it.
local core = require("luaws.core")
local errors = require("luaws.errors")
local nearest = require("luaws.nearest")
local set = require("luaws.dynamodb.set")

local conditions = {}

local Attribute, AttrOnly = {}, {}
local key_mt = { __name = "luaws.dynamodb.Key", __index = Attribute }
local attr_mt = { __name = "luaws.dynamodb.Attr", __index = AttrOnly }
local condition_mt = { __name = "luaws.dynamodb.condition" }
-- size() is a condition that is compared like an attribute.
local size_mt = { __name = "luaws.dynamodb.size", __index = Attribute }

setmetatable(AttrOnly, { __index = Attribute })

local no_such = nearest.no_such("Key, Attr or size()", AttrOnly)

setmetatable(Attribute, { __index = function(self, name)
  if rawget(AttrOnly, name) then
    errors.raise("AttributeError", "only an Attr has '%s': Attr(\"name\"):%s(…)", name, name)
  end
  return no_such(self, name)
end })

local COMPARE <const>, CALL <const> = "{0} {operator} {1}", "{operator}({0}, {1})"

local function condition(format, operator, ...)
  return setmetatable({ format = format, operator = operator, operands = table.pack(...), grouped = false },
    condition_mt)
end

--- True for a condition, which size() by itself is too.
---@param value any
---@return boolean
function conditions.is_condition(value)
  local mt = getmetatable(value)
  return mt == condition_mt or mt == size_mt
end

--- True for what Key or Attr returned.
---@param value any
---@return boolean
function conditions.is_attribute(value)
  local mt = getmetatable(value)
  return mt == key_mt or mt == attr_mt
end

--- True for what Key returned.
---@param value any
---@return boolean
function conditions.is_key(value)
  return getmetatable(value) == key_mt
end

local function describe(value)
  local mt = getmetatable(value)
  local name = type(mt) == "table" and mt.__name
  if conditions.is_attribute(value) then
    return ('%s("%s")'):format(name:match("[^.]+$"), value.name)
  end
  return ("%s (a %s)"):format(tostring(value == core.null and "null" or value), name or type(value))
end

local function check_value(method, value)
  if value == nil then
    errors.raise("TypeError", "%s() needs a value; aws.null is DynamoDB's null", method)
  end
  return value
end

local function check_attribute(method, self)
  local mt = getmetatable(self)
  if mt ~= key_mt and mt ~= attr_mt and mt ~= size_mt then
    errors.raise("TypeError", '%s is a method: write Attr("name"):%s(…)', method, method)
  end
end

-- A method that takes one value.
local function define(methods, name, format, operator)
  methods[name] = function(self, value)
    check_attribute(name, self)
    return condition(format, operator, self, check_value(name, value))
  end
end

--- Key(…):eq(value), lt, lte, gt, gte, begins_with; the same on Attr(…) and its size().
define(Attribute, "eq", COMPARE, "=")
define(Attribute, "lt", COMPARE, "<")
define(Attribute, "lte", COMPARE, "<=")
define(Attribute, "gt", COMPARE, ">")
define(Attribute, "gte", COMPARE, ">=")
define(Attribute, "begins_with", CALL, "begins_with")

--- At least `low` and at most `high`.
function Attribute:between(low, high)
  check_attribute("between", self)
  return condition("{0} {operator} {1} AND {2}", "BETWEEN", self, check_value("between", low),
    check_value("between", high))
end

--- Attr(…):ne(value), contains(value), attribute_type("S").
define(AttrOnly, "ne", COMPARE, "<>")
define(AttrOnly, "contains", CALL, "contains")
define(AttrOnly, "attribute_type", CALL, "attribute_type")

--- Equal to one of these values, given as a sequence or a set.
function AttrOnly:is_in(values)
  check_attribute("is_in", self)
  if set.is_set(values) then
    local list = {}
    for value in values:values() do
      list[#list + 1] = value
    end
    values = list
  elseif type(values) ~= "table" or getmetatable(values) and not getmetatable(values).__jsontype then
    errors.raise("TypeError", "is_in() takes a sequence of values, not %s", describe(values))
  end
  for key in pairs(values) do -- in order as far as there are no holes
    if math.type(key) ~= "integer" or key < 1 or key > 1 and values[key - 1] == nil then
      errors.raise("TypeError", "is_in() takes a sequence of values, and this table is none: see its key %s",
        tostring(key))
    end
  end
  local made = condition(COMPARE, "IN", self, table.move(values, 1, #values, 1, {}))
  made.grouped = true
  return made
end

function AttrOnly:exists()
  check_attribute("exists", self)
  return condition("{operator}({0})", "attribute_exists", self)
end

function AttrOnly:not_exists()
  check_attribute("not_exists", self)
  return condition("{operator}({0})", "attribute_not_exists", self)
end

--- The attribute's size, to be compared: Attr("name"):size():gt(10).
function AttrOnly:size()
  check_attribute("size", self)
  return setmetatable(condition("{operator}({0})", "size", self), size_mt)
end

-- ---- and, or, not ----

local function check_condition(operator, value)
  if not conditions.is_condition(value) then
    errors.raise("DynamoDBOperationNotSupportedError", "%s operation cannot be applied to %s directly: first "
      .. 'make a condition of it with a method, as in Attr("name"):eq(value)', operator, describe(value))
  end
end

local function joined(operator, ...)
  local n = select("#", ...)
  local result = ...
  check_condition(operator, result)
  for i = 2, n do
    local operand = select(i, ...)
    check_condition(operator, operand)
    result = condition("({0} {operator} {1})", operator, result, operand)
  end
  return result
end

--- All of the conditions; a & b is And(a, b).
function conditions.And(...)
  return joined("AND", ...)
end

--- One of the conditions; a | b is Or(a, b).
function conditions.Or(...)
  return joined("OR", ...)
end

--- Not the condition; ~a is Not(a).
function conditions.Not(operand)
  check_condition("NOT", operand)
  return condition("({operator} {0})", "NOT", operand)
end

local function operand_same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" or getmetatable(a) or getmetatable(b) then
    return a == b
  end
  if #a ~= #b then
    return false
  end
  for i, value in ipairs(a) do
    if not operand_same(value, b[i]) then
      return false
    end
  end
  return true
end

local function condition_same(a, b)
  if not (conditions.is_condition(a) and conditions.is_condition(b)) or a.operator ~= b.operator then
    return false
  end
  for i = 1, a.operands.n do
    if not operand_same(a.operands[i], b.operands[i]) then
      return false
    end
  end
  return true
end

local function attribute_same(a, b)
  return getmetatable(a) == getmetatable(b) and a.name == b.name
end

for _, mt in ipairs { condition_mt, size_mt, key_mt, attr_mt } do
  mt.__band, mt.__bor, mt.__bnot = conditions.And, conditions.Or, conditions.Not
end
condition_mt.__eq, size_mt.__eq = condition_same, condition_same
key_mt.__eq, attr_mt.__eq = attribute_same, attribute_same

for mt, name in pairs { [key_mt] = "Key", [attr_mt] = "Attr" } do
  mt.__tostring = describe
  --- The attribute of that name; "a.b[1]" is a member and an item of nested values.
  conditions[name] = function(attribute)
    if type(attribute) ~= "string" then
      errors.raise("TypeError", "%s() takes the name of an attribute, not a %s", name, type(attribute))
    end
    return setmetatable({ name = attribute }, mt)
  end
end

return conditions
