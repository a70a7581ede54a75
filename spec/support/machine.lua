-- A machine for specs about sessions: a home folder, an environment and a clock of its own.
--
--   local w <close> = machine.new("[profile dev]\nregion = x\n", { AWS_PROFILE = "dev" })
--   local session = w.session{ profile_name = "dev" }
--   w.now = machine.NOW + 60
local aws = require("luaws")
local child = require("spec.support.child")

local machine = { NOW = 1700000000 } -- 2023-11-14T22:13:20Z

--- Writes a file.
---@param path string
---@param text string
function machine.write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

--- Reads one.
---@param path string
---@return string
function machine.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return (file:read("a"))
end

machine.raised = require("spec.support.raised")

--- The keys of a session, asked for now; nil when it has none.
function machine.keys(session)
  local credentials = session:get_credentials()
  return credentials and credentials:get_frozen_credentials()
end

--- A point in time as AWS writes it.
---@param seconds integer
function machine.iso(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds)
end

--- Makes one. Its instance metadata service is switched off unless env says otherwise, and waited for longer
--- than by default: a second is short where many processes run.
---@param config? string the text of ~/.aws/config
---@param env? table<string, string> the whole environment
---@return table machine with `home`, `env`, `now` and `session(opts)`; `<close>` removes its files
function machine.new(config, env)
  local home = child.output({ "mktemp", "-d" }):gsub("\n$", "")
  child.output({ "mkdir", "-p", home .. "/.aws/sso/cache", home .. "/.aws/login/cache" })
  local w = { home = home, now = machine.NOW, env = env or {} }
  w.env.AWS_EC2_METADATA_DISABLED = w.env.AWS_EC2_METADATA_DISABLED or "true"
  w.env.AWS_METADATA_SERVICE_TIMEOUT = w.env.AWS_METADATA_SERVICE_TIMEOUT or "30"
  if config then
    machine.write(home .. "/.aws/config", config)
  end
  function w.session(opts)
    local function clock()
      return w.now
    end
    local all = { _env = w.env, _home = home, _clock = clock }
    all.region_name = not w.env.AWS_DEFAULT_REGION and "eu-west-1" or nil
    for name, value in pairs(opts or {}) do
      all[name] = value
    end
    return aws.session(all)
  end
  return setmetatable(w, { __close = function()
    child.output({ "rm", "-rf", home })
  end })
end

--- What STS answers to AssumeRole and AssumeRoleWithWebIdentity.
---@param operation string
---@param name string of the role: the keys are made of it
---@param opts? table expiry, and anything a reply of the spec's server has
function machine.sts_answer(operation, name, opts)
  local reply = { headers = { ["Content-Type"] = "text/xml" } }
  for key, value in pairs(opts or {}) do
    reply[key] = value
  end
  reply.body = ([[<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%sResult>
    <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/%s/s</Arn>
    <AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>
    <Credentials><AccessKeyId>AK-%s</AccessKeyId><SecretAccessKey>SECRET-%s</SecretAccessKey>
    <SessionToken>TOKEN-%s</SessionToken><Expiration>%s</Expiration></Credentials>
    </%sResult></%sResponse>]]):format(operation, operation, name, name, name, name,
    machine.iso(reply.expiry or machine.NOW + 3600), operation, operation)
  reply.expiry = nil
  return reply
end

--- A profile "base" with keys, and one "a" that is a role: of "base" unless more is said.
machine.BASE = "[profile base]\naws_access_key_id = AKBASE\naws_secret_access_key = hush-base\n"
---@param more? string
function machine.role(more)
  return "[profile a]\nrole_arn = arn:aws:iam::1:role/a\n" .. (more or "source_profile = base\n")
end

return machine
