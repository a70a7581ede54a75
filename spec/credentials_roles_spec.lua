-- Credentials of roles: STS is asked for them, with other credentials or with a web identity.
local aws = require("luaws")
local cjson = require("cjson")
local child = require("spec.support.child")
local errors = require("luaws.errors")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local NOW, write, raised = machine.NOW, machine.write, machine.raised
local sts_answer, role, BASE = machine.sts_answer, machine.role, machine.BASE

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
    return machine.new(config, env)
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
      machine.keys(w.session{ profile_name = "a" })
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
      machine.keys(session)
      w.now = NOW + 2800 -- 800 s left: ahead of time
      for _ = 1, 3 do
        assert.equal("AK-a", session:get_credentials().access_key)
        aws.async.sleep(0.05)
      end
      assert.is_true(#peer:requests() >= 2)
      w.now = NOW + 3300 -- 300 s left: now it must be
      peer:reply(sts_error("AccessDenied"))
      local err = raised(machine.keys, session)
      assert.equal("ClientError", err.kind)
      assert.equal("An error occurred (AccessDenied) when calling the AssumeRole operation: no way",
        tostring(err))
      assert.is_true(err:is("AccessDenied"))
      assert.same({ "AccessDenied", "AssumeRole", "no way" }, { err.code, err.operation_name, err.message })
    end)

    -- The refusal was taken for the called service's own, with a table on the stack that was not there.
    it("that STS refuses to give fail a call with what it said, whoever listens", function()
      local w <close> = sts_world(BASE .. role())
      for _, listens in ipairs{ false, true } do
        peer:reply(sts_error("AccessDenied"))
        local heard = {}
        local session = w.session{ profile_name = "a" }
        if listens then
          session.events:register("after-call-error.sqs", function(event)
            heard[#heard + 1] = event.exception
          end)
        end
        local client = session:client("sqs", { endpoint_url = "http://127.0.0.1:1" })
        local err = raised(client.list_queues, client, {})
        assert.same({ "ClientError", "AccessDenied", "AssumeRole", "no way" },
          { err.kind, err.code, err.operation_name, err.message })
        assert.is_nil(err.response)
        assert.same(listens and { err } or {}, heard)
      end
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
          "Partial credentials found in assume-role, missing: source_profile or credential_source, beside "
            .. 'role_arn in the profile "x"' },
        { "role_arn = r\nsource_profile = base\ncredential_source = Environment\n", "InvalidConfigError",
          'The profile "x" contains both source_profile and credential_source.' },
        { "role_arn = r\ncredential_source = Moon\n", "InvalidConfigError",
          'The credential source "Moon" referenced in profile "x" is not valid. It may be Environment, '
            .. "EcsContainer or Ec2InstanceMetadata." },
        { "role_arn = r\nsource_profile = nobody\n", "InvalidConfigError",
          'The source_profile "nobody" referenced in the profile "x" does not exist.' },
        { "role_arn = r\nsource_profile = bsae\n", "InvalidConfigError",
          'The source_profile "bsae" referenced in the profile "x" does not exist. Did you mean \'base\'?' },
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
        local err = raised(machine.keys, session)
        assert.same({ case[2], case[3] }, { err.kind, errors.shown(err) })
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

      it("are kept in a folder for other processes, as the AWS CLI keeps them", function()
        local w <close> = sts_world(CONFIG)
        peer:reply(sts_answer("AssumeRole", "m"))
        for _ = 1, 2 do
          local session = w.session{ profile_name = "m", credential_cache = "~/.aws/cli/cache",
            mfa_prompt = function() return "123456" end }
          local found = session:get_credentials()
          assert.same({ "AK-m", "SECRET-m", "TOKEN-m", "123456789012", "assume-role", NOW + 3600 },
            { found.access_key, found.secret_key, found.token, found.account_id, found.method, found.expiry })
        end
        assert.equal(1, #peer:requests())
        local name = child.output{ "sh", "-c", "printf %s \"$1\" | sha1sum", "sh",
          '{"RoleArn": "arn:aws:iam::1:role/m", "SerialNumber": "arn:aws:iam::1:mfa/me"}' }:match("^%x+")
        local file = w.home .. "/.aws/cli/cache/" .. name .. ".json"
        assert.same({ Credentials = { AccessKeyId = "AK-m", SecretAccessKey = "SECRET-m",
          SessionToken = "TOKEN-m", AccountId = "123456789012", Expiration = machine.iso(NOW + 3600) } },
          cjson.decode(machine.read(file)))
        assert.equal("600\n", child.output{ "stat", "-c", "%a", file })
      end)

      it("are never asked for twice", function()
        local w <close> = sts_world(CONFIG)
        peer:reply(sts_answer("AssumeRole", "m"))
        local session = w.session{ profile_name = "m", mfa_prompt = function() return "123456" end }
        machine.keys(session)
        w.now = NOW + 3601
        assert.equal("RefreshWithMFAUnsupportedError", raised(machine.keys, session).kind)
      end)

      it("need somebody who answers", function()
        local w <close> = sts_world(CONFIG)
        for _, case in ipairs{
          { function() error("gone fishing") end, "gone fishing" },
          { function()
            error(setmetatable({}, { __tostring = function() error("no text") end }))
          end, "no text" },
          { function() return nil end, "mfa_prompt returned a nil instead of a code" },
        } do
          local session = w.session{ profile_name = "m", mfa_prompt = case[1] }
          local err = raised(machine.keys, session)
          assert.equal("CredentialRetrievalError", err.kind)
          assert.matches(case[2], err.message, 1, true)
        end
        assert.same({}, peer:requests())
      end)
    end)

    it("are asked for in AWS_REGION as well, where botocore finds none", function()
      for _, case in ipairs{ { {}, "", nil }, { { AWS_REGION = "eu-west-3" }, "", "eu-west-3" },
        { { AWS_REGION = "eu-west-3" }, "region = eu-west-1\n", "eu-west-3" },
        { { AWS_REGION = "eu-west-3", AWS_DEFAULT_REGION = "sa-east-1" }, "", "sa-east-1" } } do
        local w <close> = sts_world(BASE .. role() .. case[2], case[1])
        peer:clear()
        peer:reply(sts_answer("AssumeRole", "a"))
        local session = aws.session{ _env = w.env, _home = w.home, profile_name = "a",
          _clock = function() return w.now end }
        local ok, err = pcall(machine.keys, session)
        local request = peer:last()
        assert.equal(case[3], request and request.headers.authorization:match("/%d+/([^/]+)/sts/"))
        assert.equal(case[3] == nil and "NoRegionError" or nil, not ok and err.kind or nil)
      end
    end)

    it("are asked for in the region of the first client, at AWS_ENDPOINT_URL", function()
      local w <close> = machine.new(BASE .. role(),
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
      machine.keys(session)
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
        { sts_error("AccessDenied"), "ClientError", "(AccessDenied) when calling the AssumeRole" },
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
        local err = raised(machine.keys, session)
        assert.equal(case[2], err.kind, tostring(err))
        assert.matches(case[3], tostring(err), 1, true)
      end
    end)

    it("work with a server that behaves like AWS", function()
      local moto = require("spec.support.moto")
      local w <close> = machine.new(BASE .. role() .. "role_session_name = me\n",
        { AWS_ENDPOINT_URL = moto.url })
      w.now = os.time()
      local session = w.session{ profile_name = "a" }
      local found = session:get_credentials()
      assert.equal("assume-role", found.method)
      assert.is_true(found.expiry > os.time() + 3000)
      local identity = session:client("sts"):get_caller_identity()
      assert.matches("assumed%-role/a/me$", identity.Arn)
      assert.equal(found.account_id, identity.Account)
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
        machine.keys(w.session{ profile_name = case[2] })
        assert.equal(case[1], form(peer:last()).RoleArn)
      end
    end)

    it("need a role and a file", function()
      local w <close> = sts_world(nil, { AWS_WEB_IDENTITY_TOKEN_FILE = "/nonexistent/token" })
      local session = w.session()
      assert.equal("InvalidConfigError", raised(machine.keys, session).kind)
      w.env.AWS_ROLE_ARN = "arn"
      local err = raised(machine.keys, session)
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
end)
