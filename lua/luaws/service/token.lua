--- Passwords that are presigned URLs, for databases that know IAM.
local core = require("luaws.core")
local errors = require("luaws.errors")

local token = {}

--- The arguments of a method that takes them in a row or in one table.
---@param method string
---@param names string[] in their order
---@param required integer how many of the first must be there
function token.options(method, names, required, first, ...)
  local opts = {}
  if type(first) == "table" then
    local known = {}
    for _, name in ipairs(names) do
      known[name] = true
    end
    for name, value in pairs(first) do
      if not known[name] then
        errors.raise("TypeError", "%s: %s", method, require("luaws.nearest").message(tostring(name), names))
      end
      opts[name] = value
    end
  else
    opts[names[1]] = first
    for i = 2, #names do
      opts[names[i]] = (select(i - 1, ...))
    end
  end
  for i = 1, required do
    if opts[names[i]] == nil then
      errors.raise("TypeError", "%s needs %s", method, names[i])
    end
  end
  return opts
end

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
    errors.raise("NoCredentialsError", "Unable to locate credentials")
  end
  local url = "https://" .. host .. "/?" .. table.concat(query, "&")
  local signed = core.sign(credentials, { method = "GET", url = url }, { service = service, presign = true,
    region = region or core.client_info(client).region_name, expires = expires,
    time = core.client_time(client) })
  return (signed.url:gsub("^https://", ""))
end

return token
