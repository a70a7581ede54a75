--- Presigned URLs: a request signed now, to be made later by whoever has the URL.
local core = require("luaws.core")
local errors = require("luaws.errors")

local presign = {}

local DEFAULT_EXPIRES_S = 3600
local OPTIONS = { Params = true, ExpiresIn = true, HttpMethod = true }

--- The URL of one call of a client's method.
---@param client userdata
---@param method string "get_object"
---@param opts table|nil { Params, ExpiresIn = 3600, HttpMethod }
---@return string
function presign.url(client, method, opts)
  opts = opts or {}
  for name in pairs(opts) do
    if not OPTIONS[name] then
      errors.raise("TypeError", "generate_presigned_url: %s", require("luaws.nearest").message(tostring(name),
        { "Params", "ExpiresIn", "HttpMethod" }))
    end
  end
  local operation = type(method) == "string" and core.operation_name(client, method)
  if not operation then
    errors.raise("UnknownClientMethodError", "Client does not have method: %s", tostring(method))
  end
  local expires = opts.ExpiresIn or DEFAULT_EXPIRES_S
  if math.type(expires) ~= "integer" or expires < 1 then
    errors.raise("ValueError", "ExpiresIn must be a positive number of whole seconds, not %s",
      tostring(expires))
  end
  local params, context, stages = require("luaws.hooks").asked_params(client, operation, opts.Params or {})
  return core.presign(client, operation, params, expires, opts.HttpMethod, context, stages)
end

return presign
