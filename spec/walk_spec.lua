-- The whole walk takes a minute or two; a few operations of it are looked at every time.
local quote = require("spec.support.child").quote

describe("the walk over operations", function()
  local root = os.getenv("LUAWS_ROOT") or "."
  local build = os.getenv("LUAWS_BUILD") or root .. "/build"

  local function walk(options, name)
    local script = root .. "/scripts/" .. (name or "walk")
    local command = ("python3 %s --build %s %s 2>&1"):format(quote(script),
      quote(build), options)
    local pipe = assert(io.popen(command))
    local output = pipe:read("a")
    return pipe:close() or false, output
  end

  it("finds requests, answers and errors alike to botocore's in a sample", function()
    local ok, output = walk("--sample 250")
    assert.is_true(ok, output)
    assert.matches("requests: 250 of 250 operations alike", output)
  end)

  it("finds them alike in CBOR too", function()
    local ok, output = walk("--sample 80 --protocol smithy-rpc-v2-cbor")
    assert.is_true(ok, output)
    assert.matches("requests: 80 of 80 operations alike", output)
  end)

  it("finds events alike, of every operation that has a stream of them", function()
    local ok, output = walk("--kind events bedrock-agent-runtime bedrock-agentcore bedrock-runtime "
      .. "connecthealth devops-agent iotsitewise kinesis lambda lexv2-runtime logs polly qbusiness s3 "
      .. "sagemaker-runtime")
    assert.is_true(ok, output)
    assert.matches("events: 23 of 23 operations alike", output)
  end)

  it("finds whole requests alike as clients send them", function()
    local ok, output = walk("--sample 12 sdb s3 s3control machinelearning health dynamodb route53 iot-data",
      "walk-clients")
    assert.is_true(ok, output)
    assert.matches("12 of 12 operations alike", output)
  end)

  it("finds them signed alike, to the last byte", function()
    local ok, output = walk("--cases 50", "walk-signatures")
    assert.is_true(ok, output)
    assert.matches("forms: 50 of 50 alike", output)
    assert.matches("tokens: 50 of 50 alike", output)
  end)

  it("finds what resources do alike to boto3 in a sample of resources", function()
    local ok, output = walk("--sample 12", "walk-resources")
    assert.is_true(ok, output)
    assert.matches("members of 12 resources, (%d+) of %1 uses alike", output)
  end)

  it("finds pages and waiters alike to botocore's in a sample", function()
    local ok, output = walk("--sample 60", "walk-pages")
    assert.is_true(ok, output)
    assert.matches(", (%d+) of %1 runs alike", output)
  end)

  it("finds events told to the same handlers as botocore does in a few stories", function()
    local ok, output = walk("--count 200", "walk-events")
    assert.is_true(ok, output)
    assert.matches("events: 200 of 200 stories alike", output)
  end)

  it("finds items and conditions of DynamoDB alike to boto3's in a sample", function()
    local ok, output = walk("--items 400 --conditions 300", "walk-dynamodb")
    assert.is_true(ok, output)
    assert.matches("items: 400 of 400 alike", output)
    assert.matches("conditions: 300 of 300 alike", output)
    assert.matches("wrong values: (%d+) of %1 refused alike", output)
  end)

  it("finds transfers alike to boto3's in a sample of sizes and settings", function()
    local ok, output = walk("--sample 20", "walk-transfers")
    assert.is_true(ok, output)
    assert.matches("transfers: 20 of 20 alike", output)
    assert.matches("sizes of parts: (%d+) of %1 alike", output)
  end)
end)
