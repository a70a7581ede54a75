-- What calls carry beside what the model says: the trace of a function of AWS Lambda; and what is told of
-- their TLS connections.
local aws = require("luaws")
local server = require("spec.support.server")
local shell = require("spec.support.shell")

local LAMBDA = "AWS_LAMBDA_FUNCTION_NAME"
local TRACE = "_X_AMZN_TRACE_ID"

describe("headers of a call", function()
  local peer
  local function client(service, env, config)
    return aws.session{ _env = env or {}, _home = "/nowhere" }:client(service, { region_name = "us-east-1",
      endpoint_url = peer.url, aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret",
      config = config })
  end
  setup(function()
    peer = server.start()
  end)
  before_each(function()
    peer:clear()
    peer:reply{ body = "{}", always = true }
  end)
  teardown(function()
    peer:stop()
  end)

  it("carry the trace of a function of AWS Lambda, quoted and unsigned", function()
    local cases = {
      { { [LAMBDA] = "f", [TRACE] = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8" },
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8" },
      { { [LAMBDA] = "f", [TRACE] = "a b\nc/é-=;:+&[]{}\"'," }, "a%20b%0Ac%2F%C3%A9-=;:+&[]{}\"'," },
      { { [LAMBDA] = "", [TRACE] = "x" }, "x" },
      { { [LAMBDA] = "f", [TRACE] = "" } },
      { { [LAMBDA] = "f" } },
      { { [TRACE] = "x" } },
    }
    for _, case in ipairs(cases) do
      client("sqs", case[1]):list_queues()
      local headers = peer:last().headers
      assert.equal(case[2], headers["x-amzn-trace-id"])
      assert.is_nil(headers.authorization:find("trace", 1, true))
    end
  end)

  it("leave a trace alone that a parameter gives", function()
    client("bedrock-agentcore", { [LAMBDA] = "f", [TRACE] = "of-lambda" }):invoke_agent_runtime{
      agentRuntimeArn = "a", payload = "{}", traceId = "mine" }
    assert.equal("mine", peer:last().headers["x-amzn-trace-id"])
  end)

  it("tell a listener of before-call of the trace, who may take it away", function()
    local sqs = client("sqs", { [LAMBDA] = "f", [TRACE] = "x" })
    local seen
    sqs.meta.events:register("before-call.sqs", function(event)
      seen = event.request.headers["X-Amzn-Trace-Id"]
      event.request.headers["X-Amzn-Trace-Id"] = nil
    end)
    sqs:list_queues()
    assert.same({ "x", nil }, { seen, peer:last().headers["x-amzn-trace-id"] })
  end)

  it("have no trace in a presigned URL", function()
    local url = client("s3", { [LAMBDA] = "f", [TRACE] = "x" }):generate_presigned_url("get_object",
      { Params = { Bucket = "b", Key = "k" } })
    assert.is_nil(url:lower():find("trace", 1, true))
  end)
end)

describe("SSLKEYLOGFILE", function()
  it("gets the secrets of TLS sessions, for whoever listens with a tool such as Wireshark", function()
    local peer <close> = server.start{ tls = true }
    peer:reply{ body = "{}", always = true }
    local path = os.tmpname()
    local script = ([[
      local aws = require("luaws")
      aws.client("sqs", { region_name = "us-east-1", endpoint_url = %q, verify = %q, aws_access_key_id = "a",
        aws_secret_access_key = "s" }):list_queues()
    ]]):format(peer.url, peer.ca)
    local result = shell.run({ "-e", script }, { env = { SSLKEYLOGFILE = path } })
    assert.equal("", result.err)
    local file <close> = assert(io.open(path))
    assert.matches("CLIENT_[%u_]+ %x+ %x+", file:read("a"))
    os.remove(path)
  end)
end)
