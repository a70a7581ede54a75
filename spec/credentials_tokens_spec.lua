-- The tokens of `aws sso login` and `aws login` lie in files which several programs share: what luaws writes,
-- botocore reads, and the other way round, and they are whole at any moment.
local cjson = require("cjson")
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local START, LOGIN = "https://corp/start", "arn:aws:iam::111122223333:user/me"
local CONFIG = "[profile s]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Dev\n"
  .. "[profile l]\nlogin_session = " .. LOGIN .. "\n"
  .. "[sso-session corp]\nsso_start_url = " .. START .. "\nsso_region = eu-central-1\n"

-- Several times over: the credentials of a profile, or what is wrong with them, and what its file holds then.
local BOTOCORE = [[
import json, os, sys
import botocore.credentials, botocore.session, botocore.tokens, botocore.utils
what, count = sys.argv[1], int(sys.argv[2])
folder = os.environ["HOME"] + "/.aws/sso/cache"
botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR = folder
botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR = folder
cache = botocore.utils.JSONFileCache(botocore.utils.get_login_token_cache_directory())
loader = botocore.utils.LoginTokenLoader(cache)
name = "arn:aws:iam::111122223333:user/me"
for _ in range(count):
    if what == "sso":
        found = botocore.session.Session(profile="s").get_credentials().get_frozen_credentials()
        print(found.access_key)
    elif what == "login":  # to renew it takes another package
        fetcher = botocore.credentials.LoginCredentialFetcher(name, loader, None)
        print(json.dumps(fetcher.load_cached_credentials(), sort_keys=True))
    else:
        token = loader.load_token(name)
        token["accessToken"].update(json.loads(what))
        loader.save_token(name, token)
]]

-- The same with luaws: each time the token is near its end, so that it is renewed and written.
local LUAWS = [[
local aws, cjson = require("luaws"), require("cjson")
local profile, path, count = arg[1], arg[2], tonumber(arg[3])
for i = 1, count do
  local keys = aws.session{ profile_name = profile }:get_credentials():get_frozen_credentials()
  assert(keys.access_key:find("^AK"))
  local file <close> = assert(io.open(path))
  local token = cjson.decode((file:read("a")))
  assert(token.refreshToken and token.accessToken and token.clientId)
end
print("well")
]]

