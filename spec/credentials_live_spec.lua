-- What session:get_credentials() and session:get_auth_token() give: objects that are always up to date.
local aws = require("luaws")
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local NOW, raised = machine.NOW, machine.raised
local async = aws.async

local function container(name, left)
  return { headers = { ["Content-Type"] = "application/json" },
    body = ('{"AccessKeyId":"AK%s","SecretAccessKey":"hush-%s","Token":"t-%s","Expiration":"%s",'
      .. '"AccountId":"%s"}'):format(name, name, name, machine.iso(left), name) }
end

describe("a session's credentials", function()
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

  local function container_world()
    return machine.new(nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url })
  end

  it("are one object, whose keys are renewed when they are read", function()
    local w <close> = container_world()
    local session = w.session()
    peer:reply(container("1", NOW + 3600), container("2", NOW + 7200), container("3", NOW + 10800))
    local credentials = session:get_credentials()
    assert.equal(credentials, session:get_credentials())
    assert.equal("Credentials(method='container-role')", tostring(credentials))
    assert.same({ "AK1", "hush-1", "t-1", "1", NOW + 3600, "container-role" }, { credentials.access_key,
      credentials.secret_key, credentials.token, credentials.account_id, credentials.expiry,
      credentials.method })
    local before = credentials:get_frozen_credentials()
    w.now = NOW + 3590
    assert.equal(NOW + 7200, credentials.expiry)
    assert.equal("AK2", credentials.access_key)
    w.now = NOW + 7300
    assert.equal("hush-3", credentials.secret_key)
    assert.equal(3, #peer:requests())
    assert.same({ access_key = "AK1", secret_key = "hush-1", token = "t-1", account_id = "1" }, before)
    assert.equal("Credentials(frozen)", tostring(before))
    assert.equal(credentials, session:get_credentials())
    local ok, err = pcall(function()
      return credentials.acces_key
    end)
    assert.is_false(ok)
    assert.equal("credentials has no 'acces_key'; did you mean 'access_key'?", tostring(err))
  end)

  it("are read in tasks, all of which wait for one refresh", function()
    local w <close> = container_world()
    local session = w.session()
    local slow = container("2", NOW + 9000)
    slow.delay = 0.1
    peer:reply(container("1", NOW + 3600), slow)
    local credentials = session:get_credentials()
    w.now = NOW + 4000
    local items = {}
    for i = 1, 200 do
      items[i] = i
    end
    local names = { "access_key", "secret_key", "token", "account_id" }
    async.map(items, function(i)
      assert.matches("2$", credentials[names[i % 4 + 1]])
      assert.same({ access_key = "AK2", secret_key = "hush-2", token = "t-2", account_id = "2" },
        credentials:get_frozen_credentials())
    end, { concurrency = 200 })
    assert.equal(2, #peer:requests())
  end)

  it("are renewed at exactly the edges of the windows", function()
    local cases = { -- seconds left, what is read then, what is read next
      { 901, "AK1", "AK1" }, { 900, "AK1", "AK1" }, -- nothing is due
      { 899, "AK1", "AK2" }, { 600, "AK1", "AK2" }, -- ahead of time: behind the back of whoever reads
      { 599, "AK2", "AK2" }, { 1, "AK2", "AK2" }, { 0, "AK2", "AK2" }, -- now: whoever reads waits
    }
    for _, case in ipairs(cases) do
      local w <close> = container_world()
      local session = w.session()
      peer:clear()
      peer:reply(container("1", NOW + 3600), container("2", NOW + 9000))
      local credentials = session:get_credentials()
      w.now = NOW + 3600 - case[1]
      local first = credentials.access_key
      async.sleep(0.05)
      local deadline = os.time() + 10
      while case[3] ~= credentials.access_key and os.time() < deadline do
        async.sleep(0.02)
      end
      assert.same(case, { case[1], first, credentials.access_key })
    end
  end)

  it("are not asked for before they are read, where a service has to be asked", function()
    local w <close> = machine.new(machine.BASE .. machine.role()
      .. "[profile web]\nrole_arn = r\nweb_identity_token_file = /nonexistent\n"
      .. "[profile sso]\nsso_session = c\nsso_account_id = 1\nsso_role_name = r\n"
      .. "[sso-session c]\nsso_start_url = https://c/\nsso_region = eu-west-1\n",
      { AWS_ENDPOINT_URL_STS = peer.url, AWS_ENDPOINT_URL_SSO = peer.url })
    for profile, method in pairs{ a = "assume-role", web = "assume-role-with-web-identity", sso = "sso" } do
      local credentials = w.session{ profile_name = profile }:get_credentials()
      assert.equal(method, credentials.method)
      assert.equal("Credentials(method='" .. method .. "')", tostring(credentials))
    end
    assert.same({}, peer:requests())
    local credentials = w.session{ profile_name = "a" }:get_credentials()
    local denied = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
    peer:reply({ status = 403, body = denied },
      machine.sts_answer("AssumeRole", "a"))
    assert.equal("AccessDenied", raised(function() return credentials.access_key end).code)
    assert.equal("AK-a", credentials.access_key)
    assert.equal(2, #peer:requests())
  end)

  it("that a profile promises wrongly are refused at once", function()
    local w <close> = machine.new("[profile a]\nrole_arn = r\n[profile s]\nsso_role_name = r\n"
      .. "[profile w]\nweb_identity_token_file = x\n")
    for profile, kind in pairs{ a = "PartialCredentialsError", s = "InvalidConfigError",
      w = "InvalidConfigError" } do
      local session = w.session{ profile_name = profile }
      assert.equal(kind, raised(session.get_credentials, session).kind)
    end
  end)

  it("found for one who only wanted to know are got by one who needs them, and the reverse", function()
    local w <close> = machine.new(machine.BASE .. machine.role(), { AWS_ENDPOINT_URL_STS = peer.url })
    peer:reply(machine.sts_answer("AssumeRole", "a", { delay = 0.05 }))
    local session = w.session{ profile_name = "a" }
    local sts = session:client("sts")
    local url, credentials = async.gather(function()
      return sts:generate_presigned_url("get_caller_identity")
    end, function()
      return session:get_credentials()
    end)
    assert.matches("Credential=AK%-a", url)
    assert.equal("assume-role", credentials.method)
    assert.equal("AK-a", credentials.access_key)
    assert.equal(1, #peer:requests())
  end)

  it("are looked for again when there were none", function()
    local w <close> = machine.new(nil, {})
    local session = w.session()
    assert.is_nil(session:get_credentials())
    w.env.AWS_ACCESS_KEY_ID, w.env.AWS_SECRET_ACCESS_KEY = "AKENV", "hush"
    assert.equal("AKENV", session:get_credentials().access_key)
  end)

  it("show nothing secret however they are printed", function()
    local session = aws.session{ aws_access_key_id = "AK", aws_secret_access_key = "hush" }
    local credentials = session:get_credentials()
    for _, shown in ipairs{ tostring(credentials), aws.pretty(credentials), aws.pretty{ credentials },
      tostring(credentials:get_frozen_credentials()), aws.pretty(credentials:get_frozen_credentials()) } do
      assert.not_matches("hush", shown)
    end
    assert.equal("hush", credentials.secret_key)
  end)
end)

describe("a session's bearer token", function()
  local CONFIG = "[profile s]\nsso_session = c\n[sso-session c]\nsso_start_url = https://c/\n"
    .. "sso_region = eu-west-1\n"

  local function write_token(w, token, expires)
    local name = child.output{ "sh", "-c", "printf c | sha1sum" }:match("^%x+")
    machine.write(w.home .. "/.aws/sso/cache/" .. name .. ".json", ('{"accessToken":"%s","expiresAt":"%s",'
      .. '"clientId":"i","clientSecret":"s","refreshToken":"r","registrationExpiresAt":"%s"}')
      :format(token, machine.iso(expires), machine.iso(NOW + 99999)))
  end

  it("is that of the profile's sso_session, renewed when it is read", function()
    local peer <close> = server.start()
    local w <close> = machine.new(CONFIG, { AWS_ENDPOINT_URL_SSO_OIDC = peer.url })
    write_token(w, "one", NOW + 3600)
    local session = w.session{ profile_name = "s" }
    local token = session:get_auth_token()
    assert.equal(token, session:get_auth_token{ signing_name = "codecatalyst" })
    assert.same({ "sso", "one", NOW + 3600 }, { token.method, token.token, token.expiration })
    assert.equal("AuthToken(method='sso')", tostring(token))
    local frozen = token:get_frozen_token()
    peer:reply{ body = '{"accessToken":"two","expiresIn":3600}' }
    w.now = NOW + 3500
    assert.equal("two", token.token)
    assert.equal(NOW + 7100, token.expiration)
    assert.same({ token = "one", expiration = NOW + 3600 }, frozen)
    assert.equal(1, #peer:requests())
  end)

  it("may be renewed once a minute, at the edges of the windows", function()
    local peer <close> = server.start()
    for left, asked in pairs{ [901] = 0, [900] = 0, [899] = 1, [600] = 1, [599] = 1, [1] = 1 } do
      local w <close> = machine.new(CONFIG,
        { AWS_ENDPOINT_URL_SSO_OIDC = peer.url, AWS_MAX_ATTEMPTS = "1" })
      write_token(w, "one", NOW + 3600)
      local session = w.session{ profile_name = "s" }
      local token = session:get_auth_token()
      assert.equal("one", token.token)
      peer:clear()
      peer:reply{ status = 400, body = '{"error":"invalid_grant"}', always = true }
      w.now = NOW + 3600 - left
      local function read_until(count)
        local deadline = os.time() + 10
        repeat
          for _ = 1, 5 do
            assert.equal("one", token.token)
            async.sleep(0.02)
          end
        until #peer:requests() >= count or os.time() > deadline
        assert.equal(count, #peer:requests(), left)
      end
      read_until(asked)
      if left > 70 and asked == 1 then
        w.now = w.now + 60
        read_until(2)
      end
    end
  end)

  it("is that of the environment for a service that is named", function()
    local w <close> = machine.new(CONFIG, { AWS_BEARER_TOKEN_BEDROCK = "env-token" })
    local session = w.session()
    assert.is_nil(session:get_auth_token())
    assert.is_nil(session:get_auth_token{ signing_name = "codecatalyst" })
    local token = session:get_auth_token{ signing_name = "bedrock" }
    assert.same({ "env", "env-token" }, { token.method, token.token })
    assert.same({ token = "env-token" }, token:get_frozen_token())
    local printed = aws.pretty(token) .. tostring(token) .. tostring(token:get_frozen_token())
    assert.not_matches("env%-token", printed)
  end)

  it("may come from a provider of one's own, in whatever place of the row", function()
    local peer <close> = server.start()
    local w <close> = machine.new(CONFIG, { AWS_BEARER_TOKEN_BEDROCK = "env-token" })
    local function ask(change)
      local session = w.session()
      local chain = session:get_component("token_provider")
      change(chain)
      peer:clear()
      peer:reply{ body = '{"modelSummaries":[]}' }
      session:client("bedrock", { endpoint_url = peer.url }):list_foundation_models()
      return peer:last().headers.authorization, chain
    end
    local own = { METHOD = "own", load_token = function()
      async.sleep(0.01)
      return { token = "own-token", expiration = NOW + 3600 }
    end }
    local none = { METHOD = "none", load_token = function() end }
    assert.equal("Bearer env-token", (ask(function() end)))
    assert.equal("Bearer own-token", (ask(function(chain) chain:insert_before("env", own) end)))
    assert.equal("Bearer env-token", (ask(function(chain) chain:insert_before("env", none) end)))
    local late_one = { METHOD = "late", load_token = function()
      return "sso-token"
    end }
    local broken = { METHOD = "broken", load_token = function() error("broken") end }
    for _, late in ipairs{ late_one, broken } do -- what comes after the environment has no say
      assert.equal("Bearer env-token", (ask(function(chain)
        chain:insert_before("env", none)
        chain:insert_after("env", late)
      end)))
      assert.equal("Bearer own-token", (ask(function(chain)
        chain:insert_before("env", own)
        chain:insert_after("env", late)
      end)))
    end
    local authorization, chain = ask(function(chain)
      chain:insert_after("env", own)
    end)
    assert.equal("Bearer env-token", authorization)
    assert.same({ "env", "own", "sso" }, chain:names())
    assert.equal("token chain (env, own, sso)", tostring(chain))
    assert.equal(own, chain:get_provider("own"))
    assert.equal("own-token", chain:load_token().token)
    assert.equal("env-token", chain:load_token{ signing_name = "bedrock" }.token)
    chain:insert_before("env", none)
    assert.equal("env-token", chain:load_token{ signing_name = "bedrock" }.token)
    local _, before = ask(function(row)
      row:insert_before("env", own)
    end)
    assert.equal("own-token", before:load_token{ signing_name = "bedrock" }.token)
    chain:remove("env")
    assert.equal("own-token", chain:load_token{ signing_name = "bedrock" }.token)
    local err = raised(chain.get_provider, chain, "env")
    assert.same({ "UnknownCredentialError", "Token named env not found." }, { err.kind, err.message })
    assert.equal("UnknownCredentialError", raised(chain.insert_after, chain, "env", own).kind)
    assert.equal("TypeError", raised(chain.insert_after, chain, "sso", { METHOD = "x" }).kind)
  end)

  it("of a provider that has no token is none", function()
    local w <close> = machine.new()
    for _, case in ipairs{ { 42, "no token" }, { {}, "no token" },
      { { token = "t", expiration = "soon" }, "expiration is no time" } } do
      local session = w.session()
      session:get_component("token_provider"):insert_before("sso", { METHOD = "own", load_token = function()
        return case[1]
      end })
      local err = raised(session.get_auth_token, session)
      assert.equal("CredentialRetrievalError", err.kind)
      assert.matches(case[2], err.message, 1, true)
    end
  end)
end)
