-- Credentials of `aws login`: a cache file, renewed with a proof of possession.
local cjson = require("cjson")
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local NOW, iso, write, raised = machine.NOW, machine.iso, machine.write, machine.raised
local SESSION = "arn:aws:iam::111122223333:user/me"
local CONFIG = "[profile l]\nlogin_session = " .. SESSION .. "\n"

describe("credentials of aws login", function()
  local peer, key, file
  setup(function()
    peer = server.start()
    key = child.output{ "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout" }
    file = "/.aws/login/cache/"
      .. child.output{ "sh", "-c", 'printf %s "$1" | sha256sum', "sh", SESSION }:match("^%x+") .. ".json"
  end)
  before_each(function()
    peer:clear()
  end)
  teardown(function()
    peer:stop()
  end)

  local function cached(left, changes)
    local t = { clientId = "arn:aws:signin:::devtools/same-device", refreshToken = "the-refresh-token",
      dpopKey = key, idToken = "kept", accessToken = { accessKeyId = "AK-old", secretAccessKey = "SECRET-old",
        sessionToken = "TOKEN-old", accountId = "111122223333", expiresAt = iso(NOW + left) } }
    for name, value in pairs(changes or {}) do
      t[name] = value ~= cjson.null and value or nil
    end
    return t
  end

  local function login_machine(token)
    local w = machine.new(CONFIG, { AWS_ENDPOINT_URL_SIGNIN = peer.url .. "/in", AWS_MAX_ATTEMPTS = "1" })
    if token then
      write(w.home .. file, type(token) == "string" and token or cjson.encode(token))
    end
    return w
  end

  local RENEWED = '{"accessToken":{"accessKeyId":"AK-new","secretAccessKey":"SECRET-new","sessionToken":'
    .. '"TOKEN-new"},"tokenType":"aws_sigv4","expiresIn":900,"refreshToken":"the-new-refresh-token"}'

  local function part(jwt, n)
    local parts = {}
    for p in jwt:gmatch("[^.]+") do
      parts[#parts + 1] = p
    end
    local text = parts[n]:gsub("-", "+"):gsub("_", "/")
    text = text .. ("="):rep(-#text % 4)
    return cjson.decode(child.output{ "sh", "-c", 'printf %s "$1" | base64 -d', "sh", text })
  end

  it("are those in its cache while they are good", function()
    local w <close> = login_machine(cached(600))
    local found = w.session{ profile_name = "l" }:get_credentials()
    assert.same({ "AK-old", "SECRET-old", "TOKEN-old", "111122223333", "login", NOW + 600 },
      { found.access_key, found.secret_key, found.token, found.account_id, found.method, found.expiry })
    assert.same({}, peer:requests())
  end)

  it("are looked for where AWS_LOGIN_CACHE_DIRECTORY says", function()
    local w <close> = login_machine()
    w.env.AWS_LOGIN_CACHE_DIRECTORY = "~/$ELSEWHERE"
    w.env.ELSEWHERE = ".aws"
    write(w.home .. file:gsub("login/cache/", ""), cjson.encode(cached(600)))
    assert.equal("AK-old", w.session{ profile_name = "l" }:get_credentials().access_key)
  end)

  it("are renewed with the refresh token and a proof, and kept", function()
    for _, left in ipairs{ 299, -1000 } do
      peer:clear()
      local w <close> = login_machine(cached(left))
      peer:reply{ body = RENEWED }
      local session = w.session{ profile_name = "l" }
      local found = session:get_credentials()
      assert.same({ "AK-new", "SECRET-new", "TOKEN-new", "111122223333", NOW + 900 }, { found.access_key,
        found.secret_key, found.token, found.account_id, found.expiry })
      local request = peer:last()
      assert.same({ "POST", "/in/v1/token", nil },
        { request.method, request.target, request.headers.authorization })
      assert.same({ clientId = "arn:aws:signin:::devtools/same-device", refreshToken = "the-refresh-token",
        grantType = "refresh_token" }, cjson.decode(request.body))
      local header, claims = part(request.headers.dpop, 1), part(request.headers.dpop, 2)
      assert.same({ "dpop+jwt", "ES256", "EC", "P-256" },
        { header.typ, header.alg, header.jwk.kty, header.jwk.crv })
      assert.same({ "POST", peer.url .. "/in/v1/token", NOW }, { claims.htm, claims.htu, claims.iat })
      assert.equal(36, #claims.jti)
      assert.same(cached(0, { refreshToken = "the-new-refresh-token", accessToken = { accessKeyId = "AK-new",
        secretAccessKey = "SECRET-new", sessionToken = "TOKEN-new", accountId = "111122223333",
        expiresAt = iso(NOW + 900) } }), cjson.decode(machine.read(w.home .. file)))
      assert.equal("600\n", child.output{ "stat", "-c", "%a", w.home .. file })
    end
  end)

  it("are taken from another process that renewed them", function()
    local w <close> = login_machine(cached(600))
    local session = w.session{ profile_name = "l" }
    machine.keys(session)
    local theirs = cached(2000)
    theirs.accessToken.accessKeyId = "AK-theirs"
    write(w.home .. file, cjson.encode(theirs))
    w.now = NOW + 590
    assert.equal("AK-theirs", session:get_credentials().access_key)
    assert.same({}, peer:requests())
  end)

  it("end in an error that says what to do", function()
    local function denied(why)
      return { status = 400, headers = { ["x-amzn-ErrorType"] = "AccessDeniedException" },
        body = ('{"error":"%s","message":"no"}'):format(why) }
    end
    local cases = {
      { nil, "LoginTokenLoadError", "Please reauthenticate with 'aws login'." },
      { "no JSON", "LoginTokenLoadError", SESSION },
      { "{}", "LoginTokenLoadError",
        "missing required fields: accessToken, refreshToken, dpopKey, clientId." },
      { cached(600, { dpopKey = cjson.null }), "LoginTokenLoadError", "missing required fields: dpopKey." },
      { cached(0, { dpopKey = "SECRET-key" }), "LoginTokenLoadError",
        "Unable to load private key from cached token." },
      { cached(0), "LoginRefreshRequired", "reauthenticate using 'aws login'", denied("TOKEN_EXPIRED") },
      { cached(0), "LoginRefreshRequired", "reauthenticate", denied("USER_CREDENTIALS_CHANGED") },
      { cached(0), "LoginInsufficientPermissions", "signin:CreateOAuth2Token",
        denied("INSUFFICIENT_PERMISSIONS") },
      { cached(0), "LoginError", "unspecified", denied("SOMETHING") },
      { cached(0), "ClientError", "InternalServerException", { status = 500,
        headers = { ["x-amzn-ErrorType"] = "InternalServerException" },
        body = '{"error":"x","message":"no"}' } },
      { cached(0), "LoginTokenLoadError", "invalid service response", { body = "{}" } },
      { cached(0), "ConnectionClosedError", "", { reset = true } },
    }
    for i, case in ipairs(cases) do
      local w <close> = login_machine(case[1])
      peer:reply(case[4])
      local session = w.session{ profile_name = "l" }
      local err = raised(machine.keys, session)
      assert.equal(case[2], err.kind, i .. tostring(err))
      assert.matches(case[3], tostring(err), 1, true)
      assert.not_matches("SECRET", tostring(err))
    end
  end)
end)
