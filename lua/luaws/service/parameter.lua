--- Parameters of other names and forms than the model's: handlers of before-parameter-build.
local core = require("luaws.core")
local errors = require("luaws.errors")

local parameter = {}

--- A handler that takes `alias` for a member called `name`.
---@param name string
---@param alias string
function parameter.alias(name, alias)
  return function(event)
    local params = event.params
    if params[alias] == nil then
      return
    end
    local input = event.model.input and core.shape(event.client, event.model.input)
    if not (input and input.members[name]) then
      return
    end
    if params[name] ~= nil then
      errors.raise("AliasConflictParameterError", "Parameter '%s' and its alias '%s' were provided for "
        .. "operation %s.  Only one of them may be used.", name, alias, event.operation_name)
    end
    params[name], params[alias] = params[alias], nil
  end
end

--- A handler that sends a member in base64.
---@param name string
function parameter.base64(name)
  return function(event)
    local value = event.params[name]
    if type(value) == "string" then
      event.params[name] = core.base64_encode(value)
    end
  end
end

--- A listener of getattr that answers with another method.
---@param method string
function parameter.method_alias(method)
  return function(event)
    return event.client[method]
  end
end

--- A listener of choose-signer: what is called needs no signature, and no credentials.
function parameter.unsigned()
  return "none"
end

return parameter
