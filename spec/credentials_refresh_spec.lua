-- Credentials that end are renewed once, however many tasks need them: for every provider that renews.
local aws = require("luaws")
local cjson = require("cjson")
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local NOW, iso, write = machine.NOW, machine.iso, machine.write
local TASKS = 1000

local function digest(program, text)
  return (child.output{ "sh", "-c", 'printf %s "$1" | "$2"', "sh", text, program }:match("^%x+"))
end

--- What a container's and an instance's endpoint answer.
local function keys(name, expiry)
  return cjson.encode{ AccessKeyId = "AK-" .. name, SecretAccessKey = "SECRET-" .. name,
    Token = "TOKEN-" .. name, Expiration = iso(expiry) }
end

-- Of each: the text of ~/.aws/config, what else to prepare, and the replies to the requests of one renewal.
local PROVIDERS = {
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

describe("expired credentials", function()
  local peer
  setup(function()
    peer = server.start()
  end)
  teardown(function()
    peer:stop()
  end)

  --- What a thousand tasks find, each name with the number of those that found it.
  local function found_by_tasks(session)
    local items, found = {}, {}
    for i = 1, TASKS do
      items[i] = i
    end
    aws.async.map(items, function()
      local k = machine.keys(session)
      local all = table.concat({ k.access_key, k.secret_key, k.token }, " ")
      found[all] = (found[all] or 0) + 1
    end, { concurrency = TASKS })
    return found
  end

  for method, provider in pairs(PROVIDERS) do
    it("of " .. method .. " are renewed once by 1,000 tasks", function()
      local w <close> = machine.new(provider.config)
      for _, service in ipairs{ "STS", "SSO", "SSO_OIDC", "SIGNIN" } do
        w.env["AWS_ENDPOINT_URL_" .. service] = peer.url
      end
      if provider.prepare then
        provider.prepare(w, peer.url)
      end
      local in_files = provider.config or method:find("web", 1, true)
      local session = w.session{ profile_name = in_files and "p" or nil }
      for round = 1, 3 do
        w.now = NOW + 7200 * round
        peer:clear()
        local replies = provider.replies(tostring(round), w.now + 3600, w.now)
        peer:reply(table.unpack(replies))
        local name = ("AK-%d SECRET-%d TOKEN-%d"):format(round, round, round)
        assert.same({ [name] = TASKS }, found_by_tasks(session))
        assert.equal(#replies, #peer:requests())
        assert.equal(method, session:get_credentials().method)
      end
    end)
  end

  it("of the environment are read again, the same by 1,000 tasks", function()
    local w <close> = machine.new()
    local session = w.session()
    for round = 1, 3 do
      w.now = NOW + 7200 * round
      w.env.AWS_ACCESS_KEY_ID, w.env.AWS_SECRET_ACCESS_KEY = "AK-" .. round, "SECRET-" .. round
      w.env.AWS_SESSION_TOKEN, w.env.AWS_CREDENTIAL_EXPIRATION = "TOKEN-" .. round, iso(w.now + 3600)
      local name = ("AK-%d SECRET-%d TOKEN-%d"):format(round, round, round)
      assert.same({ [name] = TASKS }, found_by_tasks(session))
    end
    w.now, w.env.AWS_CREDENTIAL_EXPIRATION = w.now + 7200, nil
    local err = machine.raised(machine.keys, session)
    assert.same({ "PartialCredentialsError",
      "Partial credentials found in env, missing: AWS_CREDENTIAL_EXPIRATION" }, { err.kind, err.message })
  end)
end)
