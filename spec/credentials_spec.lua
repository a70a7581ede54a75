-- Where credentials come from: each provider against a live server on this machine.
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")
local server = require("spec.support.server")

local NOW = 1700000000 -- 2023-11-14T22:13:20Z
local BASE = "[profile base]\naws_access_key_id = AKBASE\naws_secret_access_key = hush-base\n"

--- A profile "a" that is a role, of the profile "base" unless more is said.
local function role(more)
  return "[profile a]\nrole_arn = arn:aws:iam::1:role/a\n" .. (more or "source_profile = base\n")
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end


local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local function iso(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds)
end

--- What STS answers to AssumeRole and AssumeRoleWithWebIdentity.
local function sts_answer(operation, name, opts)
  opts = opts or {}
  return {
    body = ([[<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%sResult>
      <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/%s/s</Arn>
      <AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>
      <Credentials><AccessKeyId>AK-%s</AccessKeyId><SecretAccessKey>SECRET-%s</SecretAccessKey>
      <SessionToken>TOKEN-%s</SessionToken><Expiration>%s</Expiration></Credentials>
      </%sResult></%sResponse>]]):format(operation, operation, name, name, name, name,
      iso(opts.expiry or NOW + 3600), operation, operation),
    headers = { ["Content-Type"] = "text/xml" }, times = opts.times, always = opts.always,
    delay = opts.delay,
  }
end

local function sts_error(code)
  return { status = 403, headers = { ["Content-Type"] = "text/xml" },
    body = "<ErrorResponse><Error><Code>" .. code
      .. "</Code><Message>no way</Message></Error></ErrorResponse>" }
end

local function form(request)
  local fields = {}
  for name, value in request.body:gmatch("([^&=]+)=([^&]*)") do
    fields[name] = value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  end
  return fields
end

--- A machine of its own: a home folder, an environment, a clock.
local function world(config, env)
  local home = os.tmpname()
  os.remove(home)
  os.execute("mkdir -p " .. home .. "/.aws")
  local w = { home = home, now = NOW, env = env or {} }
  w.env.AWS_EC2_METADATA_DISABLED = w.env.AWS_EC2_METADATA_DISABLED or "true"
  if config then
    write(home .. "/.aws/config", config)
  end
  function w.session(opts)
    local all = { _env = w.env, _home = home, region_name = "eu-west-1", _clock = function()
      return w.now
    end }
    for name, value in pairs(opts or {}) do
      all[name] = value
    end
    return aws.session(all)
  end
  return setmetatable(w, { __close = function() os.execute("rm -rf " .. home) end })
end

