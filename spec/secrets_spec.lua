-- Where secrets might get out: answers that quote a request, the shell, programs that are started, files that
-- others can read. What is printed of credentials from everywhere is in credentials_secrets_spec.lua.
local aws = require("luaws")
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")
local shell = require("spec.support.shell")

local write = machine.write
local KEYS = { AWS_ACCESS_KEY_ID = "AKID", AWS_SECRET_ACCESS_KEY = "SECRET-key",
  AWS_SESSION_TOKEN = "SECRET-token" }

local function without_secrets(text)
  assert.not_matches("SECRET[-/%%]", text)
  return text
end

describe("an answer that quotes the request", function()
  local TOKEN <const>, SSE_KEY <const> = "SECRET/token+of=everybody", ("k"):rep(32)
  local SSE_TEXT <const> = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
  local peer
  setup(function()
    peer = server.start()
  end)
  teardown(function()
    peer:stop()
  end)

  local function bytes(text)
    return (text:gsub(".", function(c) return ("%02x "):format(c:byte()) end):sub(1, -2))
  end

  -- What is to be seen of the error of a call that is answered so.
  local function seen(service, operation, params, reply)
    peer:reply(reply)
    local client = aws.session{ aws_access_key_id = "AKID", aws_secret_access_key = "SECRET-key",
      aws_session_token = TOKEN, region_name = "eu-west-1" }:client(service, { endpoint_url = peer.url })
    local told
    client.meta.events:register("response-received", function(event)
      told = event.response_dict.body .. (event.response_dict.headers["x-why"] or "")
    end)
    local err = machine.raised(client[operation], client, params)
    return table.concat({ tostring(err), err.message, aws.pretty(err.response), told }, "\n"), err
  end

  local forms = {
    ["as it is"] = TOKEN, ["in a query"] = "SECRET%2Ftoken%2Bof%3Deverybody", ["byte by byte"] = bytes(TOKEN),
  }
  for what, text in pairs(forms) do
    it("is shown without the session's token " .. what, function()
      local all, err = seen("s3", "get_object", { Bucket = "b", Key = "k" }, { status = 403, body =
        ("<Error><Code>InvalidToken</Code><Message>not %s, %s</Message><Token-0>%s</Token-0></Error>")
        :format(text, text, text) })
      assert.equal("not ***, ***", err.message)
      assert.equal("***", err.response.Error["Token-0"])
      assert.not_matches(text, without_secrets(all), 1, true)
    end)
  end

  it("is shown without it in JSON and in headers", function()
    local all, err = seen("dynamodb", "list_tables", {}, { status = 400,
      headers = { ["x-why"] = "bad " .. TOKEN },
      body = '{"__type":"X#Y","message":"not SECRET\\/token+of=everybody"}' })
    assert.equal("not ***", err.message)
    assert.equal("bad ***", err.response.ResponseMetadata.HTTPHeaders["x-why"])
    without_secrets(all)
  end)

  it("is shown without a customer's key", function()
    local all, err = seen("s3", "get_object", { Bucket = "b", Key = "k", SSECustomerAlgorithm = "AES256",
      SSECustomerKey = SSE_KEY }, { status = 403, body = ("<Error><Code>SignatureDoesNotMatch</Code>"
      .. "<Message>m</Message><CanonicalRequest>x-amz-server-side-encryption-customer-key:%s\n"
      .. "</CanonicalRequest></Error>"):format(SSE_TEXT) })
    assert.equal(SSE_TEXT, peer:last().headers["x-amz-server-side-encryption-customer-key"])
    assert.equal("x-amz-server-side-encryption-customer-key:***\n", err.response.Error.CanonicalRequest)
    assert.not_matches(SSE_TEXT, all, 1, true)
  end)

  it("is left alone where keys are a word, as servers for tests take them", function()
    peer:reply{ status = 404, headers = { ["x-amz-request-id"] = "testtest" }, body =
      "<Error><Code>NoSuchBucket</Code><Message>no my-test-bucket, the latest</Message></Error>" }
    local client = aws.session{ aws_access_key_id = "test", aws_secret_access_key = "test",
      aws_session_token = "test", region_name = "eu-west-1" }:client("s3", { endpoint_url = peer.url })
    local err = machine.raised(client.get_object, client, { Bucket = "b", Key = "k" })
    assert.equal("no my-test-bucket, the latest", err.message)
    assert.equal("testtest", err.response.ResponseMetadata.RequestId)
  end)

  it("is left alone when it is no refusal", function()
    peer:reply{ body = "what " .. TOKEN .. " is" }
    local s3 = aws.session{ aws_access_key_id = "AKID", aws_secret_access_key = "SECRET-key",
      aws_session_token = TOKEN, region_name = "eu-west-1" }:client("s3", { endpoint_url = peer.url })
    assert.equal("what " .. TOKEN .. " is", s3:get_object{ Bucket = "b", Key = "k" }.Body:read("a"))
  end)
end)

