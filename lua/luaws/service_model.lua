--- What a service's model says of its operations and shapes, as tables made when asked for.
local core = require("luaws.core")
local methods = require("luaws.methods")

local service_model = {}

local Model = {}
local model_mt = { __name = "luaws.service_model", __index = Model }

function service_model.new(client)
  local info = core.client_info(client)
  return setmetatable({
    service_name = info.service_name, api_version = info.api_version, service_id = info.service_id,
    endpoint_prefix = info.endpoint_prefix, signing_name = info.signing_name, protocol = info.protocol,
    full_name = info.full_name, class_name = info.class_name, hyphen_id = info.hyphen_id, _client = client,
  }, model_mt)
end

--- An operation by its API name: { name, method_name, http_method, input, output, errors, … }.
function Model:operation(name)
  return core.operation(self._client, name)
end

--- An operation by the name of its method.
function Model:operation_for_method(name)
  return core.operation_for_method(self._client, name)
end

--- The API names of all operations, sorted.
function Model:operation_names()
  return core.operation_names(self._client)
end

--- A shape: { name, type, members, member_names, payload, required, member, key, value, enum, … }, or nil.
function Model:shape(name)
  return core.shape(self._client, name)
end

methods.check("service_model", model_mt, Model)

return service_model
