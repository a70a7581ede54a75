--- Between a resource's own values and those of a call: parameters made from identifiers and data,
--- objects made from answers.
local core = require("luaws.core")
local errors = require("luaws.errors")
local jmespath = require("luaws.jmespath")
local load = require("luaws.resource.load")
local param_path = require("luaws.param_path")
local values = require("luaws.jmespath.values")

local response = {}

--- What an expression finds in the object's data, which is loaded when it is not there yet.
---@param object table
---@param path string
---@return any
function response.data_member(object, path)
  local data = object.meta.data
  if data == nil then
    local class = getmetatable(object).class
    if not class.loadable then
      errors.raise("ResourceLoadException", "%s has no load method!", class.full_name)
    end
    data = load(object)
  end
  return jmespath.search(path, data)
end

local CONSTANTS = { string = true, integer = true, boolean = true }

-- What a parameter gets from the object's data. A call without what says what it is about would be
-- another call, so that data which lacks it is an error, unless the caller gives that member himself.
local function from_data(object, item, given)
  local value = response.data_member(object, item.path)
  local member = item.target:match("^[^.%[]*")
  if value == nil and (given or {})[member] == nil then
    errors.raise("ParamValidationError", "Parameter validation failed:\n%s has no %s in its data, from which "
      .. "the parameter %s is taken", tostring(object), item.path, item.target)
  end
  return value
end

--- Puts what a model's `params` say into params.
---@param object table
---@param sources table|nil a sequence of { target, source, name, path, value }
---@param params table changed and returned
---@param given table|nil the caller's own parameters, which will be set over these
---@param index integer|nil the object's place in its page, from 1
---@return table params
function response.fill_params(object, sources, params, given, index)
  for _, item in ipairs(sources or {}) do
    local source = item.source
    if source == "identifier" then
      param_path.build(params, item.target, object[core.xform_name(item.name)], index)
    elseif source == "data" then
      param_path.build(params, item.target, from_data(object, item, given), index)
    elseif CONSTANTS[source] then
      param_path.build(params, item.target, item.value, index)
    elseif source ~= "input" then
      errors.raise("NotImplementedError", "Unsupported source type: %s", tostring(source))
    end
  end
  return params
end

--- The identifiers for what an answer is about.
---@param sources table|nil a sequence of { target, source, ... }
---@param object table the object that was asked
---@param params table what was sent
---@param answer table|nil
---@return table names in the model's order
---@return table found by name; a list where the answer is about many
function response.identifiers(sources, object, params, answer)
  local names, found = {}, {}
  for _, item in ipairs(sources or {}) do
    local source, value = item.source, nil
    if source == "response" then
      value = jmespath.search(item.path, answer)
    elseif source == "requestParameter" then
      value = jmespath.search(item.path, params)
    elseif source == "identifier" then
      value = object[core.xform_name(item.name)]
    elseif source == "data" then
      value = response.data_member(object, item.path)
    elseif source ~= "input" then
      errors.raise("NotImplementedError", "Unsupported source type: %s", tostring(source))
    end
    if source ~= "input" then
      local name = core.xform_name(item.target)
      names[#names + 1], found[name] = name, value
    end
  end
  return names, found
end

-- The shape at the end of a path such as Reservations[].Instances[], as far as it goes by members.
local function shape_at(model, shape, path)
  for part in path:gmatch("[^.]+") do
    part = part:gsub("^[%[%]%d$@]+", ""):gsub("[%[%]%d$@]+$", "")
    if part ~= "" and shape then
      local name = shape.type == "list" and shape.member or shape.members and shape.members[part]
      shape = name and model:shape(name)
    end
  end
  return shape
end

-- What stands for "nothing" where an answer holds no object: an empty table for a structure or a list,
-- nil for a scalar, and nil where there was no call.
local function empty_result(path, operation, object)
  if not operation then
    return nil
  end
  local model = object.meta.client.meta.service_model
  local output = model:operation(operation).output
  local shape = output and shape_at(model, model:shape(output), path or "")
  if not shape then
    return nil
  elseif shape.type == "list" then
    return values.new_array()
  elseif shape.type == "structure" or shape.type == "map" then
    return values.new_object()
  end
  return nil
end

local function make_many(class, object, names, found, list, data)
  local objects = {}
  for i = 1, #list do
    local identifiers = {}
    for _, name in ipairs(names) do
      local value = found[name]
      if type(value) == "table" then
        value = value[i]
      end
      identifiers[name] = value
    end
    objects[i] = class:make(object.meta.client, identifiers, type(data) == "table" and data[i] or nil)
  end
  return values.close_array(objects)
end

--- A function that makes objects of an answer: one, a sequence of them when an identifier is a list, or
--- an empty value when there is nothing to make one of. They get data only where the model says at
--- which path of the answer it is.
---@param family table finds classes
---@param model table the model's `resource`: type, path, identifiers
---@param operation string|nil the operation that answered
---@return function handler of (object, params, answer)
function response.handler(family, model, operation)
  local path = model.path and jmespath.compile(model.path)
  return function(object, params, answer)
    local class = family:class(model.type, object.meta.client)
    local data = path and path:search(answer)
    local names, found = response.identifiers(model.identifiers, object, params, answer)
    local complete = true
    for _, name in ipairs(names) do
      if type(found[name]) == "table" then
        return make_many(class, object, names, found, found[name], data)
      end
      complete = complete and found[name] ~= nil
    end
    if complete then
      return class:make(object.meta.client, found, data)
    end
    return empty_result(model.path, operation, object)
  end
end

--- A function that takes out of an answer what an action's own path says.
---@param path string|nil nil and "$" mean all of it
---@return function handler of (object, params, answer)
function response.raw_handler(path)
  if not path or path == "$" then
    return function(_, _, answer) return answer end
  end
  local compiled = jmespath.compile(path)
  return function(_, _, answer) return compiled:search(answer) end
end

return response
