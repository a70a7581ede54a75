-- Credentials and tokens of `aws sso login`.
local cjson = require("cjson")
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local NOW, iso, write, raised = machine.NOW, machine.iso, machine.write, machine.raised
local sts_answer, role = machine.sts_answer, machine.role

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
      local w = machine.new(config, { AWS_ENDPOINT_URL_SSO = peer.url .. "/portal",
        AWS_ENDPOINT_URL_SSO_OIDC = peer.url .. "/oidc", AWS_MAX_ATTEMPTS = "1" })
      if token then
        write(w.home .. file, cjson.encode(token))
      end
      return w
    end

    --- The file of a token with so many seconds left.
    local function token(left, more)
      local t = { startUrl = "https://corp.example/start", region = "eu-central-1",
        accessToken = "the-access-token", expiresAt = iso(NOW + left) }
      for name, value in pairs(more or {}) do
        t[name] = value
      end
      return t
    end
    local RENEWABLE = { clientId = "id", clientSecret = "the-client-secret",
      refreshToken = "the-refresh-token",
      registrationExpiresAt = iso(NOW + 86400) }

    local function role_credentials(name, expiry)
      local body = '{"roleCredentials":{"accessKeyId":"AK-%s","secretAccessKey":"SECRET-%s",'
        .. '"sessionToken":"TOKEN-%s","expiration":%d}}'
      return { target = "^/portal", body = body:format(name, name, name, (expiry or NOW + 3600) * 1000) }
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
      assert.same(token(28800, { accessToken = "the-new-token", clientId = "id",
        clientSecret = "the-client-secret", refreshToken = "the-new-refresh-token",
        registrationExpiresAt = RENEWABLE.registrationExpiresAt }),
        cjson.decode(machine.read(w.home .. SESSION_FILE)))
      assert.equal("600\n", child.output{ "stat", "-c", "%a", w.home .. SESSION_FILE })
      assert.equal(w.home .. SESSION_FILE .. "\n",
        child.output{ "find", w.home .. "/.aws/sso", "-type", "f" })
    end)

    it("make do with the old token while it lasts", function()
      local cases = {
        { 300, RENEWABLE, { target = "^/oidc", status = 400, body = '{"error":"invalid_grant"}' } },
        { 300, RENEWABLE, { target = "^/oidc", reset = true, always = true } },
        { 300, RENEWABLE, { target = "^/oidc", body = "{}" } },
        { 300, {} },
        { 300, { clientId = "id", clientSecret = "s", refreshToken = "r",
          registrationExpiresAt = iso(NOW - 1) } },
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
        local err = raised(machine.keys, session)
        assert.equal(case[3], err.kind, i .. tostring(err))
        assert.matches(case[4], tostring(err), 1, true)
      end
    end)

    it("can be the source of a role, and are got once for it", function()
      local w <close> = sso_world(SESSION .. role("source_profile = s\n"), token(9000), SESSION_FILE)
      w.env.AWS_ENDPOINT_URL_STS = peer.url
      peer:reply(role_credentials("s", NOW + 9000), sts_answer("AssumeRole", "a1"),
        sts_answer("AssumeRole", "a2", { expiry = NOW + 9000 }))
      local session = w.session{ profile_name = "a" }
      machine.keys(session)
      w.now = NOW + 3601
      assert.equal("AK-a2", session:get_credentials().access_key)
      assert.equal(3, #peer:requests())
    end)

    describe("as tokens to sign with", function()
      local function listed(w, session, service, operation, opts)
        w.env["AWS_ENDPOINT_URL_" .. service:upper():gsub("-", "_")] = peer.url .. "/api"
        local client = session:client(service, opts)
        return client[operation](client, {})
      end

      it("come from the sso-session for services that take nothing else", function()
        local w <close> = sso_world(SESSION, token(3600), SESSION_FILE)
        peer:reply{ target = "^/api", body = '{"items":[]}' }
        listed(w, w.session{ profile_name = "s" }, "codecatalyst", "list_spaces")
        assert.equal("Bearer the-access-token", peer:last().headers.authorization)
      end)

      it("are renewed, once in a while", function()
        local w <close> = sso_world(SESSION, token(300, RENEWABLE), SESSION_FILE)
        peer:reply({ target = "^/oidc", body = '{"accessToken":"the-new-token","expiresIn":600}' },
          { target = "^/api", body = '{"items":[]}', always = true })
        local session = w.session{ profile_name = "s" }
        for _ = 1, 3 do
          listed(w, session, "codecatalyst", "list_spaces")
          assert.equal("Bearer the-new-token", peer:last().headers.authorization)
        end
        assert.equal(4, #peer:requests())
        assert.equal("the-refresh-token", cjson.decode(machine.read(w.home .. SESSION_FILE)).refreshToken)
      end)

      it("are missed where there are none", function()
        local w <close> = sso_world("", nil)
        w.env.AWS_ACCESS_KEY_ID, w.env.AWS_SECRET_ACCESS_KEY = "AK", "hush"
        local err = raised(listed, w, w.session(), "codecatalyst", "list_spaces")
        assert.same({ "NoAuthTokenError", "Unable to locate authorization token" }, { err.kind, err.message })
      end)

      it("come from the environment for bedrock, unless the code says otherwise", function()
        local w <close> = sso_world("", nil)
        w.env.AWS_ACCESS_KEY_ID, w.env.AWS_SECRET_ACCESS_KEY = "AK", "hush"
        local cases = {
          { "the-env-token", nil, "^Bearer the%-env%-token$" },
          { "the-env-token", { config = { signature_version = "v4" } }, "^AWS4" },
          { "the-env-token", { config = { auth_scheme_preference = "sigv4" } }, "^AWS4" },
          { "the-env-token", { config = { auth_scheme_preference = "httpBearerAuth,sigv4" } }, "^Bearer" },
          { nil, nil, "^AWS4" },
        }
        for i, case in ipairs(cases) do
          w.env.AWS_BEARER_TOKEN_BEDROCK = case[1]
          peer:reply{ target = "^/api", body = "{}" }
          listed(w, w.session(), "bedrock", "list_guardrails", case[2])
          assert.matches(case[3], peer:last().headers.authorization, 1, false, i)
        end
      end)
    end)
  end)
end)