describe("a token in a file", function()
  local w, peer, key, files
  setup(function()
    key = child.output{ "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout" }
    local function digest(program, text)
      return child.output{ "sh", "-c", 'printf %s "$1" | ' .. program, "sh", text }:match("^%x+")
    end
    files = { s = "/.aws/sso/cache/" .. digest("sha1sum", "corp") .. ".json",
      l = "/.aws/login/cache/" .. digest("sha256sum", LOGIN) .. ".json" }
  end)
  before_each(function()
    peer = server.start()
    w = machine.new(CONFIG, { AWS_ENDPOINT_URL_SSO = peer.url .. "/portal", AWS_MAX_ATTEMPTS = "1",
      AWS_ENDPOINT_URL_SSO_OIDC = peer.url .. "/oidc", AWS_ENDPOINT_URL_SIGNIN = peer.url .. "/signin",
      AWS_DEFAULT_REGION = "eu-west-1", AWS_EC2_METADATA_DISABLED = "true" })
    w.env.AWS_LOGIN_CACHE_DIRECTORY = w.home .. "/.aws/login/cache"
    w.now = os.time()
    machine.write(w.home .. files.s, cjson.encode{ startUrl = START, region = "eu-central-1",
      accessToken = "old", expiresAt = machine.iso(w.now + 60), clientId = "id", clientSecret = "hush",
      refreshToken = "r", registrationExpiresAt = machine.iso(w.now + 86400) })
    machine.write(w.home .. files.l, cjson.encode{ clientId = "c", refreshToken = "r", dpopKey = key,
      idToken = "kept \u{e9}\u{1F600}", accessToken = { accessKeyId = "AK-old", secretAccessKey = "hush",
        sessionToken = "t", accountId = "111122223333", expiresAt = machine.iso(w.now + 60) } })
  end)
  after_each(function()
    getmetatable(w).__close(w)
    peer:stop()
  end)

  --- What the services answer: tokens that are good for so many seconds, long ones and short ones.
  local function answer(seconds)
    local replies = { { target = "^/portal", always = true, body = cjson.encode{ roleCredentials = {
      accessKeyId = "AK-sso", secretAccessKey = "SECRET-sso", sessionToken = "TOKEN-sso",
      expiration = (w.now + 7200) * 1000 } } } }
    for i = 1, 60 do
      local long = ("x"):rep(i % 2 * 60000)
      replies[#replies + 1] = { target = "^/oidc", body = cjson.encode{ accessToken = "new" .. i,
        expiresIn = seconds, refreshToken = "r" .. i .. long } }
      replies[#replies + 1] = { target = "^/signin", body = cjson.encode{ tokenType = "aws_sigv4",
        expiresIn = seconds, refreshToken = "r" .. i .. long, accessToken = { accessKeyId = "AK-new" .. i,
          secretAccessKey = "hush", sessionToken = "t\"\\\u{e9}" } } }
    end
    peer:reply(table.unpack(replies))
  end

  --- Words that run a program in the environment of w.
  local function command(...)
    local words = { "env", "-i", "PATH=" .. os.getenv("PATH"), "HOME=" .. w.home,
      "AWS_CONFIG_FILE=" .. w.home .. "/.aws/config" }
    for name, value in pairs(w.env) do
      words[#words + 1] = name .. "=" .. value
    end
    for _, word in ipairs{ ... } do
      words[#words + 1] = word
    end
    return words
  end

  local function botocore(what, count)
    return child.output(command("python3", "-c", BOTOCORE, what, tostring(count or 1)))
  end

  local function luaws(profile)
    return w.session{ profile_name = profile }:get_credentials():get_frozen_credentials()
  end

  --- The tokens that the portal was shown since the last time.
  local function shown()
    local tokens = {}
    for _, request in ipairs(peer:requests()) do
      tokens[#tokens + 1] = request.target:find("^/portal") and request.headers["x-amz-sso_bearer_token"]
        or "renewed"
    end
    peer:clear()
    return tokens
  end

  it("of SSO that luaws has renewed is used by botocore, and the other way round", function()
    answer(3600)
    assert.equal("AK-sso", luaws("s").access_key)
    assert.same({ "renewed", "new1" }, shown())
    answer(3600)
    assert.equal("AK-sso\n", botocore("sso"))
    assert.same({ "new1" }, shown())
    w.now = w.now + 3000 -- luaws' clock; botocore has the real one
    answer(500)
    assert.equal("AK-sso", luaws("s").access_key)
    assert.same({ "renewed", "new1" }, shown())
    w.now = w.now - 3000
    machine.write(w.home .. files.s, (machine.read(w.home .. files.s):gsub('("expiresAt": ")[^"]*',
      "%1" .. machine.iso(w.now + 60))))
    answer(3600)
    assert.equal("AK-sso\n", botocore("sso"))
    assert.same({ "renewed", "new1" }, shown())
    answer(3600)
    assert.equal("AK-sso", luaws("s").access_key)
    assert.same({ "new1" }, shown())
  end)

  it("of a login that luaws has renewed is read by botocore, and the other way round", function()
    answer(3600)
    local keys = luaws("l")
    assert.same({ access_key = "AK-new1", secret_key = "hush", token = "t\"\\\u{e9}",
      account_id = "111122223333", expiry_time = machine.iso(w.now + 3600) }, cjson.decode(botocore("login")))
    assert.equal("AK-new1", keys.access_key)
    assert.equal("kept \u{e9}\u{1F600}", cjson.decode(machine.read(w.home .. files.l)).idToken)
    botocore(cjson.encode{ accessKeyId = "AK-theirs", sessionToken = "u\u{1F600}",
      expiresAt = machine.iso(w.now + 3000) })
    keys = luaws("l")
    assert.same({ "AK-theirs", "u\u{1F600}" }, { keys.access_key, keys.token })
    assert.equal(1, #peer:requests())
  end)

  --- Renews the same token in three processes of luaws at once, with somebody else who uses the file.
  local function crowd(profile, other)
    answer(60)
    machine.write(w.home .. "/luaws.lua", LUAWS)
    machine.write(w.home .. "/other.py", BOTOCORE)
    local said = child.output(command("sh", "-c",
      'for i in 1 2 3; do "$1" "$HOME/luaws.lua" "$2" "$HOME$3" 15 2>&1 & done; '
      .. 'python3 "$HOME/other.py" "$4" 10 2>&1 >"$HOME/said" & wait', "sh",
      os.getenv("LUAWS_BUILD") .. "/luaws", profile, files[profile], other))
    assert.equal("well\nwell\nwell\n", said)
    assert.equal("600\n", child.output{ "stat", "-c", "%a", w.home .. files[profile] })
    assert.equal(w.home .. files[profile] .. "\n", child.output{ "find",
      w.home .. files[profile]:match("^.*/"), "-type", "f" }) -- nothing half-written stays
    local _, lines = machine.read(w.home .. "/said"):gsub("\n", "")
    assert.equal(10, lines)
    local renewed = 0
    for _, request in ipairs(peer:requests()) do
      renewed = renewed + (request.target:find("^/portal") and 0 or 1)
    end
    assert.is_true(renewed >= 45)
  end

  it("of SSO is whole at any moment, whoever renews and reads it", function()
    crowd("s", "sso")
  end)

  it("of a login is whole at any moment, whoever renews and reads it", function()
    crowd("l", "login")
  end)
end)
