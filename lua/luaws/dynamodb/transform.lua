--- Lets a client take and return plain Lua values: conditions become expressions and values become
--- AttributeValues on the way out, AttributeValues become values on the way in.
---
--- Where in an operation's input or output they are is read from its shapes once, as a tree that has only
--- the branches leading to one: { kind, name, members | item, conditions }.
local conditions = require("luaws.dynamodb.conditions")
local convert = require("luaws.dynamodb.convert")
local core = require("luaws.core")
local errors = require("luaws.errors")
local expression = require("luaws.dynamodb.expression")

local transform = {}

local LEAVES = { AttributeValue = "value", ConditionExpression = "filter", KeyExpression = "key" }

-- class of clients → { [shape] = tree }
local trees = setmetatable({}, { __mode = "k" })

local build

-- The members that may hold conditions, in the order in which their placeholders are numbered.
local function condition_members(members)
  local found = {}
  for name, node in pairs(members) do
    if node.kind == "filter" or node.kind == "key" then
      found[#found + 1] = name
    end
  end
  table.sort(found, function(a, b)
    if members[a].kind ~= members[b].kind then
      return members[a].kind == "filter"
    end
    return a < b
  end)
  return found[1] and found
end

local function build_structure(model, shape, open)
  local members = {}
  for name, member in pairs(shape.members) do
    members[name] = build(model, member, open)
  end
  return next(members) and { kind = "structure", members = members, conditions = condition_members(members) }
end

-- The tree for a shape, or nil when nothing in it concerns us.
function build(model, name, open)
  if LEAVES[name] then
    return { kind = LEAVES[name] }
  elseif open[name] then
    return nil
  end
  open[name] = true
  local shape = model:shape(name)
  local node
  if shape.type == "structure" then
    node = build_structure(model, shape, open) or nil
  elseif shape.type == "list" or shape.type == "map" then
    local item = build(model, shape.member or shape.value, open)
    node = item and { kind = shape.type, item = item }
  end
  open[name] = nil
  return node
end

local function tree_of(client, shape)
  local class = core.client_class(client)
  local known = trees[class]
  if not known then
    known = {}
    trees[class] = known
  end
  if known[shape] == nil then
    known[shape] = build(client.meta.service_model, shape, {}) or false
  end
  return known[shape]
end

local function copy_table(t)
  local copy = setmetatable({}, getmetatable(t))
  for key, value in next, t do
    copy[key] = value
  end
  return copy
end

-- ---- conditions ----

local function merge(params, name, generated)
  if next(generated) == nil then
    return
  end
  local merged = type(params[name]) == "table" and copy_table(params[name]) or {}
  for placeholder, value in pairs(generated) do
    merged[placeholder] = value
  end
  params[name] = merged
end

-- Replaces the conditions among the members of a structure, whose table is ours.
local function write_conditions(node, params)
  local builder
  for _, name in ipairs(node.conditions) do
    local value = params[name]
    if conditions.is_condition(value) or conditions.is_attribute(value) then
      builder = builder
        or expression.builder(params.ExpressionAttributeNames, params.ExpressionAttributeValues)
      params[name] = builder:build(value, node.members[name].kind == "key")
    elseif type(value) == "boolean" then
      errors.raise("DynamoDBNeedsConditionError", '%s is %s: a condition is made with a method, as in '
        .. 'Attr("name"):eq(value), not with ==', name, tostring(value))
    end
  end
  if builder then
    merge(params, "ExpressionAttributeNames", builder.names)
    merge(params, "ExpressionAttributeValues", builder.values)
  end
end

-- ---- a walk that leaves the caller's tables alone ----

local write

-- A set or a number is a table too, but none that has members or keys.
local function check_plain(params, name)
  local mt = getmetatable(params)
  local kind = type(mt) == "table" and rawget(mt, "__name")
  if type(kind) == "string" and kind:find("^luaws%.dynamodb%.") then
    errors.raise("TypeError", "%s must be a plain table, not a %s", name, kind)
  end
end

local function write_members(node, params, visit, name)
  local copy = copy_table(params)
  if visit.conditions and node.conditions then
    write_conditions(node, copy)
  end
  for member, below in pairs(node.members) do
    if copy[member] ~= nil then
      copy[member] = write(below, copy[member], visit, name and name .. "." .. member or member)
    end
  end
  return copy
end

local function write_items(node, params, visit, name)
  local copy = setmetatable({}, getmetatable(params))
  for key, value in next, params do
    if node.kind == "map" and type(key) ~= "string" then
      errors.raise("TypeError", "%s: the key %s is not a string", name, tostring(key))
    end
    copy[key] = write(node.item, value, visit,
      math.type(key) == "integer" and ("%s[%d]"):format(name, key - 1) or name .. "." .. tostring(key))
  end
  return copy
end

function write(node, params, visit, name)
  if node.kind == "value" then
    return visit.values and convert.serialize(params, name) or params
  elseif type(params) ~= "table" or node.kind == "filter" or node.kind == "key" then
    return params -- of a wrong type: validation tells
  end
  check_plain(params, name)
  if node.kind == "structure" then
    return write_members(node, params, visit, name)
  elseif node.item then
    return write_items(node, params, visit, name)
  end
  return params
end

local function write_params(event, visit)
  local model = event.model
  local tree = model.input and tree_of(event.client, model.input)
  if tree then
    event.params = write(tree, event.params, visit)
  end
end

local CONDITIONS, VALUES = { conditions = true }, { values = true }

local function on_conditions(event)
  write_params(event, CONDITIONS)
end

local function on_values(event)
  write_params(event, VALUES)
end

-- ---- the way back, in place ----

local function read(node, value, name)
  if node.kind == "value" then
    return convert.deserialize(value, name)
  elseif type(value) ~= "table" then
    return value
  elseif node.kind == "structure" then
    for member, below in pairs(node.members) do
      if value[member] ~= nil then
        value[member] = read(below, value[member], name and name .. "." .. member or member)
      end
    end
  elseif node.item then
    for key, item in pairs(value) do
      value[key] = read(node.item, item,
        math.type(key) == "integer" and ("%s[%d]"):format(name, key - 1) or name .. "." .. tostring(key))
    end
  end
  return value
end

local function on_result(event)
  local model, parsed = event.model, event.parsed
  local tree = model.output and tree_of(event.client, model.output)
  if tree and parsed.Error == nil then
    read(tree, parsed)
  end
end

--- Makes a client one of plain values. Doing it twice changes nothing.
---@param client userdata of dynamodb
function transform.attach(client)
  local events = client.meta.events
  events:register("before-parameter-build.dynamodb", on_conditions, "dynamodb-condition-expression")
  events:register("before-parameter-build.dynamodb", on_values, "dynamodb-attr-value-input")
  events:register("after-call.dynamodb", on_result, "dynamodb-attr-value-output")
end

return transform
