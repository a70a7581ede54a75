-- Values as lines of JSON, for the walks that compare luaws with boto3. What JSON has no words for is
-- { ["$hex"] = … }, { ["$float"] = "NaN" }, { ["$integer"] = "…" }, { ["$map"] = true },
-- { ["$list"] = true }. Told are also objects of resources, { ["$resource"] = "ec2.Vpc", identifiers =,
-- data = }, sets of DynamoDB, { ["$set"] = … }, and empty tables, "$empty".
local aws = require("luaws")
local cjson = require("cjson")

local dynamodb = aws.dynamodb

local walk_values = {}

local FLOATS = { NaN = 0 / 0, Infinity = math.huge, ["-Infinity"] = -math.huge }

--- The bytes of a text of hexadecimal digits.
function walk_values.bytes_of(hex)
  return (hex:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

function walk_values.hex_of(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

--- True for an object of a resource class.
function walk_values.is_resource(value)
  return type(value) == "table" and (getmetatable(value) or {}).__name == "luaws.resource"
end

local function number_of(value)
  return math.type(value) == "float" and math.tointeger(value) or value
end

--- The Lua value of what a question says.
function walk_values.read(value)
  if type(value) == "number" then
    return number_of(value)
  elseif type(value) ~= "table" then
    return value
  elseif value["$hex"] then
    return walk_values.bytes_of(value["$hex"])
  elseif value["$float"] then
    return FLOATS[value["$float"]]
  elseif value["$integer"] then
    return math.tointeger(value["$integer"])
  elseif value["$list"] then
    return aws.list({})
  elseif value["$map"] then
    return aws.map({})
  end
  local made = {}
  for name, inner in pairs(value) do
    made[name] = walk_values.read(inner)
  end
  return made
end

local function tell_number(value)
  local whole = number_of(value)
  if value ~= value then
    return { ["$float"] = "NaN" }
  elseif value == math.huge or value == -math.huge then
    return { ["$float"] = value > 0 and "Infinity" or "-Infinity" }
  elseif math.type(whole) == "float" then
    return { ["$float"] = ("%.17g"):format(value) }
  elseif whole > 2^31 or whole < -2^31 then
    return { ["$integer"] = tostring(whole) }
  end
  return whole
end

-- In the order of what is told.
local function tell_set(set)
  local values = {}
  for value in set:values() do
    values[#values + 1] = walk_values.tell(value)
  end
  table.sort(values, function(a, b) return cjson.encode({ a }) < cjson.encode({ b }) end)
  return values
end

--- What an answer says of a Lua value.
function walk_values.tell(value)
  if value == nil then
    return aws.null
  elseif type(value) == "number" then
    return tell_number(value)
  elseif type(value) == "string" then
    return utf8.len(value) and value or { ["$hex"] = walk_values.hex_of(value) }
  elseif type(value) ~= "table" then
    return value
  elseif dynamodb.is_number(value) then
    return tell_number(value:to_number())
  elseif dynamodb.is_binary(value) then
    return walk_values.tell(value.bytes)
  elseif dynamodb.is_set(value) then
    return { ["$set"] = tell_set(value) }
  elseif walk_values.is_resource(value) then
    local identifiers = {}
    for i, name in ipairs(value.meta.identifiers) do
      identifiers[i] = walk_values.tell(value[name])
    end
    return {
      ["$resource"] = getmetatable(value).class.full_name,
      identifiers = identifiers[1] and identifiers or "$empty",
      data = value.meta.data and walk_values.tell(value.meta.data) or nil,
    }
  elseif next(value) == nil then
    return "$empty"
  end
  local made = {}
  for name, inner in pairs(value) do
    if inner ~= aws.null or type(name) == "number" then
      made[name] = walk_values.tell(inner)
    end
  end
  return next(made) == nil and "$empty" or made
end

return walk_values
