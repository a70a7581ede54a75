-- defaults_mode: what it changes, and how "auto" finds out where this machine runs.
local aws = require("luaws")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local async = aws.async
local ZONE = "^/latest/meta%-data/placement/availability%-zone/$"

-- A session of a machine whose metadata service is at url.
local function session_on(url, env)
  local all = { AWS_DEFAULTS_MODE = "auto", AWS_EC2_METADATA_SERVICE_ENDPOINT = url,
    AWS_METADATA_SERVICE_TIMEOUT = "30" }
  for name, value in pairs(env or {}) do
    all[name] = value ~= "" and value or nil
  end
  return aws.session{ _env = all, _home = "/nowhere", region_name = "eu-west-1", aws_access_key_id = "a",
    aws_secret_access_key = "b" }
end

-- The mode that a client has worked out shows in how long it waits for a connection.
local function timeout(session, opts)
  return session:client("sts", opts).meta.config.connect_timeout
end
local IN_REGION, ELSEWHERE = 1.1, 3.1

describe("defaults_mode", function()
  it("changes what is not set, as botocore's data says", function()
    for mode, seconds in pairs{ legacy = 60, standard = 3.1, ["in-region"] = 1.1, ["cross-region"] = 3.1,
      mobile = 30, MOBILE = 30 } do
      local session = session_on("http://127.0.0.1:1", { AWS_DEFAULTS_MODE = "legacy" })
      assert.equal(seconds, timeout(session, { config = { defaults_mode = mode } }), mode)
      assert.equal(seconds, timeout(session_on("http://127.0.0.1:1", { AWS_DEFAULTS_MODE = mode })), mode)
      assert.equal(7, timeout(session, { config = { defaults_mode = mode, connect_timeout = 7 } }))
    end
    local err = machine.raised(timeout, session_on("http://127.0.0.1:1", { AWS_DEFAULTS_MODE = "fast" }))
    assert.equal("InvalidDefaultsMode", err.kind)
  end)
end)

