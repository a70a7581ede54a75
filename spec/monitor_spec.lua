-- Client-side monitoring: what an agent hears of calls, beside what it hears of boto3's.
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

-- An agent on a port of its own; events(n) waits until it has heard n.
local function listen()
  local path = os.tmpname()
  local port, handle = child.start({ "python3", "spec/support/datagrams.py", path }, "the spec's agent")
  local agent = { port = port }
  function agent.events(n)
    local deadline = os.time() + 60
    while true do
      local events = {}
      for line in machine.read(path):gmatch("([^\n]+)\n") do
        events[#events + 1] = cjson.decode(line)
      end
      if #events >= n or os.time() > deadline then
        return events
      end
      aws.async.sleep(0.02)
    end
  end
  return setmetatable(agent, { __close = function()
    handle:close()
    os.remove(path)
  end })
end

local BOTO = [[
import json, os, sys
import boto3, botocore.config
from botocore import UNSIGNED
case = json.loads(sys.argv[1])
config = dict(case.get("config") or {})
config.setdefault("retries", {"mode": "standard"})
if config.get("signature_version") == "unsigned":
    config["signature_version"] = UNSIGNED
keys = {} if case.get("no_keys") else {"aws_access_key_id": "AKIDEXAMPLE",
  "aws_secret_access_key": "the-secret", "aws_session_token": case.get("token")}
client = boto3.client(case["service"], region_name="eu-west-1", endpoint_url=case["url"],
  config=botocore.config.Config(**config), **keys)
try:
    getattr(client, case["method"])(**case.get("params") or {})
except Exception as e:
    print(type(e).__name__)
]]

local function boto3(case, env)
  local words = { "env", "-i", "PATH=" .. os.getenv("PATH"), "HOME=/nowhere",
    "AWS_EC2_METADATA_DISABLED=true" }
  for name, value in pairs(env) do
    words[#words + 1] = name .. "=" .. value
  end
  for _, word in ipairs{ "python3", "-c", BOTO, cjson.encode(case) } do
    words[#words + 1] = word
  end
  child.output(words)
end

local function luaws(case, env)
  local all = { AWS_EC2_METADATA_DISABLED = "true" }
  for name, value in pairs(env) do
    all[name] = value
  end
  local session = aws.session{ _env = all, _home = "/nowhere", region_name = "eu-west-1" }
  local opts = { endpoint_url = case.url, config = case.config }
  if not case.no_keys then
    opts.aws_access_key_id, opts.aws_secret_access_key = "AKIDEXAMPLE", "the-secret"
    opts.aws_session_token = case.token
  end
  local client = session:client(case.service, opts)
  return pcall(client[case.method], client, case.params or {})
end

-- Times must be there and be plausible; user agents differ.
local function comparable(event)
  local copy = {}
  for name, value in pairs(event) do
    copy[name] = value
  end
  for _, name in ipairs{ "Timestamp", "Latency", "AttemptLatency" } do
    if copy[name] then
      assert.equal("integer", math.type(math.tointeger(copy[name])))
      assert.is_true(copy[name] >= 0)
      copy[name] = name
    end
  end
  if copy.UserAgent then
    assert.is_true(#copy.UserAgent > 0 and #copy.UserAgent <= 256)
    copy.UserAgent = "agent"
  end
  return copy
end

local function comparables(events)
  local all = {}
  for i, event in ipairs(events) do
    all[i] = comparable(event)
  end
  return all
end

local XML = { ["Content-Type"] = "text/xml" }
local IDENTITY = '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
  .. "<GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult>"
  .. "<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"

local function sts_error(code, message)
  return ("<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>"
    .. "<RequestId>id-2</RequestId></ErrorResponse>"):format(code, message)
end

-- What happens, how the server answers (each once), and how many events an agent hears.
local CASES = {
  { "a success", service = "sts", method = "get_caller_identity", events = 2,
    replies = { { headers = { ["Content-Type"] = "text/xml", ["x-amzn-RequestId"] = "abc" },
      body = IDENTITY } } },
  { "keys that come with a token", service = "sts", method = "get_caller_identity", token = "the-token",
    events = 2, replies = { { headers = XML, body = IDENTITY } } },
  { "a call without signature", service = "sts", method = "get_caller_identity", events = 2,
    config = { signature_version = "unsigned" }, replies = { { headers = XML, body = IDENTITY } } },
  { "an error of the service", service = "sts", method = "get_caller_identity", events = 2,
    replies = { { status = 403, headers = XML, body = sts_error("AccessDenied", "no — really not") } } },
  { "an error with long texts", service = "sts", method = "get_caller_identity", events = 2,
    replies = { { status = 400, headers = XML,
      body = sts_error(("C"):rep(200), ("\u{e9}\u{1f600}"):rep(400)) } } },
  -- Not with the last attempt: boto3 says then that there were too few.
  { "a retry that helps", service = "dynamodb", method = "list_tables", events = 3,
    replies = { { status = 503, body = '{"__type":"a#Slow","message":"m"}' },
      { headers = { ["x-amzn-requestid"] = "r", ["x-amz-id-2"] = "two" }, body = "{}" } } },
  { "retries that run out", service = "dynamodb", method = "list_tables", events = 3,
    config = { retries = { mode = "standard", total_max_attempts = 2 } },
    replies = { { status = 500, body = "{}", times = 2 } } },
  { "an answer that is no XML", service = "s3", method = "list_buckets", events = 2,
    config = { retries = { total_max_attempts = 1, mode = "standard" } },
    replies = { { status = 503, body = "<html>busy</html>" } } },
  { "a HEAD that finds nothing", service = "s3", method = "head_object", params = { Bucket = "b", Key = "k" },
    events = 2,
    replies = { { status = 404, headers = { ["x-amz-request-id"] = "q", ["x-amz-id-2"] = "w" } } } },
  { "a connection that breaks", service = "sts", method = "get_caller_identity", events = 3,
    config = { retries = { mode = "standard", total_max_attempts = 2 } },
    replies = { { reset = true, times = 2 } } },
  { "silence", service = "sts", method = "get_caller_identity", events = 2,
    config = { read_timeout = 0.2, retries = { total_max_attempts = 1, mode = "standard" } },
    replies = { { hang = true } } },
  { "no credentials", service = "sts", method = "get_caller_identity", no_keys = true, events = 1,
    replies = {} },
  { "parameters that are wrong, and nothing else", service = "sts", method = "get_caller_identity",
    params = { Nope = 1 }, events = 0, replies = {} },
}

describe("client-side monitoring", function()
  local peer, refusing

  setup(function()
    peer = server.start()
    refusing = server.start{ refuse = true }
  end)
  teardown(function()
    peer:stop()
    refusing:stop()
  end)

  -- What an agent hears, and one more event, so that it is known to have heard all.
  local function heard(run, case)
    local agent <close> = listen()
    local env = { AWS_CSM_ENABLED = "true", AWS_CSM_PORT = agent.port, AWS_CSM_CLIENT_ID = "é of us" }
    peer:reply(table.unpack(case.replies))
    run(case, env)
    peer:reply({ headers = XML, body = IDENTITY })
    luaws({ service = "sts", method = "get_caller_identity", url = peer.url }, env)
    local events = agent.events(case.events + 2)
    assert.equal(case.events + 2, #events, case[1])
    return { table.unpack(events, 1, case.events) }
  end

  for _, case in ipairs(CASES) do
    it("tells an agent of " .. case[1] .. " what boto3 does", function()
      case.url = case.url or peer.url
      assert.same(comparables(heard(boto3, case)), comparables(heard(luaws, case)))
    end)
  end

  it("tells of a connection that is refused", function()
    local case = { "", service = "sts", method = "get_caller_identity", url = refusing.url, replies = {},
      events = 2, config = { retries = { total_max_attempts = 1, mode = "standard" } } }
    assert.same(comparables(heard(boto3, case)), comparables(heard(luaws, case)))
  end)

  it("tells the times of each attempt and of the call", function()
    local agent <close> = listen()
    local started = os.time() * 1000
    peer:reply({ headers = XML, body = IDENTITY, delay = 0.15 })
    luaws({ service = "sts", method = "get_caller_identity", url = peer.url }, { AWS_CSM_ENABLED = "TRUE",
      AWS_CSM_PORT = agent.port })
    local attempt, call = table.unpack(agent.events(2))
    assert.same({ "ApiCallAttempt", "ApiCall" }, { attempt.Type, call.Type })
    assert.is_true(call.Timestamp >= started and attempt.Timestamp >= call.Timestamp)
    assert.is_true(attempt.AttemptLatency >= 150 and call.Latency >= attempt.AttemptLatency)
  end)

  it("sends no event that is too large", function()
    local agent <close> = listen()
    local env = { AWS_CSM_ENABLED = "true", AWS_CSM_PORT = agent.port }
    peer:reply({ headers = XML, body = IDENTITY, times = 2 })
    luaws({ service = "sts", method = "get_caller_identity", url = peer.url, token = ("t"):rep(9000) }, env)
    luaws({ service = "sts", method = "get_caller_identity", url = peer.url, token = "short" }, env)
    local events = agent.events(3)
    assert.equal("ApiCall", events[1].Type) -- the attempt would have held the token
    assert.equal("short", events[2].SessionToken)
  end)

  it("finds an agent by its name, and keeps what it has to say until then", function()
    local agent <close> = listen()
    -- In capitals it is not known to be this machine, and is looked up.
    local session = aws.session{ _env = { AWS_CSM_ENABLED = "true", AWS_CSM_PORT = agent.port,
      AWS_CSM_HOST = "LOCALHOST" }, _home = "/nowhere", region_name = "eu-west-1",
      aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret" }
    local sts = session:client("sts", { endpoint_url = peer.url })
    peer:reply({ headers = XML, body = IDENTITY, always = true })
    local calls = 0
    repeat
      calls = calls + 1
      sts:get_caller_identity()
      aws.async.sleep(0.02)
    until #agent.events(0) > 0
    assert.equal(2 * calls, #agent.events(2 * calls))
  end)

  it("does no harm where nobody listens, or no such host is", function()
    for _, host in ipairs{ "127.0.0.1", "::1", "no-such-host.invalid", "" } do
      peer:reply({ headers = XML, body = IDENTITY, times = 3 })
      for _ = 1, 3 do
        assert.is_true((luaws({ service = "sts", method = "get_caller_identity", url = peer.url }, {
          AWS_CSM_ENABLED = "true", AWS_CSM_HOST = host, AWS_CSM_PORT = tostring(refusing.port) })))
      end
    end
  end)

  it("is configured by a file, too, and says nothing unless it is enabled", function()
    local agent <close> = listen()
    local port = "csm_port = " .. agent.port .. "\n"
    local w <close> = machine.new("[profile told]\ncsm_enabled = true\ncsm_client_id = me\n" .. port
      .. "[profile quiet]\n" .. port)
    for _, profile in ipairs{ "quiet", "told" } do
      peer:reply({ headers = XML, body = IDENTITY })
      w.session{ profile_name = profile }:client("sts", { endpoint_url = peer.url, aws_access_key_id = "a",
        aws_secret_access_key = "b" }):get_caller_identity()
    end
    local events = agent.events(2)
    assert.same({ "me", "me" }, { events[1].ClientId, events[2].ClientId })
  end)

  it("refuses a client id or a port that cannot be", function()
    for _, case in ipairs{
      { "AWS_CSM_CLIENT_ID", ("é"):rep(256), "maximum length of 255" },
      { "AWS_CSM_PORT", "many", "csm_port" },
      { "AWS_CSM_PORT", "65536", "csm_port" },
      { "AWS_CSM_PORT", "0", "csm_port" },
    } do
      local session = aws.session{ _env = { AWS_CSM_ENABLED = "true", [case[1]] = case[2] },
        _home = "/nowhere", region_name = "eu-west-1" }
      local err = machine.raised(session.client, session, "sts")
      assert.equal("ValueError", err.kind)
      assert.matches(case[3], err.message, 1, true)
      session = aws.session{ _env = { [case[1]] = case[2] }, _home = "/nowhere", region_name = "eu-west-1" }
      session:client("sts")
    end
  end)
end)
