--- Sessions: where clients get their credentials, region and settings from.
---
---     local session = aws.session{ profile_name = "dev", region_name = "eu-west-1" }
---     local s3 = session:client("s3")
local core = require("luaws.core")
local errors = require("luaws.errors")

local session = {}

local Session = {}
local session_mt = { __name = "luaws.session" }

local OPTIONS = {
  aws_access_key_id = "string", aws_secret_access_key = "string", aws_session_token = "string",
  aws_account_id = "string", region_name = "string", profile_name = "string", data_path = "string",
  mfa_prompt = "function", credential_cache = "string",
}
local CLIENT_OPTIONS = {
  region_name = "string", api_version = "string", use_ssl = "boolean", verify = "any",
  endpoint_url = "string",
  aws_access_key_id = "string", aws_secret_access_key = "string", aws_session_token = "string",
  aws_account_id = "string", config = "table",
}

local function check_options(what, opts, known)
  if opts == nil then
    return {}
  end
  if type(opts) ~= "table" then
    errors.raise("TypeError", "%s takes its options in a table, not a %s", what, type(opts))
  end
  for name, value in pairs(opts) do
    local wanted = known[name]
    if not wanted and not (type(name) == "string" and name:sub(1, 1) == "_") then
      local names = {}
      for option in pairs(known) do
        names[#names + 1] = option
      end
      errors.raise("TypeError", "%s: %s", what, require("luaws.nearest").message(tostring(name), names))
    end
    if wanted and wanted ~= "any" and type(value) ~= wanted and value ~= core.null then
      errors.raise("TypeError", "%s: %s must be a %s, not a %s", what, name, wanted, type(value))
    end
  end
  return opts
end

-- A prompt is run as a task, which hands what it returns to the core.
local function with_prompt(opts)
  local prompt = opts.mfa_prompt
  if type(prompt) ~= "function" then
    return opts
  end
  local copy = {}
  for name, value in pairs(opts) do
    copy[name] = value
  end
  require("luaws.async")
  function copy.mfa_prompt(take, serial)
    take(prompt(serial))
  end
  return copy
end

--- Makes a session. Nothing is read before it is needed, but that a profile that is named must exist.
---@param opts table|nil see aws.session
---@return table
function session.new(opts)
  opts = with_prompt(check_options("session", opts, OPTIONS))
  -- A session's own fields: _core, the C side; _client_defaults, options of every client (the shell's flags).
  return setmetatable({ _core = core.session(opts), _client_defaults = nil, _events = nil }, session_mt)
end

local FIELDS = {}

function FIELDS:region_name()
  return self._core:config_variable("region")
end

function FIELDS:profile_name()
  return self._core:profile_name()
end

function FIELDS:available_profiles()
  local names = {}
  for name in pairs(self._core:full_config().profiles) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

function FIELDS:full_config()
  return self._core:full_config()
end

function FIELDS:events()
  local emitter = rawget(self, "_events") or require("luaws.events").new()
  rawset(self, "_events", emitter)
  return emitter
end

