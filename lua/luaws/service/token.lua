--- Passwords that are presigned URLs, for databases that know IAM.
local core = require("luaws.core")
local errors = require("luaws.errors")

local token = {}

--- A presigned URL without its scheme.
---@param client userdata
---@param service string the name to sign for
---@param host string with a port, if any
---@param query string[] fields, encoded
---@param region string|nil the client's if nil
---@param expires integer seconds
function token.make(client, service, host, query, region, expires)
  local credentials = core.client_credentials(client)
  if not credentials then
    errors.no_credentials()
  end
  local url = "https://" .. host .. "/?" .. table.concat(query, "&")
  local signed = core.sign(credentials, { method = "GET", url = url }, { service = service, presign = true,
    region = region or core.client_info(client).region_name, expires = expires,
    time = core.client_time(client) })
  return host .. signed.url:match("^https://[^/]*(.*)$")
end

return token
