-- Proxies of the environment, which is the process's own: each case is a program of its own.
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local KEYS = '{"AccessKeyId":"AKIMDS","SecretAccessKey":"hush","Token":"t","Expiration":"%s"}'

-- Runs a script in an environment of its own, and returns what it printed.
local function run(env, script)
  local words = { "env", "-i", "HOME=/nowhere" }
  for name, value in pairs(env) do
    words[#words + 1] = name .. "=" .. value
  end
  words[#words + 1] = os.getenv("LUAWS_BUILD") .. "/luaws"
  words[#words + 1] = "-e"
  words[#words + 1] = 'local aws = require("luaws") ' .. script
  return child.output(words)
end

local CALL = 'local c = aws.client("sts", { region_name = "eu-west-1", use_ssl = false, '
  .. 'aws_access_key_id = "a", aws_secret_access_key = "b", '
  .. "config = { retries = { total_max_attempts = 1 } } }) "
  .. "local answer, err = c.try:get_caller_identity() print(answer and answer.Account or err)"
local FIND = "local c = aws.session():get_credentials() print(c and c.access_key)"

describe("proxies of the environment", function()
  local peer

  setup(function()
    peer = server.start()
  end)
  teardown(function()
    peer:stop()
  end)
  before_each(function()
    peer:clear()
  end)

  local IDENTITY = { headers = { ["Content-Type"] = "text/xml" }, always = true,
    body = '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
      .. "<GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult>"
      .. "</GetCallerIdentityResponse>" }

  it("are used by clients, whichever way they are written, with their password", function()
    local with_password = peer.url:gsub("//", "//me:p%%40ss@")
    for _, env in ipairs{
      { HTTP_PROXY = peer.url },
      { http_proxy = peer.url },
      { HTTP_PROXY = with_password },
      { HTTP_PROXY = "http://127.0.0.1:1", http_proxy = peer.url },
      { HTTP_PROXY = peer.url, NO_PROXY = "other.test" },
    } do
      peer:clear()
      peer:reply(IDENTITY)
      assert.equal("1\n", run(env, CALL))
      local request = peer:last()
      assert.equal("http://sts.eu-west-1.amazonaws.com/", request.target)
      assert.equal(env.HTTP_PROXY == with_password and "Basic bWU6cEBzcw==" or nil,
        request.headers["proxy-authorization"])
    end
  end)

  it("are not those of ALL_PROXY, nor for hosts below a suffix in no_proxy", function()
    for _, env in ipairs{ { ALL_PROXY = peer.url }, { all_proxy = peer.url },
      { http_proxy = peer.url, no_proxy = "amazonaws.com" }, { http_proxy = peer.url, NO_PROXY = "*" },
      { http_proxy = peer.url, no_proxy = "x, .eu-west-1.amazonaws.com" } } do
      peer:reply(IDENTITY)
      env.AWS_ENDPOINT_URL = "http://no-such-host.eu-west-1.amazonaws.com:1"
      run(env, CALL)
      assert.same({}, peer:requests())
    end
  end)

  it("are used for the metadata service of an instance", function()
    peer:reply({ method = "PUT", body = "token" }, { target = "security-credentials/$", body = "role" },
      { target = "security-credentials/role", body = KEYS:format(machine.iso(os.time() + 3600)) })
    assert.equal("AKIMDS\n", run({ HTTP_PROXY = peer.url,
      AWS_EC2_METADATA_SERVICE_ENDPOINT = "http://metadata.test" }, FIND))
    assert.equal("http://metadata.test/latest/api/token", peer:requests()[1].target)
    peer:clear()
    run({ HTTP_PROXY = peer.url, NO_PROXY = "metadata.test", AWS_METADATA_SERVICE_TIMEOUT = "1",
      AWS_EC2_METADATA_SERVICE_ENDPOINT = "http://metadata.test:1" }, FIND)
    assert.same({}, peer:requests())
  end)

  it("are not used for the keys of a container", function()
    local proxy = server.start()
    peer:reply({ body = KEYS:format(machine.iso(os.time() + 3600)) })
    assert.equal("AKIMDS\n", run({ HTTP_PROXY = proxy.url,
      AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url .. "/keys" }, FIND))
    assert.equal("/keys", peer:last().target)
    assert.same({}, proxy:requests())
    proxy:stop()
  end)

  it("show no password when they fail", function()
    local refusing = server.start{ refuse = true }
    local said = run({ HTTP_PROXY = refusing.url:gsub("//", "//me:the-password@") }, CALL)
    assert.matches("***:***@127.0.0.1", said, 1, true)
    assert.not_matches("the-password", said, 1, true)
    refusing:stop()
  end)
end)