function session_mt:__index(name)
  local method = Session[name]
  if method then
    return method
  end
  local field = FIELDS[name]
  if field then
    return field(self)
  end
  if type(name) == "string" and name:sub(1, 1) ~= "_" then
    local names = {}
    for _, all in ipairs{ Session, FIELDS } do
      for known in pairs(all) do
        names[#names + 1] = known
      end
    end
    errors.raise("AttributeError", "session has %s", require("luaws.nearest").message(name, names))
  end
end

function session_mt:__tostring()
  return ("Session(region_name=%s)"):format(self.region_name and "'" .. self.region_name .. "'" or "nil")
end

local function with_defaults(self, opts)
  local defaults = rawget(self, "_client_defaults")
  if not defaults then
    return opts
  end
  local merged = {}
  for name, value in pairs(defaults) do
    merged[name] = value
  end
  for name, value in pairs(opts) do
    merged[name] = value
  end
  if defaults.config and opts.config then
    merged.config = {}
    for _, config in ipairs({ defaults.config, opts.config }) do
      for name, value in pairs(config) do
        merged.config[name] = value
      end
    end
  end
  return merged
end

--- The config table that all clients of this session begin with; nil when there is none.
function Session:get_default_client_config()
  local defaults = rawget(self, "_client_defaults")
  return defaults and defaults.config
end

--- Gives all clients that are made from now on a config table; a key of a client's own replaces that of this
--- one, with all that is below it.
---@param config table|nil the keys of botocore.config.Config
function Session:set_default_client_config(config)
  if config ~= nil and type(config) ~= "table" then
    errors.raise("TypeError", "set_default_client_config takes a table, not a %s", type(config))
  end
  local defaults, copy = rawget(self, "_client_defaults") or {}, config and {}
  for name, value in pairs(config or {}) do
    copy[name] = value
  end
  defaults.config = copy
  rawset(self, "_client_defaults", defaults)
end

-- Handlers of choose-service-name may open another service under this name.
local function renamed(self, name)
  local emitter = rawget(self, "_events")
  if not emitter then
    return name
  end
  local answers = emitter:emit("choose-service-name", { service_name = name })
  return require("luaws.events").first_non_none_response(answers, name)
end

--- Makes a client.
---@param name string the service: "ec2"
---@param opts table|nil region_name, api_version, use_ssl, verify, endpoint_url, aws_access_key_id,
---  aws_secret_access_key, aws_session_token, aws_account_id, config
function Session:client(name, opts)
  if type(name) ~= "string" then
    errors.raise("TypeError", "client() takes the name of a service, not a %s", type(name))
  end
  opts = check_options("client", opts, CLIENT_OPTIONS)
  return require("luaws.client").new(self, renamed(self, name), with_defaults(self, opts))
end

--- Makes a service resource: the objects of a service, above its operations.
---@param name string "ec2", "s3", "dynamodb", …
---@param opts table|nil as for client
function Session:resource(name, opts)
  opts = check_options("resource", opts, CLIENT_OPTIONS)
  return require("luaws.resource").open(self, name, opts)
end

--- The credentials of this session, an object that stays the same and is always up to date (see
--- luaws.live_credentials); nil when there are none. Those of roles and SSO are asked for when first read.
---@return table|nil method; access_key, secret_key, token, account_id, expiry; get_frozen_credentials()
function Session:get_credentials()
  local found = rawget(self, "_credentials")
  if not found then
    local method = self._core:credentials_method()
    found = rawget(self, "_credentials") -- from another task, meanwhile
      or method and require("luaws.live_credentials").new(self._core, method)
    rawset(self, "_credentials", found)
  end
  return found
end

--- What this session goes by, and why: every setting and where it comes from, and how the search for
--- credentials went; see luaws.explain. Nothing secret is in it.
---@param service string|nil also what a client of it goes by that is made with opts
---@param opts table|nil as for client
---@return table
function Session:explain(service, opts)
  return require("luaws.explain").session(self, service, opts)
end

--- The token of this session for services that take one in place of a signature; nil when there is none. It
--- stays the same object, renewed when that is due.
---@param opts table|nil signing_name: asks for AWS_BEARER_TOKEN_<SIGNING_NAME>, too
---@return table|nil method; token, expiration; get_frozen_token()
function Session:get_auth_token(opts)
  local live = require("luaws.live_credentials")
  local name = opts and opts.signing_name
  local of_service = name and live.environment_token(self._core, name)
  local found = rawget(self, "_auth_token")
  if of_service and live.is_first(self._core, "env") then
    return of_service
  end
  if not found then
    local method = self._core:auth_token_method()
    found = rawget(self, "_auth_token") or method and live.token(self._core, method)
    rawset(self, "_auth_token", found)
  end
  if of_service and not (found and live.is_first(self._core, found.method, "env")) then
    return of_service
  end
  return found
end

--- A part of the session that can be changed: "credential_provider", the row of places where credentials are
--- looked for, or "token_provider", the same for bearer tokens (luaws.credentials).
---@param name string
function Session:get_component(name)
  if name ~= "credential_provider" and name ~= "token_provider" then
    errors.raise("ValueError", "Unknown component: %s", tostring(name))
  end
  local components = rawget(self, "_components") or {}
  rawset(self, "_components", components)
  components[name] = components[name] or require("luaws.credentials").chain(self, name)
  return components[name]
end

--- The names of all services there is a model of.
function Session:get_available_services()
  return core.model_services(self._core, "service")
end

--- The names of the services that have resources.
function Session:get_available_resources()
  return core.model_services(self._core, "resources")
end

--- A setting, from wherever it comes: get_config_variable("region"). docs/settings.md has them all.
---@param name string
---@param methods string[]|nil the only places to look in: "instance" (code), "env", "config" (the files).
---  What is found nowhere has its default
function Session:get_config_variable(name, methods)
  return self._core:config_variable(name, methods)
end

--- Sets a setting in code, over everything else, for what is made from now on: clients and resources of this
--- session.
---@param name string
---@param value string|number|boolean|nil nil takes it back
function Session:set_config_variable(name, value)
  self._core:set_config_variable(name, value)
end

--- Runs the endpoint rules of a service on exactly these parameters.
---@param service string
---@param params table { Region = "us-east-1", UseFIPS = false, … }
---@return table { url, properties, headers }
function Session:resolve_endpoint(service, params)
  if type(service) ~= "string" then
    errors.raise("TypeError", "resolve_endpoint takes the name of a service, not a %s", type(service))
  end
  return self._core:resolve_endpoint(service, params or {})
end

--- Signs any HTTP request with the credentials of this session; see luaws.sign_request.
---@param request table { method, url, headers, body }
---@param opts table { service, region, … }
---@return table a new request
function Session:sign_request(request, opts)
  return require("luaws.sign_request")(self, request, opts)
end

--- The names of all partitions ("aws", "aws-cn", …).
function Session:get_available_partitions()
  return require("luaws.regions").partitions(self)
end

--- The regions that a service is known to be in.
---@param service string
---@param opts table|nil { partition = "aws", allow_non_regional = false }
function Session:get_available_regions(service, opts)
  return require("luaws.regions").of_service(self, service, opts or {})
end

--- The partition that a region belongs to; UnknownRegionError when it belongs to none.
---@param region string
function Session:get_partition_for_region(region)
  return require("luaws.regions").partition(self, region)
end

require("luaws.methods").check("session", session_mt, Session)

return session
