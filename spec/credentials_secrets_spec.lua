-- Nothing that luaws prints or raises has a secret in it, whatever it is told to print. All cases run in one
-- process, which shows all that there is to see (support/show_secrets.lua).
local cjson = require("cjson")
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local NOW, iso = machine.NOW, machine.iso

-- ---- what is answered ----

local function sts(operation)
  local format = "<%sResponse><%sResult><Credentials><AccessKeyId>AK</AccessKeyId>"
    .. "<SecretAccessKey>SECRET-sts</SecretAccessKey><SessionToken>SECRET-token</SessionToken>"
    .. "<Expiration>%s</Expiration></Credentials></%sResult></%sResponse>"
  return { body = format:format(operation, operation, iso(NOW + 3600), operation, operation) }
end
local KEYS = { body = '{"AccessKeyId":"AK","SecretAccessKey":"SECRET-http","Token":"SECRET-token",'
  .. '"Expiration":"' .. iso(NOW + 3600) .. '"}' }
local SSO_KEYS = { body = '{"roleCredentials":{"accessKeyId":"AK","secretAccessKey":"SECRET-sso",'
  .. '"sessionToken":"SECRET-t","expiration":' .. NOW + 3600 .. '000}}' }

-- ---- what is set up: files in the home folder, the environment, a profile, answers ----

local BASE = "[profile base]\naws_access_key_id = AK\naws_secret_access_key = SECRET-base\n"
local SSO = "[profile s]\nsso_session = c\nsso_account_id = 1\nsso_role_name = r\n"
  .. "[sso-session c]\nsso_start_url = https://c/\nsso_region = eu-west-1\n"
-- Of "c", of "https://c/" and of "x".
local SSO_FILE = ".aws/sso/cache/84a516841ba77a5b4648de2cd0dfcb30ea46dbb4.json"
local OLD_SSO_FILE = ".aws/sso/cache/8decc1ceeaf3514eca63744ec2f30cbcc036b7bc.json"
local LOGIN_FILE = ".aws/login/cache/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.json"

local function process(program)
  return { files = { p = program, [".aws/config"] = "[profile p]\ncredential_process = sh 'HOME/p'\n" },
    profile = "p" }
end

local dpop_key