describe("defaults_mode auto", function()
  local metadata

  setup(function()
    metadata = server.start()
  end)
  teardown(function()
    metadata:stop()
  end)
  before_each(function()
    metadata:clear()
  end)

  local TOKEN = { method = "PUT", body = "token", always = true }

  it("asks the instance for its zone, with a token, once for a session", function()
    metadata:reply(TOKEN, { method = "GET", target = "availability-zone", body = "eu-west-1b",
      always = true })
    local session = session_on(metadata.url)
    assert.equal(IN_REGION, timeout(session))
    assert.equal(ELSEWHERE, timeout(session, { region_name = "us-east-1" }))
    assert.equal(IN_REGION, timeout(session))
    local requests = metadata:requests()
    assert.equal(2, #requests)
    assert.same({ "PUT", "/latest/api/token", "21600" }, { requests[1].method, requests[1].target,
      requests[1].headers["x-aws-ec2-metadata-token-ttl-seconds"] })
    assert.matches(ZONE, requests[2].target)
    assert.equal("token", requests[2].headers["x-aws-ec2-metadata-token"])
  end)

  it("goes on without a token where there are none, unless that is forbidden", function()
    for _, refusal in ipairs{ { status = 404 }, { status = 403 }, { status = 405 }, { body = "" } } do
      refusal.method = "PUT"
      metadata:reply(refusal, { method = "GET", body = "eu-west-1a" })
      assert.equal(IN_REGION, timeout(session_on(metadata.url)))
      metadata:reply(refusal, { method = "GET", body = "eu-west-1a" })
      assert.equal(ELSEWHERE, timeout(session_on(metadata.url, { AWS_EC2_METADATA_V1_DISABLED = "true" })))
    end
  end)

  it("is standard where nothing answers that can be used", function()
    local refusing, deaf = server.start{ refuse = true }, server.start{ deaf = true }
    local short = { AWS_METADATA_SERVICE_TIMEOUT = "1" }
    for _, url in ipairs{ refusing.url, deaf.url, "nonsense" } do
      assert.equal(ELSEWHERE, timeout(session_on(url, short)))
    end
    for _, answer in ipairs{ { status = 404 }, { status = 500 }, { body = "" }, { body = "x" },
      { body = "<html>not here</html>" }, { hang = true }, { reset = true } } do
      metadata:reply(TOKEN, answer)
      local session = session_on(metadata.url, answer.hang and short or nil)
      assert.equal(ELSEWHERE, timeout(session))
      assert.equal("standard", session:client("sts").meta.config.retries.mode)
    end
    metadata:reply({ method = "PUT", status = 400 })
    assert.equal(ELSEWHERE, timeout(session_on(metadata.url)))
    refusing:stop()
    deaf:stop()
  end)

  it("asks nobody where the environment tells, or the service is disabled, or not auto", function()
    for _, case in ipairs{
      { { AWS_EXECUTION_ENV = "AWS_Lambda_x", AWS_REGION = "eu-west-1" }, IN_REGION },
      { { AWS_EXECUTION_ENV = "AWS_Lambda_x", AWS_DEFAULT_REGION = "eu-west-1" }, IN_REGION },
      { { AWS_EXECUTION_ENV = "AWS_Lambda_x", AWS_REGION = "us-east-1", AWS_DEFAULT_REGION = "eu-west-1" },
        ELSEWHERE },
      { { AWS_EC2_METADATA_DISABLED = "true" }, ELSEWHERE },
      { { AWS_DEFAULTS_MODE = "standard" }, ELSEWHERE },
      { { AWS_DEFAULTS_MODE = "" }, 60 },
    } do
      assert.equal(case[2], timeout(session_on(metadata.url, case[1])))
    end
    assert.equal(IN_REGION, timeout(session_on(metadata.url, { AWS_DEFAULTS_MODE = "" }),
      { config = { defaults_mode = "in-region" } }))
    assert.same({}, metadata:requests())
  end)

  it("asks where the variables of the region are there but not that of the place", function()
    metadata:reply(TOKEN, { method = "GET", body = "us-east-1c", always = true })
    assert.equal(ELSEWHERE, timeout(session_on(metadata.url, { AWS_REGION = "eu-west-1" })))
    assert.equal(2, #metadata:requests())
  end)

  it("asks once for all tasks, and lets others go on meanwhile", function()
    metadata:reply({ method = "PUT", body = "token", delay = 0.3 }, { method = "GET", body = "eu-west-1b" })
    local session = session_on(metadata.url)
    local turns, found = 0, nil
    async.run(function()
      local others = async.spawn(function()
        while true do
          turns = turns + 1
          async.sleep(0.01)
        end
      end)
      found = async.map({ 1, 2, 3 }, function()
        return timeout(session)
      end, { concurrency = 3 })
      others:cancel()
    end)
    assert.same({ IN_REGION, IN_REGION, IN_REGION }, found)
    assert.is_true(turns > 5)
    assert.equal(2, #metadata:requests())
  end)

  it("can be cancelled while it asks, and asked again", function()
    metadata:reply({ method = "PUT", hang = true })
    local session = session_on(metadata.url, { AWS_METADATA_SERVICE_TIMEOUT = "60" })
    local ok, err = pcall(async.timeout, 0.1, function()
      session:client("sts")
    end)
    assert.is_false(ok)
    assert.equal("TimeoutError", err.kind)
    collectgarbage()
    session = session_on(metadata.url)
    metadata:reply(TOKEN, { method = "GET", body = "eu-west-1b" })
    assert.equal(IN_REGION, timeout(session))
  end)

  it("is refused a client with options that are wrong before it asks", function()
    local session = session_on(metadata.url)
    assert.equal("TypeError", machine.raised(session.client, session, "sts", { config = { nope = 1 } }).kind)
    assert.same({}, metadata:requests())
  end)
end)
