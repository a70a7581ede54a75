--- Methods of resources that call an operation or wait.
local core = require("luaws.core")
local errors = require("luaws.errors")
local response = require("luaws.resource.response")
local waiter = require("luaws.waiter")

local action = {}

-- bucket.delete{} instead of bucket:delete{} is easily written.
local function check_arguments(name, object, params)
  if type(object) ~= "table" or type(rawget(object, "meta")) ~= "table" then
    errors.raise("TypeError", "%s is a method: call it as object:%s{...}", name, name)
  elseif params ~= nil and type(params) ~= "table" then
    errors.raise("TypeError", "%s takes its parameters in one table", name)
  end
end

--- Sets what the caller gave over what the model fills in; a member is replaced whole.
---@param params table changed and returned
---@param given table|nil
---@return table params
function action.override(params, given)
  for name, value in pairs(given or {}) do
    params[name] = value
  end
  return params
end

--- Calls an operation of the object's client by its model name.
---@param client userdata
---@param operation string
---@param params table
---@return table
function action.call(client, operation, params)
  return client[core.xform_name(operation)](client, params)
end

--- The function that does an action: fills in the parameters, calls, and makes of the answer what the
--- model says.
---@param family table
---@param model table request, and resource or path
---@return function of (object, params)
function action.new(family, model)
  local operation = model.request.operation
  local handler = model.resource and response.handler(family, model.resource, operation)
    or response.raw_handler(model.path)
  return function(object, given)
    local params = response.fill_params(object, model.request.params, {}, given)
    action.override(params, given)
    return handler(object, params, action.call(object.meta.client, operation, params))
  end
end

--- The method for an action. After it the object's data may be out of date, so that it is loaded anew
--- when next asked for.
---@param class table
---@param member table of a definition
---@return function
function action.method(class, member)
  local run = action.new(class.family, member.model)
  return function(object, params)
    check_arguments(member.name, object, params)
    local result = run(object, params)
    if class.loadable then
      object.meta.data = nil
    end
    return result
  end
end

--- The method load, which is also reload.
---@param class table
---@param member table
---@return function
function action.load_method(class, member)
  local run = action.new(class.family, member.model)
  return function(object, params)
    check_arguments(member.name, object, params)
    object.meta.data = run(object, params)
  end
end

--- The method wait_until_...
---@param member table
---@return function
function action.waiter_method(member)
  return function(object, given)
    check_arguments(member.name, object, given)
    local params = action.override(response.fill_params(object, member.model.params, {}, given), given)
    waiter.get(object.meta.client, core.xform_name(member.model.waiterName)):wait(params)
  end
end

return action