local CASES = {
  ["keys in the environment"] = function()
    return { env = { AWS_ACCESS_KEY_ID = "AK", AWS_SECRET_ACCESS_KEY = "SECRET-env",
      AWS_SESSION_TOKEN = "SECRET-t" }, expected = "env found: AWS_ACCESS_KEY_ID" }
  end,
  ["a file that cannot be parsed"] = function()
    return { files = { [".aws/credentials"] = "[default]\naws_access_key_id = AK\nSECRET-line\n" },
      expected = "Unable to parse config file" }
  end,
  ["an assumed role with MFA"] = function()
    return { files = { [".aws/config"] = BASE .. machine.role() .. "mfa_serial = arn:aws:iam::1:mfa/me\n" },
      profile = "a", replies = { sts("AssumeRole") }, expected = "assume-role found" }
  end,
  ["a role that may not be assumed"] = function()
    return { files = { [".aws/config"] = BASE .. machine.role() }, profile = "a", replies = { { status = 403,
      always = true, body = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>" } },
      expected = "assume-role failed" }
  end,
  ["a web identity"] = function()
    return { files = { token = "SECRET-web-identity" }, replies = { sts("AssumeRoleWithWebIdentity") },
      env = { AWS_WEB_IDENTITY_TOKEN_FILE = "HOME/token", AWS_ROLE_ARN = "arn:aws:iam::1:role/web" },
      expected = "assume-role-with-web-identity found" }
  end,
  ["a web identity that is too short"] = function()
    return { files = { token = "SEC" },
      env = { AWS_WEB_IDENTITY_TOKEN_FILE = "HOME/token", AWS_ROLE_ARN = "arn:aws:iam::1:role/web" },
      expected = "assume-role-with-web-identity failed", secret = "SEC" }
  end,
  ["a container"] = function()
    return { env = { AWS_CONTAINER_CREDENTIALS_FULL_URI = "PEER/",
      AWS_CONTAINER_AUTHORIZATION_TOKEN = "SECRET-auth" }, replies = { KEYS },
      expected = "container-role found" }
  end,
  ["a container's file"] = function()
    return { files = { token = "SECRET-auth" }, replies = { KEYS },
      env = { AWS_CONTAINER_CREDENTIALS_FULL_URI = "PEER/",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = "HOME/token" }, expected = "container-role found" }
  end,
  ["an instance"] = function()
    return { env = { AWS_EC2_METADATA_SERVICE_ENDPOINT = "PEER", AWS_EC2_METADATA_DISABLED = "false" },
      replies = { "SECRET-imds-token", "role", KEYS }, expected = "iam-role found" }
  end,
  ["an instance that says the token back"] = function()
    return { env = { AWS_EC2_METADATA_SERVICE_ENDPOINT = "PEER", AWS_EC2_METADATA_DISABLED = "false" },
      replies = { "SECRET-imds-token", "role", '{"Code":"no such token: SECRET-imds-token"}' },
      expected = "the metadata service gives no AccessKeyId" }
  end,
  ["SSO, and bearer tokens"] = function()
    return { files = { [".aws/config"] = SSO, [SSO_FILE] = cjson.encode{ accessToken = "SECRET-access",
      expiresAt = iso(NOW + 60), clientId = "id", clientSecret = "SECRET-client",
      refreshToken = "SECRET-refresh", registrationExpiresAt = iso(NOW + 9999) } }, profile = "s", replies = {
        '{"accessToken":"SECRET-new","expiresIn":9999,"refreshToken":"SECRET-newer"}', SSO_KEYS },
      expected = "the SSO token was refreshed" }
  end,
  ["SSO of old"] = function()
    return { files = { [".aws/config"] = "[profile s]\nsso_account_id = 1\nsso_role_name = r\n"
      .. "sso_start_url = https://c/\nsso_region = eu-west-1\n", [OLD_SSO_FILE] = cjson.encode{
        accessToken = "SECRET-access", expiresAt = iso(NOW + 9999) } }, profile = "s", replies = { SSO_KEYS },
      expected = "sso found" }
  end,
  ["aws login"] = function()
    dpop_key = dpop_key or child.output{ "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout" }
    return { files = { [".aws/config"] = "[profile l]\nlogin_session = x\n", [LOGIN_FILE] = cjson.encode{
      accessToken = { accessKeyId = "AK", secretAccessKey = "SECRET-login", sessionToken = "SECRET-s",
        accountId = "1", expiresAt = iso(NOW) }, refreshToken = "SECRET-refresh", dpopKey = dpop_key,
      clientId = "arn:aws:signin:::devtools/same-device" } }, profile = "l", replies = {
        '{"accessToken":{"accessKeyId":"AK","secretAccessKey":"SECRET-n","sessionToken":"SECRET-t"},'
        .. '"tokenType":"aws_sigv4","expiresIn":900,"refreshToken":"SECRET-refreshed"}' },
      expected = "login found", secret = dpop_key:match("\n(%S+)") }
  end,
  ["a program"] = function()
    local case = process([[printf '{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"SECRET-p"}']])
    case.expected = "custom-process found"
    return case
  end,
  ["a program that fails"] = function()
    local case = process("echo SECRET-p; exit 3")
    case.expected = "the process ended with status 3"
    return case
  end,
  ["a program that prints no JSON"] = function()
    local case = process("echo SECRET-p")
    case.expected = "no JSON object"
    return case
  end,
  ["the file of the first tools"] = function()
    return { files = { ec2 = "AWSAccessKeyId=AK\nAWSSecretKey=SECRET-ec2\n" },
      env = { AWS_CREDENTIAL_FILE = "HOME/ec2" }, expected = "ec2-credentials-file found" }
  end,
  ["boto's file"] = function()
    return { files = { boto = "[Credentials]\naws_access_key_id = AK\n"
      .. "aws_secret_access_key = SECRET-boto\n" }, env = { BOTO_CONFIG = "HOME/boto" },
      expected = "boto-config found" }
  end,
  ["the credentials file"] = function()
    return { files = { [".aws/credentials"] = "[default]\naws_access_key_id = AK\n"
      .. "aws_secret_access_key = SECRET-f\naws_session_token = SECRET-t\n" },
      expected = "shared-credentials-file found" }
  end,
  ["a config file"] = function()
    return { files = { [".aws/config"] = BASE }, profile = "base", expected = "config-file found" }
  end,
  ["a bearer token in the environment"] = function()
    return { env = { AWS_BEARER_TOKEN_BEDROCK = "SECRET-bearer" },
      expected = "bedrock.ListFoundationModels: attempt 1" }
  end,
  ["providers in Lua"] = function()
    return { own = { credentials = { access_key = "AK", secret_key = "SECRET-own",
      token = "SECRET-own-token" }, token = "SECRET-own-bearer" }, expected = "vault found" }
  end,
  ["providers in Lua that fail"] = function()
    return { own = {}, expected = "the vault is closed" }
  end,
  ["an instance at an address that is none"] = function()
    return { env = { AWS_EC2_METADATA_SERVICE_ENDPOINT = "http://user:SECRET-url@a b/" },
      expected = "Metadata endpoint: http://***@a b/" }
  end,
  ["an endpoint with a password"] = function()
    return { env = { AWS_ACCESS_KEY_ID = "AK", AWS_SECRET_ACCESS_KEY = "SECRET-env",
      AWS_ENDPOINT_URL = "http://user:SECRET-url@127.0.0.1:1/" },
      expected = "Invalid endpoint: http://***@127.0.0.1:1/" }
  end,
  ["an endpoint that is no URL"] = function()
    return { env = { AWS_ACCESS_KEY_ID = "AK", AWS_SECRET_ACCESS_KEY = "SECRET-env",
      AWS_ENDPOINT_URL = "ftp://user:SECRET/url@host" }, expected = "Invalid endpoint: ftp://***@host" }
  end,
}

-- The same with answers that cannot be used, and have secrets in them.
local USELESS = {
  ["that is cut off"] = { body = '{"SecretAccessKey":"SECRET-answer","Token":"SECRET' },
  ["that is half an element"] = { body = "<a><SecretAccessKey>SECRET-answer</Secret" },
  ["that is a failure"] = { status = 500, body = '{"accessToken":"SECRET-answer"}' },
  ["that has the wrong types"] = {
    body = '{"roleCredentials":"SECRET-answer","accessToken":["SECRET-answer"],"SecretAccessKey":7}' },
}
local ASKED = { "an assumed role with MFA", "a web identity", "a container", "an instance",
  "SSO, and bearer tokens", "SSO of old", "aws login" }
-- A container is asked again, after a second: once is enough of that.
local SLOW = { ["a container after an answer that is cut off"] = true,
  ["a container after an answer that is half an element"] = true }
local USELESS_AT_ONCE = { body = USELESS["that has the wrong types"].body, always = true }

-- ---- one run for all ----

local function write(path, text)
  child.output{ "mkdir", "-p", (path:match("^(.*)/")) }
  machine.write(path, text)
  child.output{ "chmod", "600", path }
end

describe("what is printed", function()
  local peer, folder
  local cases, replies, checks, printed, asked = {}, {}, {}, {}, {}

  local useless = {}
  for _, name in ipairs(ASKED) do
    for what, reply in pairs(USELESS) do
      useless[("%s after an answer %s"):format(name, what)] = function()
        local case = CASES[name]()
        case.replies = name == "a container" and { reply, USELESS_AT_ONCE }
          or { { status = reply.status, body = reply.body, always = true } }
        return case
      end
    end
  end
  for name in pairs(SLOW) do
    useless[name] = nil
  end

  local function add(name, case)
    local id = ("c%d"):format(#cases + 1)
    local home, url = folder .. "/" .. id, peer.url .. "/" .. id
    local function filled(text)
      return (text:gsub("HOME", home):gsub("PEER", url))
    end
    for file, text in pairs(case.files or {}) do
      write(home .. "/" .. file, filled(text))
    end
    local env = { AWS_ENDPOINT_URL = url, AWS_MAX_ATTEMPTS = "1", AWS_EC2_METADATA_DISABLED = "true" }
    for variable, value in pairs(case.env or {}) do
      env[variable] = filled(value)
    end
    for i, reply in ipairs(case.replies or {}) do
      case.replies[i] = { target = "^/" .. id .. "\\b", status = reply.status, always = reply.always,
        body = type(reply) == "string" and reply or reply.body }
    end
    table.move(case.replies or {}, 1, #(case.replies or {}), #replies + 1, replies)
    cases[#cases + 1] = { name = name, home = home, env = env, profile = case.profile, own = case.own }
    return { id = id, expected = case.expected, secret = case.secret }
  end

  setup(function()
    peer, folder = server.start(), server.temporary_folder()
    for name, make in pairs(CASES) do
      checks[name] = add(name, make())
    end
    for name, make in pairs(useless) do
      checks[name] = add(name, make())
    end
    peer:reply(table.unpack(replies))
    machine.write(folder .. "/plan", cjson.encode{ now = NOW, cases = cases })
    local output = child.output{ "env", "-i", "HOME=" .. folder, "sh", "-c", '"$@" 2>&1 || true', "sh",
      os.getenv("LUAWS_BUILD") .. "/luaws", "spec/support/show_secrets.lua", folder .. "/plan" }
    for name, text in output:gmatch("\n=== ([^\n]+)\n(.-)\n=== end") do
      printed[name] = text
    end
    for _, request in ipairs(peer:requests()) do
      asked[request.target:match("^/(c%d+)") or ""] = true
    end
  end)
  teardown(function()
    peer:stop()
    child.output{ "rm", "-rf", folder }
  end)

  local function has_no_secret(name)
    local check, text = checks[name], printed[name]
    assert(text, "nothing was printed")
    assert.not_matches("SECRET", text, 1, true)
    assert.not_matches(check.secret or "SECRET", text, 1, true)
    return check, text
  end

  for name in pairs(CASES) do
    it("has no secret of " .. name, function()
      local check, text = has_no_secret(name)
      assert.matches(check.expected, text, 1, true)
    end)
  end
  for name in pairs(useless) do
    it("has no secret of " .. name, function()
      local check = has_no_secret(name)
      assert.is_true(asked[check.id])
    end)
  end
end)
