-- Credentials kept in files (credential_cache): what luaws writes, botocore reads, and the other way round.
local child = require("spec.support.child")
local cjson = require("cjson")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

-- Finds the credentials of every profile, with the folder as botocore's cache.
local BOTOCORE = [[
import json, sys
import botocore.session, botocore.tokens, botocore.credentials
from botocore.utils import JSONFileCache
home, folder = sys.argv[1:3]
botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR = home + "/.aws/sso/cache"
botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR = home + "/.aws/sso/cache"
found = {}
for profile in sys.argv[3:]:
    session = botocore.session.Session(profile=profile)
    resolver = session.get_component("credential_provider")
    for name in ("assume-role", "sso"):
        provider = resolver.get_provider(name)
        provider.cache = JSONFileCache(folder)
        if name == "assume-role":
            provider._prompter = lambda text: "123456"
    try:
        found[profile] = list(session.get_credentials().get_frozen_credentials())
    except Exception as e:
        found[profile] = type(e).__name__ + ": " + str(e)
print(json.dumps(found))
]]

local PROFILES = {
  plain = "role_arn = arn:aws:iam::1:role/plain\nsource_profile = base\n",
  all = "role_arn = arn:aws:iam::1:role/path/all\nsource_profile = base\nexternal_id = e-1\n"
    .. "role_session_name = me@here\nduration_seconds = 1800\nmfa_serial = arn:aws:iam::1:mfa/me\n",
  short = "role_arn = arn:aws:iam::1:role/short\nsource_profile = base\nduration_seconds = 0900\n",
  bad = "role_arn = arn:aws:iam::1:role/bad\nsource_profile = base\nduration_seconds = 1e3\n",
  odd = "role_arn = arn:aws:iam::1:role/odd\nsource_profile = base\nexternal_id = a\"b\\c/\u{e9}\u{1F600}\n",
  row = "role_arn = arn:aws:iam::1:role/row\nsource_profile = plain\n",
  sso = "sso_session = corp\u{fc}\nsso_account_id = 111122223333\nsso_role_name = Dev\n",
  old = "sso_start_url = https://old/start\nsso_region = eu-west-1\nsso_account_id = 1\n"
    .. "sso_role_name = Dev/x\n",
}