describe("the shell", function()
  local function env(more)
    local all = { HOME = "/nowhere", AWS_ENDPOINT_URL = "http://127.0.0.1:1", AWS_MAX_ATTEMPTS = "1",
      AWS_EC2_METADATA_DISABLED = "true", AWS_BEARER_TOKEN_BEDROCK = "SECRET-bearer" }
    for _, variables in ipairs{ KEYS, more or {} } do
      for name, value in pairs(variables) do
        all[name] = value
      end
    end
    return all
  end

  it("explains and logs no secrets", function()
    local result = shell.run({ "--debug", "--explain" },
      { env = env{ HTTPS_PROXY = "http://me:SECRET-p@proxy" } })
    assert.matches("env found: AWS_ACCESS_KEY_ID", without_secrets(result.out .. result.err), 1, true)
    assert.matches("AKID from env", result.out, 1, true)
  end)

  it("prints none at the prompt, unless it is asked for by name", function()
    local result = shell.run({ "--debug", "-i" },
      { env = env{ HTTPS_PROXY = "http://me:SECRET-p@127.0.0.1:1" }, input = [[
s = aws.session{ region_name = "eu-west-1" }
s
s:get_credentials()
s:get_credentials():get_frozen_credentials()
s:get_auth_token{ signing_name = "bedrock" }
s:get_auth_token{ signing_name = "bedrock" }:get_frozen_token()
s:client("sqs")
s:client("sqs").meta
s:client("sqs").meta.config
s:client("sqs"):list_queues()
s:client("sqs", { endpoint_url = "https://sqs" }):list_queues()
s:client("s3"):put_object{ Bucket = "b", Key = "k", SSECustomerKey = { "SECRET-sse" } }
s:client("iam"):create_login_profile{ UserName = "u", Password = true, Passwort = "SECRET-password" }
s:explain("sqs")
aws.session{ aws_secret_access_key = "SECRET-x" }
aws.session{ aws_access_key_id = "a", aws_secret_access_key = { "SECRET-x" } }
s:client("sqs", { endpoint_url = "http://me:SECRET-url@sqs" })
s:client("sqs", { endpoint_url = "me:SECRET-url@sqs" })
_ = s:client("s3"):generate_presigned_url("get_object", { Params = { Bucket = "b", Key = "k" } })
_ = s:sign_request({ method = "GET", url = "https://x/" }, { service = "x", debug = true })
"at the end"
]] })
    local all = result.out .. result.err
    for _, shown in ipairs{ "Session(region_name='eu-west-1')", "Credentials(method='env')",
      "Credentials(frozen)", "http://***:***@127.0.0.1:1", "SSECustomerKey, value: (hidden)",
      "Invalid endpoint: http://***@sqs", "Invalid endpoint: ***@sqs", "at the end" } do
      assert.matches(shown, all, 1, true)
    end
    without_secrets(all)
  end)

  it("gives a throw-away AWS neither keys nor arguments", function()
    local home = server.temporary_folder()
    write(home .. "/python",
      ("#!/bin/sh\n{ tr '\\0' ' ' </proc/$$/cmdline; env; } >'%s/seen'\necho 1\ncat\n"):format(home))
    child.output{ "chmod", "+x", home .. "/python" }
    local result = shell.run({ "--local", "-e", "print(1)", "SECRET-argument" },
      { env = env{ LUAWS_MOTO_PYTHON = home .. "/python" } })
    assert.equal("1\n", result.out)
    assert.matches("AWS_SECRET_ACCESS_KEY=testing", without_secrets(machine.read(home .. "/seen")), 1, true)
    child.output{ "rm", "-r", home }
  end)
end)

