-- Nothing but code switches the verification of certificates off: no file and no variable, neither for the
-- call of a service nor for any of those that get credentials. Only who is told of the server's certificate
-- trusts it.
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")
local machine = require("spec.support.machine")
local server = require("spec.support.server")
local shell = require("spec.support.shell")

-- Asks for everything at once, and prints what came of it.
local SCRIPT <const> = [[
local aws = require("luaws")
local NOW = %d
local function session(profile)
  return aws.session{ profile_name = profile, region_name = "eu-west-1", _clock = function() return NOW end }
end
local function keys(profile)
  return function() session(profile):get_credentials():get_frozen_credentials() end
end
local asked = { call = function() session("base"):client("sqs"):list_queues() end,
  ["a stream of events"] = function()
    session("base"):client("polly"):start_speech_synthesis_stream{ Engine = "neural", VoiceId = "Amy",
      OutputFormat = "mp3", ActionStream = { { TextEvent = { Text = "x" } } } }
  end,
  ["a role for a call that does not verify"] = function()
    session("role"):client("sqs", { verify = false, endpoint_url = "http://127.0.0.1:1" }):list_queues()
  end }
for _, profile in ipairs{ "role", "web", "sso", "oidc", "login", "container", "instance" } do
  asked[profile] = keys(profile)
end
local names, tasks = {}, {}
for name, fn in pairs(asked) do
  names[#names + 1] = name
  tasks[#tasks + 1] = function() return select(2, pcall(fn)) end
end
local said = table.pack(aws.async.gather(table.unpack(tasks)))
for i, name in ipairs(names) do
  print(name, tostring(said[i]))
end
]]

local TARGETS <const> = { "call", "a stream of events", "role", "web", "sso", "oidc", "login", "container",
  "instance", "a role for a call that does not verify" }

-- What might be thought to switch it off: lines for each profile, files, variables.
local WAYS <const> = {
  ["nothing"] = {},
  ["an empty AWS_CA_BUNDLE"] = { env = { AWS_CA_BUNDLE = "" } },
  ["an empty ca_bundle"] = { config = "ca_bundle =\n" },
  ["an empty REQUESTS_CA_BUNDLE"] = { env = { REQUESTS_CA_BUNDLE = "" } },
  ["an empty CURL_CA_BUNDLE"] = { env = { CURL_CA_BUNDLE = "" } },
  ["an empty SSL_CERT_FILE and SSL_CERT_DIR"] = { env = { SSL_CERT_FILE = "", SSL_CERT_DIR = "" } },
  ["ca_bundle = false"] = { config = "ca_bundle = false\n" },
  ["AWS_CA_BUNDLE=false"] = { env = { AWS_CA_BUNDLE = "false" } },
  ["a bundle that is not there"] = { env = { AWS_CA_BUNDLE = "/nowhere.pem" } },
  ["an empty bundle"] = { env = { AWS_CA_BUNDLE = "/dev/null" } },
  ["verify = false"] = { config = "verify = false\nverify_ssl = false\ntls_verify = false\n" },
  ["use_ssl = false"] = { config = "use_ssl = false\n" },
  ["variables of other programs"] = { env = { PYTHONHTTPSVERIFY = "0", NODE_TLS_REJECT_UNAUTHORIZED = "0",
    GIT_SSL_NO_VERIFY = "1", AWS_NO_VERIFY_SSL = "true", AWS_VERIFY_SSL = "false", AWS_USE_SSL = "false" } },
  ["curl's own file"] = { files = { [".curlrc"] = "insecure\n" }, env = { CURL_HOME = "HOME" } },
}
-- And what is meant to.
local TOLD <const> = {
  ["AWS_CA_BUNDLE"] = { env = { AWS_CA_BUNDLE = "CA" } },
  ["ca_bundle"] = { config = "ca_bundle = CA\n" },
  ["REQUESTS_CA_BUNDLE"] = { env = { REQUESTS_CA_BUNDLE = "CA" } },
}

describe("the certificate of a server", function()
  local peer, folder, dpop_key
  local said, asked = {}, {}

  local function plain(name)
    return (name:gsub("%W", "_"))
  end

  local function set_up(name, way)
    local home, url = folder .. "/" .. plain(name), peer.url .. "/" .. plain(name)
    local function write(file, text)
      child.output{ "mkdir", "-p", (home .. "/" .. file):match("^(.*)/") }
      machine.write(home .. "/" .. file, (text:gsub("HOME", home):gsub("CA$", peer.ca)))
    end
    local config = {}
    for profile, lines in pairs{ base = "aws_access_key_id = AK\naws_secret_access_key = SK\n",
      role = "role_arn = arn:aws:iam::1:role/r\nsource_profile = base\n",
      web = "role_arn = arn:aws:iam::1:role/r\nweb_identity_token_file = HOME/token\n",
      sso = "sso_account_id = 1\nsso_role_name = r\nsso_start_url = https://c/\nsso_region = eu-west-1\n",
      oidc = "sso_account_id = 1\nsso_role_name = r\nsso_session = c\n", login = "login_session = x\n",
      container = "role_arn = arn:aws:iam::1:role/r\ncredential_source = EcsContainer\n",
      instance = "role_arn = arn:aws:iam::1:role/r\ncredential_source = Ec2InstanceMetadata\n" } do
      config[#config + 1] = ("[profile %s]\n%s%s"):format(profile, lines,
        (way.config or ""):gsub("CA\n", peer.ca .. "\n"))
    end
    config[#config + 1] = "[sso-session c]\nsso_start_url = https://c/\nsso_region = eu-west-1\n"
    write(".aws/config", table.concat(config))
    write("token", "a web identity")
    local token = { accessToken = "t", expiresAt = machine.iso(machine.NOW + 300), clientId = "i",
      clientSecret = "s", refreshToken = "r", registrationExpiresAt = machine.iso(machine.NOW + 9999) }
    write(".aws/sso/cache/84a516841ba77a5b4648de2cd0dfcb30ea46dbb4.json", cjson.encode(token))
    write(".aws/sso/cache/8decc1ceeaf3514eca63744ec2f30cbcc036b7bc.json", cjson.encode(token))
    write(".aws/login/cache/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.json",
      cjson.encode{ accessToken = { accessKeyId = "AK", secretAccessKey = "SK", sessionToken = "t",
        accountId = "1", expiresAt = machine.iso(machine.NOW) }, refreshToken = "r", clientId = "i",
        dpopKey = dpop_key })
    for file, text in pairs(way.files or {}) do
      write(file, text)
    end
    local env = { HOME = home, AWS_ENDPOINT_URL = url, AWS_MAX_ATTEMPTS = "1",
      AWS_METADATA_SERVICE_TIMEOUT = "60",
      AWS_CONTAINER_CREDENTIALS_FULL_URI = url .. "/", AWS_EC2_METADATA_SERVICE_ENDPOINT = url }
    for variable, value in pairs(way.env or {}) do
      env[variable] = value:gsub("HOME", home):gsub("^CA$", peer.ca)
    end
    local words = { "env", "-i" }
    for variable, value in pairs(env) do
      words[#words + 1] = child.quote(variable .. "=" .. value)
    end
    return ("%s %s %s >%s 2>&1 &"):format(table.concat(words, " "), child.quote(shell.program),
      child.quote(folder .. "/script.lua"), child.quote(home .. "/out")), home
  end

  setup(function()
    peer, folder = server.start{ tls = true }, server.temporary_folder()
    dpop_key = child.output{ "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout" }
    machine.write(folder .. "/script.lua", SCRIPT:format(machine.NOW))
    local lines, homes = {}, {}
    for _, ways in ipairs{ WAYS, TOLD } do
      for name, way in pairs(ways) do
        lines[#lines + 1], homes[name] = set_up(name, way)
        -- A container is waited for two seconds, which a slow machine has not for all at once.
        lines[#lines + 1] = #lines % 5 == 4 and "wait" or nil
      end
    end
    child.output{ "sh", "-c", table.concat(lines, "\n") .. "\nwait" }
    for name, home in pairs(homes) do
      said[name] = {}
      for target, text in machine.read(home .. "/out"):gmatch("([^\t\n]+)\t([^\n]+)") do
        said[name][target] = text
      end
    end
    for _, request in ipairs(peer:requests()) do
      local way = request.target:match("^/([%w_]+)")
      asked[way] = (asked[way] or 0) + 1
    end
  end)
  teardown(function()
    peer:stop()
    child.output{ "rm", "-rf", folder }
  end)

  for name in pairs(WAYS) do
    it("is verified: " .. name, function()
      for _, target in ipairs(TARGETS) do
        -- That of an instance is as good as not there.
        assert.matches(target == "instance" and "No credentials found" or "SSL validation failed",
          said[name][target], 1, true)
      end
      assert.is_nil(asked[plain(name)])
    end)
  end

  for name in pairs(TOLD) do
    it("is believed: " .. name, function()
      for _, target in ipairs(TARGETS) do
        assert.not_matches("SSL", said[name][target], 1, true)
      end
      -- With a server of HTTP/1.1, which this one is, a stream goes no further than that.
      assert.matches("HTTP/2", said[name]["a stream of events"], 1, true)
      -- A token is refreshed as well, a container asked three times, an instance for two things.
      assert.equal(#TARGETS - 1 + 4, asked[plain(name)])
    end)
  end

  it("is not looked at where code says so, for its own client alone", function()
    local session = aws.session{ aws_access_key_id = "AK", aws_secret_access_key = "SK", region_name = "x" }
    peer:reply{ body = '{"QueueUrls":["u"]}', always = true }
    local client = session:client("sqs", { endpoint_url = peer.url, verify = false })
    assert.same({ "u" }, client:list_queues().QueueUrls)
    local other = session:client("sqs", { endpoint_url = peer.url,
      config = { retries = { max_attempts = 0 } } })
    assert.equal("SSLError", machine.raised(other.list_queues, other, {}).kind)
  end)
end)