describe("credentials in files are shared with botocore:", function()
  local w, peer, env, names
  before_each(function()
    peer = server.start()
    local config = { machine.BASE,
      "[sso-session corp\u{fc}]\nsso_start_url = https://corp/start\nsso_region = eu-west-1\n" }
    names = {}
    for name, text in pairs(PROFILES) do
      config[#config + 1] = "[profile " .. name .. "]\n" .. text
      names[#names + 1] = name
    end
    table.sort(names)
    env = { AWS_ENDPOINT_URL_STS = peer.url, AWS_ENDPOINT_URL_SSO = peer.url, AWS_MAX_ATTEMPTS = "1",
      AWS_EC2_METADATA_DISABLED = "true", AWS_DEFAULT_REGION = "eu-west-1" }
    w = machine.new(table.concat(config), env)
    w.now = os.time()
    for _, name in ipairs{ "corp\u{fc}", "https://old/start" } do
      local sha1 = child.output{ "sh", "-c", "printf %s \"$1\" | sha1sum", "sh", name }:match("^%x+")
      machine.write(w.home .. "/.aws/sso/cache/" .. sha1 .. ".json",
        '{"accessToken":"the-access-token","expiresAt":"2099-01-01T00:00:00Z"}')
    end
    local sts = machine.sts_answer("AssumeRole", "r", { expiry = w.now + 7200 })
    sts.always, sts.method = true, "POST"
    peer:reply(sts, { method = "GET", always = true, body = cjson.encode{ roleCredentials = {
      accessKeyId = "AK-sso", secretAccessKey = "SECRET-sso", sessionToken = "TOKEN-sso",
      expiration = (w.now + 7200) * 1000 } } })
  end)
  after_each(function()
    getmetatable(w).__close(w)
    peer:stop()
  end)

  local function botocore(folder)
    local words = { "env", "-i", "PATH=" .. os.getenv("PATH"), "HOME=" .. w.home }
    for name, value in pairs(env) do
      words[#words + 1] = name .. "=" .. value
    end
    for _, word in ipairs{ "python3", "-c", BOTOCORE, w.home, folder, table.unpack(names) } do
      words[#words + 1] = word
    end
    return cjson.decode(child.output(words))
  end

  local function luaws(folder)
    local found = {}
    for _, name in ipairs(names) do
      local keys = machine.keys(w.session{ profile_name = name, credential_cache = folder,
        mfa_prompt = function() return "123456" end })
      found[name] = { keys.access_key, keys.secret_key, keys.token, keys.account_id }
    end
    return found
  end

  local EXPECTED = {}
  for name in pairs(PROFILES) do
    EXPECTED[name] = { "AK-r", "SECRET-r", "TOKEN-r", "123456789012" }
  end
  EXPECTED.sso = { "AK-sso", "SECRET-sso", "TOKEN-sso", "111122223333" }
  EXPECTED.old = { "AK-sso", "SECRET-sso", "TOKEN-sso", "1" }

  it("written by luaws, they are read by botocore", function()
    assert.same(EXPECTED, luaws(w.home .. "/cache"))
    peer:clear() -- from now on nobody gets anything
    assert.same(EXPECTED, botocore(w.home .. "/cache"))
    assert.same({}, peer:requests())
    local listing = child.output{ "stat", "-c", "%a %n", "--", "/dev/null",
      child.output{ "sh", "-c", "ls -d \"$1\"/cache/* | head -1", "sh", w.home }:match("[^\n]+") }
    assert.matches("\n600 ", listing)
    assert.equal("700\n", child.output{ "stat", "-c", "%a", w.home .. "/cache" })
  end)

  it("written by botocore, they are read by luaws", function()
    assert.same(EXPECTED, botocore(w.home .. "/cache"))
    peer:clear()
    assert.same(EXPECTED, luaws(w.home .. "/cache"))
    assert.same({}, peer:requests())
  end)

  it("in files of the same names", function()
    luaws(w.home .. "/ours")
    botocore(w.home .. "/theirs")
    assert.equal(child.output{ "ls", w.home .. "/theirs" }, child.output{ "ls", w.home .. "/ours" })
  end)

  it("those that end within a quarter of an hour, and files that are none, are not used", function()
    local folder = w.home .. "/cache"
    luaws(folder)
    local count = #peer:requests()
    w.now = w.now + 7200 - 900 -- exactly a quarter left
    luaws(folder)
    assert.is_true(#peer:requests() >= 2 * count)
    w.now = os.time()
    for _, text in ipairs{ "", "{", "[]", '{"Credentials":{}}', '{"Credentials":{"AccessKeyId":1}}' } do
      child.output{ "sh", "-c", 'for f in "$1"/*; do printf %s "$2" >"$f"; done', "sh", folder, text }
      assert.same(EXPECTED, luaws(folder))
    end
  end)

  it("are whole at any moment, whoever writes and reads them", function()
    local script = w.home .. "/script.lua"
    machine.write(script, [[
      local aws = require("luaws")
      for i = 1, 40 do
        local session = aws.session{ profile_name = "plain",
          credential_cache = os.getenv("HOME") .. "/cache" }
        assert(session:get_credentials().access_key == "AK-r")
        if i % 3 == 0 then os.execute("rm -f \"$HOME\"/cache/*.json") end
      end
      print("well")
    ]])
    local words = { "env", "HOME=" .. w.home, "AWS_CONFIG_FILE=" .. w.home .. "/.aws/config" }
    for name, value in pairs(env) do
      words[#words + 1] = name .. "=" .. value
    end
    for _, word in ipairs{ "sh", "-c", 'for i in 1 2 3; do "$1" "$2" 2>&1 & done; wait', "sh",
      os.getenv("LUAWS_BUILD") .. "/luaws", script } do
      words[#words + 1] = word
    end
    assert.equal("well\nwell\nwell\n", child.output(words))
    assert.not_matches("json%.", child.output{ "ls", w.home .. "/cache" }) -- nothing half-written stays
  end)
end)