describe("a program for credentials", function()
  it("is started with its own words, and luaws with its own", function()
    local w <close> = machine.new()
    write(w.home .. "/p", ([[
tr '\0' ' ' </proc/$$/cmdline >'HOME/words'
tr '\0' ' ' </proc/$PPID/cmdline >>'HOME/words'
printf '{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"SECRET-p"}'
]]):gsub("HOME", w.home))
    write(w.home .. "/.aws/config", ("[profile p]\ncredential_process = sh '%s/p' word\n"):format(w.home))
    local session = w.session{ profile_name = "p" }
    assert.equal("SECRET-p", session:get_credentials().secret_key)
    local words = without_secrets(machine.read(w.home .. "/words"))
    assert.matches(("^sh %s/p word "):format(w.home:gsub("%p", "%%%0")), words)
  end)
end)

describe("a file that every user can read", function()
  -- What is logged of it by a process of its own that makes two sessions.
  local function warnings(w, file, mode, profile, env)
    child.output{ "chmod", mode, w.home .. "/" .. file }
    local script = w.home .. "/script.lua"
    write(script, ([[
      local aws = require("luaws")
      aws.set_stream_logger("", "warning")
      for _ = 1, 2 do
        local session = aws.session{ profile_name = %s, _clock = function() return %d end,
          credential_cache = "~/.aws/cli/cache" }
        assert(session:get_credentials():get_frozen_credentials().access_key:find("^AK"))
      end]]):format(profile and ("%q"):format(profile), machine.NOW))
    local words = { "env", "-i", "HOME=" .. w.home, "AWS_EC2_METADATA_DISABLED=true" }
    for name, value in pairs(env or {}) do
      words[#words + 1] = name .. "=" .. value
    end
    for _, word in ipairs{ "sh", "-c", '"$@" 2>&1', "sh", shell.program, script } do
      words[#words + 1] = word
    end
    local found = {}
    for line in child.output(words):gmatch("[^\n]+") do
      found[#found + 1] = line:match("%] (.*) can be read by every user of this machine") or line
    end
    return found
  end

  local SECTION = "aws_access_key_id = AK\naws_secret_access_key = SECRET\n"

  for mode, expected in pairs{ ["600"] = 0, ["640"] = 0, ["660"] = 0, ["604"] = 1, ["644"] = 1 } do
    it(("is warned of %d times, mode %s"):format(expected, mode), function()
      local w <close> = machine.new()
      write(w.home .. "/.aws/credentials", "[default]\n" .. SECTION)
      local path = w.home .. "/.aws/credentials"
      assert.same({ expected == 1 and path or nil }, warnings(w, ".aws/credentials", mode))
    end)
  end

  it("is warned of at a terminal, without being asked to, and nowhere else", function()
    local w <close> = machine.new()
    write(w.home .. "/.aws/credentials", "[default]\n" .. SECTION)
    child.output{ "chmod", "644", w.home .. "/.aws/credentials" }
    local words = { "-e", "for _ = 1, 2 do require('luaws').session():get_credentials() end print('over')" }
    local options = { words = words, env = { HOME = w.home, AWS_EC2_METADATA_DISABLED = "true" } }
    local shown = shell.play({ { "", "over" } }, options)[1]
    local _, count = shown:gsub("%[WARNING%] " .. w.home:gsub("%p", "%%%0") .. "/.aws/credentials", "")
    assert.equal(1, count)
    assert.equal("", shell.run(words, options).err)
  end)

  it("counts, and not a link to it", function()
    local w <close> = machine.new()
    write(w.home .. "/keys", "[default]\n" .. SECTION)
    child.output{ "ln", "-s", w.home .. "/keys", w.home .. "/.aws/credentials" }
    assert.same({}, warnings(w, "keys", "600"))
    assert.same({ w.home .. "/.aws/credentials" }, warnings(w, "keys", "644"))
  end)

  it("is warned of when it is the config file only if there are keys in it", function()
    local w <close> = machine.new("[default]\nregion = x\n")
    write(w.home .. "/.aws/credentials", "[default]\n" .. SECTION)
    child.output{ "chmod", "600", w.home .. "/.aws/credentials" }
    assert.same({}, warnings(w, ".aws/config", "644"))
    write(w.home .. "/.aws/config", "[default]\nregion = x\n[profile other]\n" .. SECTION)
    assert.same({ w.home .. "/.aws/config" }, warnings(w, ".aws/config", "644"))
    assert.same({}, warnings(w, ".aws/config", "600"))
  end)

  it("is warned of wherever keys and tokens are kept", function()
    local w <close> = machine.new()
    write(w.home .. "/ec2", "AWSAccessKeyId=AK\nAWSSecretKey=SECRET\n")
    write(w.home .. "/boto", "[Credentials]\n" .. SECTION)
    local login = ".aws/login/cache/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.json"
    write(w.home .. "/" .. login, ('{"accessToken":{"accessKeyId":"AK","secretAccessKey":"SECRET",'
      .. '"sessionToken":"t","accountId":"1","expiresAt":"%s"},"refreshToken":"r","dpopKey":"k",'
      .. '"clientId":"i"}')
      :format(machine.iso(machine.NOW + 3600)))
    write(w.home .. "/.aws/config", "[profile l]\nlogin_session = x\n[profile s]\n"
      .. "sso_start_url = https://c/\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = r\n")
    local sso = ".aws/sso/cache/8decc1ceeaf3514eca63744ec2f30cbcc036b7bc.json"
    local soon = machine.iso(machine.NOW + 3600)
    write(w.home .. "/" .. sso, ('{"accessToken":"t","expiresAt":"%s"}'):format(soon))
    local peer <close> = server.start()
    peer:reply{ always = true, body = '{"roleCredentials":{"accessKeyId":"AK","secretAccessKey":"SECRET",'
      .. '"sessionToken":"t","expiration":' .. machine.NOW + 3600 .. '000}}' }
    local cases = {
      { "ec2", nil, { AWS_CREDENTIAL_FILE = w.home .. "/ec2" } },
      { "boto", nil, { BOTO_CONFIG = w.home .. "/boto" } },
      { login, "l" },
      { sso, "s", { AWS_ENDPOINT_URL = peer.url } },
    }
    for _, case in ipairs(cases) do
      local file, profile, env = case[1], case[2], case[3]
      child.output{ "rm", "-rf", w.home .. "/.aws/cli" }
      assert.same({}, warnings(w, file, "600", profile, env))
      child.output{ "rm", "-rf", w.home .. "/.aws/cli" }
      assert.same({ w.home .. "/" .. file }, warnings(w, file, "644", profile, env))
    end
    local cached = child.output{ "find", w.home .. "/.aws/cli", "-name", "*.json" }:match("%.aws/cli[^\n]+")
    child.output{ "rm", w.home .. "/" .. sso }
    assert.same({}, warnings(w, cached, "600", "s"))
    assert.same({ w.home .. "/" .. cached }, warnings(w, cached, "644", "s"))
  end)
end)