describe("credentials", function()
  local peer
  setup(function()
    peer = server.start()
  end)
  before_each(function()
    peer:clear()
  end)
  teardown(function()
    peer:stop()
  end)

  local function sts_world(config, env)
    env = env or {}
    env.AWS_ENDPOINT_URL_STS = peer.url
    return world(config, env)
  end

  describe("of an assumed role", function()
    it("come from STS, asked with those of the source profile", function()
      local w <close> = sts_world(BASE .. [[
[profile dev]
role_arn = arn:aws:iam::123456789012:role/dev
source_profile = base
role_session_name = me
external_id = ext
duration_seconds = 900
]])
      peer:reply(sts_answer("AssumeRole", "dev"))
      local found = w.session{ profile_name = "dev" }:get_credentials()
      assert.same({ "AK-dev", "SECRET-dev", "TOKEN-dev", "123456789012", "assume-role", NOW + 3600 },
        { found.access_key, found.secret_key, found.token, found.account_id, found.method, found.expiry })
      local request = peer:last()
      assert.same({ Action = "AssumeRole", Version = "2011-06-15",
        RoleArn = "arn:aws:iam::123456789012:role/dev", RoleSessionName = "me", ExternalId = "ext",
        DurationSeconds = "900" }, form(request))
      assert.matches("Credential=AKBASE/20231114/eu%-west%-1/sts/", request.headers.authorization)
    end)

    it("have a session name that says when, where none is configured", function()
      local w <close> = sts_world(BASE .. role() .. "duration_seconds = soon\n")
      peer:reply(sts_answer("AssumeRole", "dev"))
      w.session{ profile_name = "a" }:get_credentials()
      local fields = form(peer:last())
      assert.equal("luaws-session-1700000000", fields.RoleSessionName)
      assert.is_nil(fields.DurationSeconds)
    end)

    it("come through a row of roles, the last one first", function()
      local w <close> = sts_world(BASE .. [[
[profile a]
role_arn = arn:aws:iam::1:role/a
source_profile = b
[profile b]
role_arn = arn:aws:iam::1:role/b
source_profile = base
]])
      peer:reply(sts_answer("AssumeRole", "b"), sts_answer("AssumeRole", "a"))
      local session = w.session{ profile_name = "a" }
      assert.equal("AK-a", session:get_credentials().access_key)
      local requests = peer:requests()
      assert.equal(2, #requests)
      assert.matches("Credential=AKBASE/", requests[1].headers.authorization)
      assert.matches("Credential=AK%-b/", requests[2].headers.authorization)
      assert.equal("TOKEN-b", requests[2].headers["x-amz-security-token"])
    end)

    it("are asked for once, and again only when they come near their end", function()
      local w <close> = sts_world(BASE .. [[
[profile a]
role_arn = arn:aws:iam::1:role/a
source_profile = b
[profile b]
role_arn = arn:aws:iam::1:role/b
source_profile = base
]])
      peer:reply(sts_answer("AssumeRole", "b", { expiry = NOW + 7200 }), sts_answer("AssumeRole", "a1"),
        sts_answer("AssumeRole", "a2", { expiry = NOW + 7000 }))
      local session = w.session{ profile_name = "a" }
      assert.equal("AK-a1", session:get_credentials().access_key)
      w.now = NOW + 2600
      assert.equal("AK-a1", session:get_credentials().access_key)
      assert.equal(2, #peer:requests())
      w.now = NOW + 3100 -- 500 s left: the role in the middle is still good
      assert.equal("AK-a2", session:get_credentials().access_key)
      assert.equal(3, #peer:requests())
    end)

    it("stay as they are when a refresh that could wait fails", function()
      local w <close> = sts_world(BASE .. role())
      peer:reply(sts_answer("AssumeRole", "a"), sts_error("AccessDenied"), sts_error("AccessDenied"),
        sts_error("AccessDenied"))
      local session = w.session{ profile_name = "a" }
      session:get_credentials()
      w.now = NOW + 2800 -- 800 s left: ahead of time
      for _ = 1, 3 do
        assert.equal("AK-a", session:get_credentials().access_key)
        aws.async.sleep(0.05)
      end
      assert.is_true(#peer:requests() >= 2)
      w.now = NOW + 3300 -- 300 s left: now it must be
      peer:reply(sts_error("AccessDenied"))
      local err = raised(session.get_credentials, session)
      assert.equal("ClientError", err.kind)
      assert.equal("An error occurred (AccessDenied) when calling the AssumeRole operation: no way",
        tostring(err))
    end)

    it("may come from keys in the same profile", function()
      local w <close> = sts_world("[profile self]\naws_access_key_id = AKSELF\naws_secret_access_key = hush\n"
        .. "role_arn = arn:aws:iam::1:role/self\nsource_profile = self\n")
      peer:reply(sts_answer("AssumeRole", "self"))
      assert.equal("AK-self", w.session{ profile_name = "self" }:get_credentials().access_key)
      assert.matches("Credential=AKSELF/", peer:last().headers.authorization)
    end)

    it("may come from the environment by credential_source, even for a profile named in code", function()
      local w <close> = sts_world(role("credential_source = Environment\n"), {
        AWS_ACCESS_KEY_ID = "AKENV", AWS_SECRET_ACCESS_KEY = "hush", AWS_SESSION_TOKEN = "env-token",
      })
      peer:reply(sts_answer("AssumeRole", "env"))
      assert.equal("AK-env", w.session{ profile_name = "a" }:get_credentials().access_key)
      assert.matches("Credential=AKENV/", peer:last().headers.authorization)
      assert.equal("env-token", peer:last().headers["x-amz-security-token"])
    end)

    it("are refused where the profiles make no sense", function()
      local LOOP = "Infinite loop in credential configuration detected. Attempting to load from profile x "
        .. "which has already been visited. Visited profiles: "
      local cases = {
        { "role_arn = r\n", "PartialCredentialsError",
          "Partial credentials found in assume-role, missing: source_profile or credential_source" },
        { "role_arn = r\nsource_profile = base\ncredential_source = Environment\n", "InvalidConfigError",
          'The profile "x" contains both source_profile and credential_source.' },
        { "role_arn = r\ncredential_source = Moon\n", "InvalidConfigError",
          'The credential source "Moon" referenced in profile "x" is not valid.' },
        { "role_arn = r\nsource_profile = nobody\n", "InvalidConfigError",
          'The source_profile "nobody" referenced in the profile "x" does not exist.' },
        { "role_arn = r\nsource_profile = empty\n[profile empty]\nregion = x\n", "InvalidConfigError",
          'The source profile "empty" must have credentials.' },
        { "role_arn = r\ncredential_source = Environment\n", "CredentialRetrievalError",
          "Error when retrieving credentials from Environment: No credentials found in credential_source "
            .. "referenced in profile x" },
        { "role_arn = r\nsource_profile = x\n", "InfiniteLoopConfigError",
          LOOP .. "['x']" },
        { "role_arn = r\nsource_profile = y\n[profile y]\nrole_arn = s\nsource_profile = x\n",
          "InfiniteLoopConfigError", LOOP .. "['x', 'y']" },
      }
      for _, case in ipairs(cases) do
        local w <close> = sts_world(BASE .. "[profile x]\n" .. case[1])
        local session = w.session{ profile_name = "x" }
        local err = raised(session.get_credentials, session)
        assert.same({ case[2], case[3] }, { err.kind, err.message })
      end
      assert.same({}, peer:requests())
    end)

    describe("with MFA", function()
      local CONFIG = BASE .. "[profile m]\nrole_arn = arn:aws:iam::1:role/m\nsource_profile = base\n"
        .. "mfa_serial = arn:aws:iam::1:mfa/me\n"

      it("send the code that the session's prompt gives", function()
        local w <close> = sts_world(CONFIG)
        local asked = {}
        peer:reply(sts_answer("AssumeRole", "m"))
        local session = w.session{ profile_name = "m", mfa_prompt = function(serial)
          asked[#asked + 1] = serial
          return "123456"
        end }
        assert.equal("AK-m", session:get_credentials().access_key)
        assert.same({ "arn:aws:iam::1:mfa/me" }, asked)
        local fields = form(peer:last())
        assert.same({ "arn:aws:iam::1:mfa/me", "123456" }, { fields.SerialNumber, fields.TokenCode })
      end)

      it("are never asked for twice", function()
        local w <close> = sts_world(CONFIG)
        peer:reply(sts_answer("AssumeRole", "m"))
        local session = w.session{ profile_name = "m", mfa_prompt = function() return "123456" end }
        session:get_credentials()
        w.now = NOW + 3601
        assert.equal("RefreshWithMFAUnsupportedError", raised(session.get_credentials, session).kind)
      end)

      it("need somebody to ask", function()
        local w <close> = sts_world(CONFIG)
        for _, case in ipairs{
          { nil, "there is nobody to ask" },
          { function() error("gone fishing") end, "gone fishing" },
          { function() return nil end, "mfa_prompt returned a nil instead of a code" },
        } do
          local session = w.session{ profile_name = "m", mfa_prompt = case[1] }
          local err = raised(session.get_credentials, session)
          assert.equal("CredentialRetrievalError", err.kind)
          assert.matches(case[2], err.message, 1, true)
        end
        assert.same({}, peer:requests())
      end)
    end)

    it("are asked for in the region of the first client, at AWS_ENDPOINT_URL", function()
      local w <close> = world(BASE .. role(),
        { AWS_ENDPOINT_URL = peer.url })
      peer:reply(sts_answer("AssumeRole", "a"), { body = '{"QueueUrls":[]}' })
      local session = w.session{ profile_name = "a", region_name = "us-west-2" }
      local sqs = session:client("sqs", { region_name = "ap-south-1" })
      session:client("sqs", { region_name = "sa-east-1" })
      sqs:list_queues()
      local requests = peer:requests()
      assert.matches("/ap%-south%-1/sts/", requests[1].headers.authorization)
      assert.matches("Credential=AK%-a/%d+/ap%-south%-1/sqs/", requests[2].headers.authorization)
    end)

    it("are fetched once for any number of tasks", function()
      local w <close> = sts_world(BASE .. role())
      peer:reply(sts_answer("AssumeRole", "a1", { expiry = NOW + 3600 }),
        sts_answer("AssumeRole", "a2", { expiry = NOW + 9000, delay = 0.1 }))
      local session = w.session{ profile_name = "a" }
      session:get_credentials()
      w.now = NOW + 4000 -- expired
      local found = {}
      aws.async.run(function()
        local tasks = {}
        for i = 1, 1000 do
          tasks[i] = aws.async.spawn(function()
            found[i] = session:get_credentials().access_key
          end)
        end
        for _, task in ipairs(tasks) do
          task:await()
        end
      end)
      for i = 1, 1000 do
        assert.equal("AK-a2", found[i])
      end
      assert.equal(2, #peer:requests())
    end)

    it("end in an error that says what STS said, or did not say", function()
      local w <close> = sts_world(BASE .. role(),
        { AWS_MAX_ATTEMPTS = "1" })
      local cases = {
        { sts_error("AccessDenied"), "ClientError", "AccessDenied" },
        { { status = 503, body = "" }, "ClientError", "503" },
        { { body = "<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>" },
          "CredentialRetrievalError", "no AccessKeyId" },
        { { body = "this is no XML" }, "ResponseParserError", "" },
        { { reset = true }, "ConnectionClosedError", "" },
        { sts_answer("AssumeRole", "a", { expiry = NOW - 10, times = 2 }), "RuntimeError", "still expired" },
      }
      for _, case in ipairs(cases) do
        peer:reply(case[1])
        local session = w.session{ profile_name = "a" }
        local err = raised(session.get_credentials, session)
        assert.equal(case[2], err.kind, tostring(err))
        assert.matches(case[3], err.message, 1, true)
      end
    end)
  end)

  describe("of a web identity", function()
    it("come from STS, unsigned, with the token in the file as it is then", function()
      local w <close> = sts_world(nil, { AWS_ROLE_ARN = "arn:aws:iam::1:role/web",
        AWS_ROLE_SESSION_NAME = "pod" })
      w.env.AWS_WEB_IDENTITY_TOKEN_FILE = w.home .. "/token"
      write(w.home .. "/token", "the-first-token")
      peer:reply(sts_answer("AssumeRoleWithWebIdentity", "w1"),
        sts_answer("AssumeRoleWithWebIdentity", "w2", { expiry = NOW + 9000 }))
      local session = w.session()
      local found = session:get_credentials()
      assert.same({ "AK-w1", "assume-role-with-web-identity", "123456789012" },
        { found.access_key, found.method, found.account_id })
      local request = peer:last()
      assert.is_nil(request.headers.authorization)
      assert.same({ Action = "AssumeRoleWithWebIdentity", Version = "2011-06-15",
        RoleArn = "arn:aws:iam::1:role/web", RoleSessionName = "pod",
        WebIdentityToken = "the-first-token" }, form(request))
      write(w.home .. "/token", "the-second-token")
      w.now = NOW + 3600
      assert.equal("AK-w2", session:get_credentials().access_key)
      assert.equal("the-second-token", form(peer:last()).WebIdentityToken)
    end)

    it("are configured by the profile when it is named in code, else by the environment first", function()
      local w <close> = sts_world(nil, { AWS_ROLE_ARN = "arn:aws:iam::1:role/env" })
      write(w.home .. "/.aws/config", "[profile web]\nrole_arn = arn:aws:iam::1:role/profile\n"
        .. "web_identity_token_file = " .. w.home .. "/token\n")
      write(w.home .. "/token", "the-token")
      for _, case in ipairs{
        { "arn:aws:iam::1:role/env", nil, "web" }, { "arn:aws:iam::1:role/profile", "web", nil },
      } do
        w.env.AWS_PROFILE = case[3]
        peer:reply(sts_answer("AssumeRoleWithWebIdentity", "w"))
        w.session{ profile_name = case[2] }:get_credentials()
        assert.equal(case[1], form(peer:last()).RoleArn)
      end
    end)

    it("need a role and a file", function()
      local w <close> = sts_world(nil, { AWS_WEB_IDENTITY_TOKEN_FILE = "/nonexistent/token" })
      local session = w.session()
      assert.equal("InvalidConfigError", raised(session.get_credentials, session).kind)
      w.env.AWS_ROLE_ARN = "arn"
      local err = raised(session.get_credentials, session)
      assert.matches("/nonexistent/token: No such file", err.message, 1, true)
    end)

    it("can be the source of a role", function()
      local w <close> = sts_world()
      write(w.home .. "/.aws/config", "[profile web]\nrole_arn = arn:aws:iam::1:role/web\n"
        .. "web_identity_token_file = " .. w.home .. "/token\n" .. role("source_profile = web\n"))
      write(w.home .. "/token", "the-token")
      peer:reply(sts_answer("AssumeRoleWithWebIdentity", "w"), sts_answer("AssumeRole", "top"))
      assert.equal("AK-top", w.session{ profile_name = "a" }:get_credentials().access_key)
      assert.matches("Credential=AK%-w/", peer:last().headers.authorization)
    end)
  end)

  --- What a container's and an instance's endpoint answer.
  local function keys(name, opts)
    opts = opts or {}
    local body = '{"AccessKeyId":"AK-%s","SecretAccessKey":"SECRET-%s","Token":"TOKEN-%s",'
      .. '"Expiration":"%s"%s}'
    return { body = body:format(name, name, name, iso(opts.expiry or NOW + 3600), opts.more or "") }
  end

  describe("of a container", function()
    it("come from the address in AWS_CONTAINER_CREDENTIALS_FULL_URI", function()
      local w <close> = world(nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url .. "/creds?a=b",
        AWS_CONTAINER_AUTHORIZATION_TOKEN = "Bearer the-token" })
      peer:reply(keys("c", { more = ',"AccountId":"42"' }))
      local found = w.session():get_credentials()
      assert.same({ "AK-c", "SECRET-c", "TOKEN-c", "42", "container-role", NOW + 3600 }, { found.access_key,
        found.secret_key, found.token, found.account_id, found.method, found.expiry })
      local request = peer:last()
      assert.same({ "GET", "/creds?a=b", "Bearer the-token", "application/json" },
        { request.method, request.target, request.headers.authorization, request.headers.accept })
    end)

    it("are asked for with the token in the file as it is then", function()
      local w <close> = world(nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url,
        AWS_CONTAINER_AUTHORIZATION_TOKEN = "not this one" })
      w.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = w.home .. "/token"
      write(w.home .. "/token", "one")
      peer:reply(keys("c1"), keys("c2", { expiry = NOW + 9000 }))
      local session = w.session()
      session:get_credentials()
      assert.equal("one", peer:last().headers.authorization)
      write(w.home .. "/token", "two")
      w.now = NOW + 3600
      assert.equal("AK-c2", session:get_credentials().access_key)
      assert.equal("two", peer:last().headers.authorization)
    end)

    it("are not asked for where nobody may know of them", function()
      local cases = {
        "http://example.com/", "http://169.254.170.1/", "http://localhost.example.com/", "", "localhost/",
        "http://127.0.0.1.example.com/", "http://[::2]/", "ftp://localhost/", "http://user@localhost/",
        "http://2130706433/",
      }
      for _, url in ipairs(cases) do
        local w <close> = world(nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = url })
        local session = w.session()
        assert.equal("ValueError", raised(session.get_credentials, session).kind, url)
      end
      for _, uri in ipairs{ "@example.com/", ".example.com/" } do
        local w <close> = world(nil, { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = uri })
        local session = w.session()
        assert.equal("ValueError", raised(session.get_credentials, session).kind, uri)
      end
    end)

    it("are not asked for with a token that would break the request", function()
      for _, token in ipairs{ "a\r\nX-Evil: 1", "a\nb" } do
        local w <close> = world(nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url,
          AWS_CONTAINER_AUTHORIZATION_TOKEN = token })
        local session = w.session()
        local err = raised(session.get_credentials, session)
        assert.same({ "ValueError", "Auth token value is not a legal header value" },
          { err.kind, err.message })
      end
      assert.same({}, peer:requests())
    end)

    it("are asked for three times, and then what is wrong is raised", function()
      local closed <close> = server.start{ refuse = true }
      local replies = {
        { "/status", { status = 500, body = "SECRET" }, "Received non 200 response 500" },
        { "/json", { body = "SECRET" }, "Unable to parse JSON" },
        { "/reset", { reset = true }, "Received error when attempting" },
        { "/refused", nil, "Received error when attempting" },
        { "/partial", { body = '{"AccessKeyId":"A"}' }, "has no SecretAccessKey", 1 },
        { "/time", { body = '{"AccessKeyId":"A","SecretAccessKey":"B","Token":"C","Expiration":"soon"}' },
          "has no Expiration", 1 },
      }
      local plan = {}
      for _, case in ipairs(replies) do
        if case[2] then
          case[2].target, case[2].always = case[1], true
          plan[#plan + 1] = case[2]
        end
      end
      peer:reply(table.unpack(plan))
      aws.async.run(function()
        aws.async.map(replies, function(case)
          local w <close> = world(nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = (case[2] and peer or closed).url
            .. case[1] })
          local session = w.session()
          local err = raised(session.get_credentials, session)
          assert.equal("CredentialRetrievalError", err.kind)
          assert.matches(case[3], err.message, 1, true)
          assert.not_matches("SECRET", err.message)
        end)
      end)
      local counts = {}
      for _, request in ipairs(peer:requests()) do
        counts[request.target] = (counts[request.target] or 0) + 1
      end
      assert.same({ ["/status"] = 3, ["/json"] = 3, ["/reset"] = 3, ["/partial"] = 1, ["/time"] = 1 }, counts)
    end)
  end)

  describe("of an instance", function()
    local function imds_world(env)
      env = env or {}
      env.AWS_EC2_METADATA_DISABLED = env.AWS_EC2_METADATA_DISABLED or "false"
      env.AWS_EC2_METADATA_SERVICE_ENDPOINT = env.AWS_EC2_METADATA_SERVICE_ENDPOINT or peer.url
      return world(nil, env)
    end
    local PATH = "/latest/meta-data/iam/security-credentials/"

    it("come from its metadata service: a token, the role's name, its credentials", function()
      local w <close> = imds_world()
      peer:reply("the-token", "my+role", keys("i", { more = ',"AccountId":"42"' }))
      local found = w.session():get_credentials()
      assert.same({ "AK-i", "SECRET-i", "TOKEN-i", "iam-role", NOW + 3600 },
        { found.access_key, found.secret_key, found.token, found.method, found.expiry })
      assert.is_nil(found.account_id)
      local requests = peer:requests()
      assert.same({ "PUT", "/latest/api/token", "21600" }, { requests[1].method, requests[1].target,
        requests[1].headers["x-aws-ec2-metadata-token-ttl-seconds"] })
      assert.same({ "GET", PATH, "the-token" },
        { requests[2].method, requests[2].target, requests[2].headers["x-aws-ec2-metadata-token"] })
      assert.same({ "GET", PATH .. "my+role", "the-token" },
        { requests[3].method, requests[3].target, requests[3].headers["x-aws-ec2-metadata-token"] })
      assert.matches("^luaws/", requests[3].headers["user-agent"])
    end)

    it("come without a token from a service that gives none", function()
      for _, reply in ipairs{
        { status = 403 }, { status = 404 }, { status = 405 }, { status = 500 }, { reset = true },
        { hang = true },
      } do
        peer:clear()
        local w <close> = imds_world()
        peer:reply(reply, "role", keys("v1"))
        assert.equal("AK-v1", w.session():get_credentials().access_key)
        assert.is_nil(peer:last().headers["x-aws-ec2-metadata-token"])
        assert.equal(3, #peer:requests())
      end
    end)

    it("do not come without a token when that is forbidden", function()
      local w <close> = imds_world{ AWS_EC2_METADATA_V1_DISABLED = "true" }
      peer:reply({ status = 403 }, "role", keys("v1"))
      local session = w.session()
      local err = raised(session.get_credentials, session)
      assert.equal("MetadataRetrievalError", err.kind)
      assert.equal(1, #peer:requests())
    end)

    it("are not there when the service answers nonsense", function()
      local cases = {
        { 1, { status = 400 } },
        { 2, "t", { status = 404 } },
        { 2, "t", { body = "" } },
        { 2, "t", { status = 500 } },
        { 3, "t", "role", { status = 500 } },
        { 3, "t", "role", "this is no JSON" },
        { 3, "t", "role", '{"Code":"AssumeRoleUnauthorizedAccess","Message":"no"}' },
        { 3, "t", "role", "[]" },
        { 3, "t", "role", { body = "0123456789", cut = { after = 5, how = "close" } } },
      }
      for _, case in ipairs(cases) do
        peer:clear()
        local w <close> = imds_world()
        peer:reply(table.unpack(case, 2))
        assert.is_nil(w.session():get_credentials())
        assert.equal(case[1], #peer:requests())
      end
    end)

    it("are asked for as often as is configured", function()
      local w <close> = imds_world{ AWS_METADATA_SERVICE_NUM_ATTEMPTS = "3" }
      peer:reply({ status = 500 }, { reset = true }, "t", { status = 500 }, "role", "no JSON",
        { status = 500 }, keys("late"))
      assert.equal("AK-late", w.session():get_credentials().access_key)
      assert.equal(8, #peer:requests())
    end)

    it("are taken to be good for longer when the service hands out old ones", function()
      local w <close> = imds_world()
      for _, left in ipairs{ -100, 30, 11 * 60 } do
        peer:reply("t", "role", keys("old", { expiry = NOW + left }))
        local found = w.session():get_credentials()
        assert.equal("AK-old", found.access_key)
        assert.is_true(found.expiry >= NOW + 720 and found.expiry <= NOW + 1200)
      end
    end)

    it("are not asked for, and nothing waits, when that is disabled", function()
      local w <close> = imds_world{ AWS_EC2_METADATA_DISABLED = "TRUE" }
      local started = os.clock()
      assert.is_nil(w.session():get_credentials())
      assert.is_true(os.clock() - started < 0.2)
      assert.same({}, peer:requests())
    end)

    it("are nowhere when nobody answers", function()
      local closed <close> = server.start{ refuse = true }
      local deaf <close> = server.start{ deaf = true }
      for _, nobody in ipairs{ closed, deaf } do
        local w <close> = imds_world{ AWS_EC2_METADATA_SERVICE_ENDPOINT = nobody.url }
        local session = w.session()
        assert.is_nil(session:get_credentials())
        local sqs = session:client("sqs")
        assert.equal("NoCredentialsError", raised(sqs.list_queues, sqs).kind)
      end
    end)

    it("need an endpoint and a mode that make sense", function()
      for _, case in ipairs{
        { { AWS_EC2_METADATA_SERVICE_ENDPOINT = "not a url" }, "InvalidIMDSEndpointError" },
        { { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE = "ipv5" }, "InvalidIMDSEndpointModeError" },
        { { AWS_METADATA_SERVICE_TIMEOUT = "soon" }, "ValueError" },
      } do
        local w <close> = imds_world(case[1])
        local session = w.session()
        assert.equal(case[2], raised(session.get_credentials, session).kind)
      end
    end)

    it("can be the source of a role", function()
      local w <close> = imds_world{ AWS_ENDPOINT_URL_STS = peer.url }
      write(w.home .. "/.aws/config", role("credential_source = ec2instancemetadata\n"))
      peer:reply("t", "role", keys("i"), sts_answer("AssumeRole", "a"))
      assert.equal("AK-a", w.session{ profile_name = "a" }:get_credentials().access_key)
      assert.matches("Credential=AK%-i/", peer:last().headers.authorization)
    end)
  end)

  describe("of IAM Identity Center (SSO)", function()
    local SESSION = "[profile s]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Dev\n"
      .. "[sso-session corp]\nsso_start_url = https://corp.example/start\nsso_region = eu-central-1\n"
    local LEGACY = "[profile s]\nsso_start_url = https://corp.example/start\nsso_region = eu-central-1\n"
      .. "sso_account_id = 111122223333\nsso_role_name = Dev\n"
    local SESSION_FILE, LEGACY_FILE

    local function sha1(text)
      return (child.output{ "sh", "-c", "printf %s \"$1\" | sha1sum", "sh", text }:match("^%x+"))
    end

    setup(function()
      SESSION_FILE = "/.aws/sso/cache/" .. sha1("corp") .. ".json"
      LEGACY_FILE = "/.aws/sso/cache/" .. sha1("https://corp.example/start") .. ".json"
    end)

    local function sso_world(config, token, file)
      local w = world(config, { AWS_ENDPOINT_URL_SSO = peer.url .. "/portal",
        AWS_ENDPOINT_URL_SSO_OIDC = peer.url .. "/oidc", AWS_MAX_ATTEMPTS = "1" })
      os.execute("mkdir -p " .. w.home .. "/.aws/sso/cache")
      if token then
        write(w.home .. file, cjson.encode(token))
      end
      return w
    end

    local function token(left, more)
      local t = { startUrl = "https://corp.example/start", region = "eu-central-1", accessToken = "the-access-token",
        expiresAt = iso(NOW + left) }
      for name, value in pairs(more or {}) do
        t[name] = value
      end
      return t
    end
    local RENEWABLE = { clientId = "id", clientSecret = "the-client-secret", refreshToken = "the-refresh-token",
      registrationExpiresAt = iso(NOW + 86400) }

    local function role_credentials(name, expiry)
      return { target = "^/portal", body = ('{"roleCredentials":{"accessKeyId":"AK-%s","secretAccessKey":"SECRET-%s",'
        .. '"sessionToken":"TOKEN-%s","expiration":%d}}'):format(name, name, name, (expiry or NOW + 3600) * 1000) }
    end

    it("come from the portal in exchange for the token of `aws sso login`, in both forms", function()
      for _, case in ipairs{ { SESSION, SESSION_FILE }, { LEGACY, LEGACY_FILE } } do
        peer:clear()
        local w <close> = sso_world(case[1], token(3600), case[2])
        peer:reply(role_credentials("s"))
        local found = w.session{ profile_name = "s" }:get_credentials()
        assert.same({ "AK-s", "SECRET-s", "TOKEN-s", "111122223333", "sso", NOW + 3600 }, { found.access_key,
          found.secret_key, found.token, found.account_id, found.method, found.expiry })
        local request = peer:last()
        assert.equal("GET", request.method)
        assert.equal("/portal/federation/credentials?role_name=Dev&account_id=111122223333", request.target)
        assert.equal("the-access-token", request.headers["x-amz-sso_bearer_token"])
        assert.is_nil(request.headers.authorization)
      end
    end)

    it("renew the token of an sso-session when it is near its end, and keep the new one", function()
      local w <close> = sso_world(SESSION, token(300, RENEWABLE), SESSION_FILE)
      peer:reply({ target = "^/oidc", body = '{"accessToken":"the-new-token","expiresIn":28800,'
        .. '"refreshToken":"the-new-refresh-token"}' }, role_credentials("s"))
      assert.equal("AK-s", w.session{ profile_name = "s" }:get_credentials().access_key)
      local requests = peer:requests()
      assert.equal("/oidc/token", requests[1].target)
      assert.same({ grantType = "refresh_token", clientId = "id", clientSecret = "the-client-secret",
        refreshToken = "the-refresh-token" }, cjson.decode(requests[1].body))
      assert.equal("the-new-token", requests[2].headers["x-amz-sso_bearer_token"])
      local file <close> = assert(io.open(w.home .. SESSION_FILE))
      assert.same(token(28800, { accessToken = "the-new-token", clientId = "id", clientSecret = "the-client-secret",
        refreshToken = "the-new-refresh-token", registrationExpiresAt = RENEWABLE.registrationExpiresAt }),
        cjson.decode(file:read("a")))
      assert.equal("600", child.output{ "stat", "-c", "%a", w.home .. SESSION_FILE }:match("%d+"))
      assert.equal(w.home .. SESSION_FILE, child.output{ "find", w.home .. "/.aws/sso", "-type", "f" }:match("%S+"))
    end)

    it("make do with the old token while it lasts", function()
      local cases = {
        { 300, RENEWABLE, { target = "^/oidc", status = 400, body = '{"error":"invalid_grant"}' } },
        { 300, RENEWABLE, { target = "^/oidc", reset = true, always = true } },
        { 300, RENEWABLE, { target = "^/oidc", body = "{}" } },
        { 300, {} },
        { 300, { clientId = "id", clientSecret = "s", refreshToken = "r", registrationExpiresAt = iso(NOW - 1) } },
      }
      for i, case in ipairs(cases) do
        local w <close> = sso_world(SESSION, token(case[1], case[2]), SESSION_FILE)
        peer:reply(role_credentials("s"), case[3])
        assert.equal("AK-s", w.session{ profile_name = "s" }:get_credentials().access_key, i)
        assert.equal("the-access-token", peer:last().headers["x-amz-sso_bearer_token"])
      end
    end)

    it("end in an error that says what to do", function()
      local MISSING = "is configured to use SSO but is missing required configuration: "
      local cases = {
        { SESSION, nil, "SSOTokenLoadError", "Error loading SSO Token: Token for corp does not exist" },
        { LEGACY, nil, "SSOTokenLoadError",
          "Error loading SSO Token: Token for https://corp.example/start does not exist" },
        { SESSION, {}, "SSOTokenLoadError",
          "Error loading SSO Token: Token for https://corp.example/start is invalid" },
        { LEGACY, token(-1), "UnauthorizedSSOTokenError", "run aws sso login" },
        { SESSION, token(-1), "TokenRetrievalError",
          "Error when retrieving token from sso: Token has expired and refresh failed" },
        { SESSION, token(3600), "UnauthorizedSSOTokenError", "run aws sso login", { status = 401,
          headers = { ["x-amzn-ErrorType"] = "UnauthorizedException" }, body = '{"message":"no"}' } },
        { SESSION, token(3600), "ClientError", "ForbiddenException", { status = 403,
          headers = { ["x-amzn-ErrorType"] = "ForbiddenException" }, body = '{"message":"no"}' } },
        { SESSION, token(3600), "CredentialRetrievalError", "no accessKeyId", { body = "{}" } },
        { "[profile s]\nsso_role_name = x\n", nil, "InvalidConfigError",
          'The profile "s" ' .. MISSING .. "sso_account_id, sso_start_url, sso_region" },
        { "[profile s]\nsso_role_name = x\nsso_session = nope\n", nil, "InvalidConfigError",
          'The specified sso-session does not exist: "nope"' },
        { SESSION .. "[profile t]\n" .. "a = b\n", token(3600), "InvalidConfigError",
          "The value for sso_region is inconsistent between profile (x) and sso-session (eu-central-1).", nil,
          "sso_region = x\n" },
      }
      for i, case in ipairs(cases) do
        local config = case[1]:gsub("^%[profile s%]\n", "%0" .. (case[6] or ""))
        local w <close> = sso_world(config, case[2], case[1] == LEGACY and LEGACY_FILE or SESSION_FILE)
        peer:reply(case[5])
        local session = w.session{ profile_name = "s" }
        local err = raised(session.get_credentials, session)
        assert.equal(case[3], err.kind, i .. tostring(err))
        assert.matches(case[4], err.message, 1, true)
      end
    end)

    it("can be the source of a role, and are got once for it", function()
      local w <close> = sso_world(SESSION .. role("source_profile = s\n"), token(9000), SESSION_FILE)
      w.env.AWS_ENDPOINT_URL_STS = peer.url
      peer:reply(role_credentials("s", NOW + 9000), sts_answer("AssumeRole", "a1"),
        sts_answer("AssumeRole", "a2", { expiry = NOW + 9000 }))
      local session = w.session{ profile_name = "a" }
      session:get_credentials()
      w.now = NOW + 3601
      assert.equal("AK-a2", session:get_credentials().access_key)
      assert.equal(3, #peer:requests())
    end)
  end)
end)
