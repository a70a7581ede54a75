--- Makes of condition objects the text that DynamoDB takes, with #n0, #n1, … for names and :v0, :v1, …
--- for values.
local conditions = require("luaws.dynamodb.conditions")
local errors = require("luaws.errors")

local expression = {}

local Builder = {}
local builder_mt = { __name = "luaws.dynamodb.builder", __index = Builder }

--- A builder: what it builds goes on counting where it was, so that several expressions of one request
--- can share one. `names` and `values` hold what the placeholders stand for.
---@param taken_names table|nil placeholders that the caller uses himself, which are left out
---@param taken_values table|nil
---@return table
function expression.builder(taken_names, taken_values)
  return setmetatable({
    names = {}, values = {}, _name_count = 0, _value_count = 0,
    _taken_names = type(taken_names) == "table" and taken_names or {},
    _taken_values = type(taken_values) == "table" and taken_values or {},
  }, builder_mt)
end

-- The next placeholder that is not the caller's, and how many have been counted with it.
local function next_free(prefix, count, taken)
  while taken[prefix .. count] ~= nil do
    count = count + 1
  end
  return prefix .. count, count + 1
end

local function add_name(self, part)
  local placeholder
  placeholder, self._name_count = next_free("#n", self._name_count, self._taken_names)
  self.names[placeholder] = part
  return placeholder
end

local function add_value(self, value)
  local placeholder
  placeholder, self._value_count = next_free(":v", self._value_count, self._taken_values)
  self.values[placeholder] = value
  return placeholder
end

-- "a.b[0]" has two names, of which each gets a placeholder; what is within brackets stays.
local function write_path(self, path)
  return (path:gsub("()([^.%[%]]+)()", function(_, part, after)
    if path:match("[%[%]]", after) == "]" then
      return part
    end
    return add_name(self, part)
  end))
end

local write_condition

local function write_operand(self, operand, grouped, for_key)
  if conditions.is_condition(operand) then
    return write_condition(self, operand, for_key)
  elseif conditions.is_attribute(operand) then
    if for_key and not conditions.is_key(operand) then
      errors.raise("DynamoDBNeedsKeyConditionError", "Attribute object %s is an Attr: a "
        .. "KeyConditionExpression takes Key objects only", operand.name)
    end
    return write_path(self, operand.name)
  elseif not grouped then
    return add_value(self, operand)
  end
  local placeholders = {}
  for i, value in ipairs(operand) do
    placeholders[i] = add_value(self, value)
  end
  return "(" .. table.concat(placeholders, ", ") .. ")"
end

function write_condition(self, condition, for_key)
  local parts = { operator = condition.operator }
  for i = 1, condition.operands.n do
    parts[tostring(i - 1)] = write_operand(self, condition.operands[i], condition.grouped, for_key)
  end
  return (condition.format:gsub("{(%w+)}", parts))
end

--- The text of a condition.
---@param condition table
---@param for_key boolean|nil true for a KeyConditionExpression, in which only Key may stand
---@return string
function Builder:build(condition, for_key)
  if not conditions.is_condition(condition) then
    errors.raise("DynamoDBNeedsConditionError", "%s is not a condition: make one with a method, as in "
      .. 'Attr("name"):eq(value)', tostring(condition))
  end
  return write_condition(self, condition, for_key)
end

return expression
