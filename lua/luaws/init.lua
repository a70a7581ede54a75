--- luaws: AWS for Lua.
---
---     local aws = require "luaws"
---     local ec2 = aws.client("ec2", { region_name = "us-east-1" })
---     for _, r in ipairs(ec2:describe_instances{}.Reservations) do print(r.ReservationId) end
local core = require("luaws.core")

local aws = {
  version = core.version,
  null = core.null,
  list = core.list,
  map = core.map,
  file = core.file,
  event_writer = core.event_writer,
  --- The signature_version that sends no credentials.
  UNSIGNED = "unsigned",
}

local default_session

--- Makes a session: where credentials, region and settings come from.
---@param opts table|nil aws_access_key_id, aws_secret_access_key, aws_session_token, aws_account_id,
---  region_name, profile_name, data_path
---@return table session
function aws.session(opts)
  return require("luaws.session").new(opts)
end

--- Replaces the session that aws.client and aws.resource use.
---@param opts table|nil as for aws.session
function aws.setup_default_session(opts)
  default_session = aws.session(opts)
end

--- The session that aws.client and aws.resource use, made when first asked for.
---@return table session
function aws.default_session()
  if not default_session then
    aws.setup_default_session()
  end
  return default_session
end

--- A client of the default session.
---@param name string "ec2", "s3", …
---@param opts table|nil region_name, endpoint_url, config, …
function aws.client(name, opts)
  return aws.default_session():client(name, opts)
end

--- A resource of the default session.
---@param name string "ec2", "s3", "dynamodb", …
---@param opts table|nil as for aws.client
function aws.resource(name, opts)
  return aws.default_session():resource(name, opts)
end

local LEVELS = { debug = true, info = true, warning = true, error = true, off = true }

--- Prints the log of the core to stderr.
---@param name string|nil which part; "" or nil for all
---@param level string|nil "debug", "info", "warning", "error", or "off"
function aws.set_stream_logger(name, level)
  if level ~= nil and not LEVELS[level] then
    require("luaws.errors").raise("ValueError", "set_stream_logger: the level is debug, info, warning, "
      .. "error or off, not %s", tostring(level))
  end
  core.set_log(name or "", level or "debug", nil)
end

-- Modules that are loaded when first touched: a script pays for what it uses.
local LAZY = {
  async = "luaws.async",
  jmespath = "luaws.jmespath",
  pretty = "luaws.pretty",
  dynamodb = "luaws.dynamodb",
  stubber = "luaws.stubber",
  errors = "luaws.errors",
  cloudfront_signer = "luaws.cloudfront_signer",
  progress = "luaws.progress",
}

return setmetatable(aws, {
  __name = "luaws",
  __index = function(self, name)
    local module = LAZY[name]
    if module then
      local value = require(module)
      rawset(self, name, value)
      return value
    end
    local known = {}
    for _, names in ipairs { aws, LAZY } do
      for other in next, names do
        known[other] = true
      end
    end
    return require("luaws.nearest").no_such("aws", known)(self, name)
  end,
})
