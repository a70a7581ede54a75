-- The providers of credentials that ask somebody: how a machine is set up for each, and what it is answered.
--
--   local w <close>, session = providers.machine("sso", peer.url)
--   peer:reply(table.unpack(providers.all.sso.replies("new", w.now + 3600, w.now)))
--   session:get_credentials().access_key  --> "AK-new"
local cjson = require("cjson")
local child = require("spec.support.child")
local machine = require("spec.support.machine")

local NOW, iso, write = machine.NOW, machine.iso, machine.write

local function digest(program, text)
  return (child.output{ "sh", "-c", 'printf %s "$1" | "$2"', "sh", text, program }:match("^%x+"))
end

--- What a container's and an instance's endpoint answer.
local function keys(name, expiry)
  return cjson.encode{ AccessKeyId = "AK-" .. name, SecretAccessKey = "SECRET-" .. name,
    Token = "TOKEN-" .. name, Expiration = iso(expiry) }
end

local providers = {}

-- Of each: the text of ~/.aws/config, what else to prepare, and the replies to the requests of one renewal.
providers.all = {
  ["container-role"] = {
    prepare = function(w, url)
      w.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = url
    end,
    replies = function(name, expiry)
      return { { body = keys(name, expiry), delay = 0.05 } }
    end,
  },
  ["iam-role"] = {
    prepare = function(w, url)
      w.env.AWS_EC2_METADATA_DISABLED = "false"
      w.env.AWS_EC2_METADATA_SERVICE_ENDPOINT = url
    end,
    replies = function(name, expiry)
      return { { body = "the-token", delay = 0.05 }, { body = "role" }, { body = keys(name, expiry) } }
    end,
  },
  ["assume-role"] = {
    config = machine.BASE .. "[profile p]\nrole_arn = arn:aws:iam::1:role/p\nsource_profile = base\n",
    replies = function(name, expiry)
      return { machine.sts_answer("AssumeRole", name, { expiry = expiry, delay = 0.05 }) }
    end,
  },
  ["assume-role-with-web-identity"] = {
    prepare = function(w)
      write(w.home .. "/token", "the-web-identity")
      write(w.home .. "/.aws/config", "[profile p]\nrole_arn = arn:aws:iam::1:role/p\n"
        .. "web_identity_token_file = " .. w.home .. "/token\n")
    end,
    replies = function(name, expiry)
      return { machine.sts_answer("AssumeRoleWithWebIdentity", name, { expiry = expiry, delay = 0.05 }) }
    end,
  },
  sso = {
    config = "[profile p]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = Dev\n"
      .. "[sso-session corp]\nsso_start_url = https://corp/start\nsso_region = eu-central-1\n",
    prepare = function(w) -- the token ends as well, each time
      write(w.home .. "/.aws/sso/cache/" .. digest("sha1sum", "corp") .. ".json", cjson.encode{
        accessToken = "t", expiresAt = iso(NOW), clientId = "i", clientSecret = "s", refreshToken = "r",
        registrationExpiresAt = iso(NOW + 10 ^ 6) })
    end,
    replies = function(name, expiry)
      return { { target = "/token$", body = '{"accessToken":"t","expiresIn":1800}', delay = 0.05 },
        { target = "/federation/", delay = 0.05, body = cjson.encode{ roleCredentials = {
          accessKeyId = "AK-" .. name, secretAccessKey = "SECRET-" .. name, sessionToken = "TOKEN-" .. name,
          expiration = expiry * 1000 } } } }
    end,
  },
  login = {
    config = "[profile p]\nlogin_session = me\n",
    prepare = function(w)
      write(w.home .. "/.aws/login/cache/" .. digest("sha256sum", "me") .. ".json", cjson.encode{
        clientId = "c", refreshToken = "r",
        dpopKey = child.output{ "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout" },
        accessToken = { accessKeyId = "AK-0", secretAccessKey = "SECRET-0", sessionToken = "TOKEN-0",
          accountId = "1", expiresAt = iso(NOW - 10) } })
    end,
    replies = function(name, expiry, now)
      return { { delay = 0.05, body = cjson.encode{ accessToken = { accessKeyId = "AK-" .. name,
        secretAccessKey = "SECRET-" .. name, sessionToken = "TOKEN-" .. name }, tokenType = "aws_sigv4",
        expiresIn = expiry - now, refreshToken = "r" } } }
    end,
  },
}

--- A machine on which one of them is set up, and a session there.
---@param method string
---@param url string of who answers
---@return table machine, table session
function providers.machine(method, url)
  local provider = providers.all[method]
  local w = machine.new(provider.config)
  for _, service in ipairs{ "STS", "SSO", "SSO_OIDC", "SIGNIN" } do
    w.env["AWS_ENDPOINT_URL_" .. service] = url
  end
  if provider.prepare then
    provider.prepare(w, url)
  end
  local in_files = provider.config or method:find("web", 1, true)
  return w, w.session{ profile_name = in_files and "p" or nil }
end

return providers
