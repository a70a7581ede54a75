-- Nothing that luaws prints or raises has a secret in it, whatever it is told to print.
local cjson = require("cjson")
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local NOW, iso, write = machine.NOW, machine.iso, machine.write

describe("what is printed", function()
  local peer, w
  setup(function()
    peer = server.start()
  end)
  before_each(function()
    peer:clear()
    w = machine.new()
  end)
  after_each(function()
    child.output{ "rm", "-rf", w.home }
  end)
  teardown(function()
    peer:stop()
  end)

  -- Runs in a process of its own, since the log is the process's.
  local SCRIPT = [[
    local aws = require("luaws")
    aws.set_stream_logger("", "debug")
    local session = aws.session{ profile_name = arg[1] ~= "" and arg[1] or nil, region_name = "eu-west-1",
      _clock = function() return %d end, mfa_prompt = function() return "SECRETcode" end }
    local ok, found = pcall(function() return session:get_credentials():get_frozen_credentials() end)
    print(ok, found, aws.pretty(session:explain()), session:explain())
    print(aws.pretty(session), aws.pretty(found), aws.pretty(session:get_credentials()))
    for service, operation in pairs{ sqs = "list_queues", codecatalyst = "list_spaces",
      bedrock = "list_foundation_models" } do
      local client = session:client(service)
      local _, answer = pcall(client[operation], client, {})
      print(client, answer, tostring(answer), aws.pretty(answer), aws.pretty(client))
      if service == "sqs" then
        print(select(2, pcall(client.list_queues, client, { QueueNamePrefix = 42, Nonsense = true })))
      end
    end
  ]]

  local function run(profile, env)
    local script = w.home .. "/script.lua"
    write(script, SCRIPT:format(NOW))
    local words = { "env", "-i", "HOME=" .. w.home, "AWS_MAX_ATTEMPTS=1", "AWS_ENDPOINT_URL=" .. peer.url }
    for name, value in pairs(env or {}) do
      words[#words + 1] = name .. "=" .. value
    end
    words[#words + 1] = "sh"
    words[#words + 1] = "-c"
    words[#words + 1] = '"$@" 2>&1 || true'
    words[#words + 1] = "sh"
    words[#words + 1] = os.getenv("LUAWS_BUILD") .. "/luaws"
    words[#words + 1] = script
    words[#words + 1] = profile or ""
    return child.output(words)
  end

  local STS = '<%sResponse><%sResult><Credentials><AccessKeyId>AK</AccessKeyId><SecretAccessKey>SECRET-sts'
    .. '</SecretAccessKey><SessionToken>SECRET-token</SessionToken><Expiration>%s</Expiration></Credentials>'
    .. '</%sResult></%sResponse>'
  local function sts(operation)
    return { body = STS:format(operation, operation, iso(NOW + 3600), operation, operation) }
  end
  local KEYS = '{"AccessKeyId":"AK","SecretAccessKey":"SECRET-http","Token":"SECRET-token","Expiration":"'
    .. iso(NOW + 3600) .. '"}'
  local BASE = "[profile base]\naws_access_key_id = AK\naws_secret_access_key = SECRET-base\n"

  local function sha(program, text)
    return (child.output{ "sh", "-c", 'printf %s "$1" | ' .. program, "sh", text }:match("^%x+"))
  end

  local cases = {
    ["keys in the environment"] = function()
      return nil, { AWS_ACCESS_KEY_ID = "AK", AWS_SECRET_ACCESS_KEY = "SECRET-env",
        AWS_SESSION_TOKEN = "SECRET-t" }, "env found: AWS_ACCESS_KEY_ID"
    end,
    ["keys in a file that everybody reads"] = function()
      write(w.home .. "/.aws/credentials",
        "[default]\naws_access_key_id = AK\naws_secret_access_key = SECRET-f\n")
      child.output{ "chmod", "644", w.home .. "/.aws/credentials" }
      return nil, nil, "can be read by every user of this machine"
    end,
    ["a file that cannot be parsed"] = function()
      write(w.home .. "/.aws/credentials", "[default]\naws_access_key_id = AK\nSECRET-line\n")
      return nil, nil, "Unable to parse config file"
    end,
    ["an assumed role with MFA"] = function()
      write(w.home .. "/.aws/config", BASE .. machine.role() .. "mfa_serial = arn:aws:iam::1:mfa/me\n")
      peer:reply(sts("AssumeRole"))
      return "a", nil, "assume-role found"
    end,
    ["a role that may not be assumed"] = function()
      write(w.home .. "/.aws/config", BASE .. machine.role())
      peer:reply{ status = 403, always = true,
        body = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>" }
      return "a", nil, "assume-role failed"
    end,
    ["a web identity"] = function()
      write(w.home .. "/token", "SECRET-web-identity")
      peer:reply(sts("AssumeRoleWithWebIdentity"))
      return nil, { AWS_WEB_IDENTITY_TOKEN_FILE = w.home .. "/token",
        AWS_ROLE_ARN = "arn:aws:iam::1:role/web" }, "assume-role-with-web-identity found"
    end,
    ["a web identity that is too short"] = function()
      write(w.home .. "/token", "SEC")
      return nil, { AWS_WEB_IDENTITY_TOKEN_FILE = w.home .. "/token",
        AWS_ROLE_ARN = "arn:aws:iam::1:role/web" }, "assume-role-with-web-identity failed", "SEC"
    end,
    ["a container"] = function()
      peer:reply(KEYS)
      return nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url,
        AWS_CONTAINER_AUTHORIZATION_TOKEN = "SECRET-auth" }, "container-role found"
    end,
    ["an instance"] = function()
      peer:reply("SECRET-imds-token", "role", KEYS)
      return nil, { AWS_EC2_METADATA_SERVICE_ENDPOINT = peer.url }, "iam-role found"
    end,
    ["SSO, and bearer tokens"] = function()
      write(w.home .. "/.aws/config", "[profile s]\nsso_session = c\nsso_account_id = 1\nsso_role_name = r\n"
        .. "[sso-session c]\nsso_start_url = https://c/\nsso_region = eu-west-1\n")
      write(w.home .. "/.aws/sso/cache/" .. sha("sha1sum", "c") .. ".json", cjson.encode{
        accessToken = "SECRET-access", expiresAt = iso(NOW + 60), clientId = "id",
        clientSecret = "SECRET-client", refreshToken = "SECRET-refresh",
        registrationExpiresAt = iso(NOW + 9999) })
      peer:reply({ body = '{"accessToken":"SECRET-new","expiresIn":9999,"refreshToken":"SECRET-newer"}' },
        { body = '{"roleCredentials":{"accessKeyId":"AK","secretAccessKey":"SECRET-sso",'
          .. '"sessionToken":"SECRET-t","expiration":' .. NOW + 3600 .. '000}}' })
      return "s", nil, "the SSO token was refreshed"
    end,
    ["aws login"] = function()
      local key = child.output{ "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout" }
      write(w.home .. "/.aws/config", "[profile l]\nlogin_session = x\n")
      write(w.home .. "/.aws/login/cache/" .. sha("sha256sum", "x") .. ".json", cjson.encode{
        accessToken = { accessKeyId = "AK", secretAccessKey = "SECRET-login", sessionToken = "SECRET-s",
          accountId = "1", expiresAt = iso(NOW) }, refreshToken = "SECRET-refresh", dpopKey = key,
        clientId = "arn:aws:signin:::devtools/same-device" })
      peer:reply{ body = '{"accessToken":{"accessKeyId":"AK","secretAccessKey":"SECRET-n",'
        .. '"sessionToken":"SECRET-t"},"tokenType":"aws_sigv4","expiresIn":900,'
        .. '"refreshToken":"SECRET-refreshed"}' }
      return "l", nil, "login found", key:match("\n(%S+)")
    end,
    ["a program"] = function()
      write(w.home .. "/p", [[printf '{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"SECRET-p"}']])
      write(w.home .. "/.aws/config", "[profile p]\ncredential_process = sh " .. w.home .. "/p\n")
      return "p", nil, "custom-process found"
    end,
  }

  local function file(variable, name, text)
    return function()
      write(w.home .. name, text)
      return nil, { [variable] = w.home .. name }, "found"
    end
  end
  cases["the file of the first tools"] = file("AWS_CREDENTIAL_FILE", "/ec2",
    "AWSAccessKeyId=AK\nAWSSecretKey=SECRET-ec2\n")
  cases["boto's file"] = file("BOTO_CONFIG", "/boto",
    "[Credentials]\naws_access_key_id = AK\naws_secret_access_key = SECRET-boto\n")
  cases["a config file"] = function()
    write(w.home .. "/.aws/config", BASE)
    return "base", nil, "config-file found"
  end
  cases["a container's file"] = function()
    write(w.home .. "/token", "SECRET-auth")
    peer:reply(KEYS)
    return nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = w.home .. "/token" }, "container-role found"
  end
  cases["a program that fails"] = function()
    write(w.home .. "/p", "echo SECRET-p; exit 3")
    write(w.home .. "/.aws/config", "[profile p]\ncredential_process = sh " .. w.home .. "/p\n")
    return "p", nil, "the process ended with status 3"
  end
  cases["a program that prints no JSON"] = function()
    write(w.home .. "/p", "echo SECRET-p")
    write(w.home .. "/.aws/config", "[profile p]\ncredential_process = sh " .. w.home .. "/p\n")
    return "p", nil, "no JSON object"
  end
  cases["SSO of old"] = function()
    write(w.home .. "/.aws/config", "[profile s]\nsso_account_id = 1\nsso_role_name = r\n"
      .. "sso_start_url = https://c/\nsso_region = eu-west-1\n")
    write(w.home .. "/.aws/sso/cache/" .. sha("sha1sum", "https://c/") .. ".json", cjson.encode{
      accessToken = "SECRET-access", expiresAt = iso(NOW + 9999) })
    peer:reply{ body = '{"roleCredentials":{"accessKeyId":"AK","secretAccessKey":"SECRET-sso",'
      .. '"sessionToken":"SECRET-t","expiration":' .. NOW + 3600 .. '000}}' }
    return "s", nil, "sso found"
  end
  cases["a bearer token in the environment"] = function()
    return nil, { AWS_BEARER_TOKEN_BEDROCK = "SECRET-bearer" },
      "bedrock.ListFoundationModels: attempt 1"
  end
  cases["a proxy's password"] = function()
    return nil, { AWS_ACCESS_KEY_ID = "AK", AWS_SECRET_ACCESS_KEY = "SECRET-env",
      HTTP_PROXY = "http://user:SECRET-proxy@127.0.0.1:1" }, "Failed to connect to proxy"
  end

  -- The same with answers that cannot be used, and have secrets in them.
  local USELESS = {
    ["that is cut off"] = { status = 200, body = '{"SecretAccessKey":"SECRET-answer","Token":"SECRET' },
    ["that is half an element"] = { status = 200, body = "<a><SecretAccessKey>SECRET-answer</Secret" },
    ["that is a failure"] = { status = 500, body = '{"accessToken":"SECRET-answer"}' },
    ["that has the wrong types"] = { status = 200,
      body = '{"roleCredentials":"SECRET-answer","accessToken":["SECRET-answer"],"SecretAccessKey":7}' },
  }
  local ASKED = { "an assumed role with MFA", "a web identity", "a container", "an instance",
    "SSO, and bearer tokens", "SSO of old", "aws login" }
  for what, reply in pairs(USELESS) do
    for _, name in ipairs(ASKED) do
      it(("has no secret of %s after an answer %s"):format(name, what), function()
        local profile, env, _, secret = cases[name]()
        peer:clear()
        peer:reply{ status = reply.status, body = reply.body, always = true }
        local output = run(profile, env)
        assert.is_true(#peer:requests() > 0)
        assert.not_matches(secret or "SECRET", output, 1, true)
        assert.not_matches("SECRET", output, 1, true)
      end)
    end
  end

  for name, prepare in pairs(cases) do
    it("has no secret of " .. name, function()
      local profile, env, expected, secret = prepare()
      local output = run(profile, env)
      assert.matches(expected, output, 1, true)
      assert.not_matches(secret or "SECRET", output, 1, true)
      assert.not_matches("SECRET", output, 1, true)
    end)
  end
end)
