-- What the public interface promises and no other spec is about: values that are seldom met, names of the
-- module, everything that can wait in a task, and departures from boto3.
local aws = require("luaws")
local cjson = require("cjson")
local merged = require("spec.support.merged")
local server = require("spec.support.server")

local KEYS = {
  aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret", region_name = "us-east-1",
}

local function options(more)
  return merged(KEYS, more)
end

-- A client in front of a network that gives this answer; what it was sent is in the second value's `body`.
local function answered(service, body, more)
  local client, seen = aws.client(service, options(more)), {}
  client.meta.events:register("before-send", function(event)
    seen.body, seen.headers, seen.url = event.request.body, event.request.headers, event.request.url
    return { status_code = 200, headers = { ["x-amzn-requestid"] = "r" }, body = body }
  end)
  return client, seen
end

describe("a value of a call", function()
  it("that is a float may be infinite or no number, both ways", function()
    local client, seen = answered("rekognition", '{"Labels":[{"Confidence":"Infinity"},'
      .. '{"Confidence":"-Infinity"},{"Confidence":"NaN"},{"Confidence":1}]}')
    local labels = client:detect_labels{ Image = { Bytes = "x" }, MinConfidence = math.huge }.Labels
    assert.equal('"Infinity"', seen.body:match('"MinConfidence":([^,}]+)'))
    assert.same({ math.huge, -math.huge, "float" },
      { labels[1].Confidence, labels[2].Confidence, math.type(labels[4].Confidence) })
    assert.is_true(labels[3].Confidence ~= labels[3].Confidence)
    client:detect_labels{ Image = { Bytes = "x" }, MinConfidence = 0 / 0 }
    assert.equal('"NaN"', seen.body:match('"MinConfidence":([^,}]+)'))
  end)

  it("that is a timestamp may be given as seconds, as ISO 8601 or as os.date makes it", function()
    local client, seen = answered("cloudtrail", "{}")
    local now = 1700000000
    for _, time in ipairs{ now, now + 0.0, "2023-11-14T22:13:20Z", "2023-11-14T23:13:20+01:00",
      os.date("*t", now) } do
      client:lookup_events{ StartTime = time }
      assert.equal(now, cjson.decode(seen.body).StartTime)
    end
  end)

  it("that is a union's member which nobody knows yet tells its name", function()
    local client = answered("bedrock-runtime", '{"output":{"message":{"role":"assistant","content":['
      .. '{"text":"hi"},{"hologram":{"x":1}}]}},"stopReason":"end_turn"}')
    local content = client:converse{ modelId = "m" }.output.message.content
    assert.same({ { text = "hi" }, { SDK_UNKNOWN_MEMBER = { name = "hologram" } } }, content)
  end)

  it("that is null is lua-cjson's", function()
    assert.is_true(rawequal(cjson.null, aws.null))
    local client, seen = answered("bedrock-runtime", '{"output":{"message":{"role":"assistant","content":['
      .. '{"toolUse":{"toolUseId":"i","name":"n","input":{"a":null,"l":[],"m":{}}}}]}}}')
    local fields = { a = aws.null, l = aws.list{}, m = aws.map{} }
    local answer = client:converse{ modelId = "m", additionalModelRequestFields = fields }
    local input = answer.output.message.content[1].toolUse.input
    assert.same({ a = aws.null, l = {}, m = {} }, input)
    assert.same({ "array", "object" }, { getmetatable(input.l).__jsontype, getmetatable(input.m).__jsontype })
    local sent = seen.body:match('"additionalModelRequestFields":(%b{})')
    assert.same({ '"a":null', '"l":[]', '"m":{}' },
      { sent:match('"a":[^,}]+'), sent:match('"l":[^,}]+'), sent:match('"m":{}') })
  end)
end)

describe("the module", function()
  it("has all that it is said to have", function()
    for name, kind in pairs{ session = "function", client = "function", resource = "function",
      setup_default_session = "function", default_session = "function", set_stream_logger = "function",
      version = "string", null = "userdata", list = "function", map = "function", file = "function",
      jmespath = "table", dynamodb = "table", stubber = "table", async = "table", UNSIGNED = "string",
      event_writer = "function", cloudfront_signer = "function", progress = "function" } do
      assert.equal(kind, type(aws[name]), name)
    end
    assert.equal('{ a = { 1, "x" } }', aws.pretty{ a = { 1, "x" } })
    assert.equal(2, aws.jmespath.search("a[1]", { a = { 1, 2 } }))
    assert.equal(2, aws.jmespath.compile("a[1]"):search{ a = { 1, 2 } })
  end)

  it("has one default session until another is set up", function()
    local first = aws.default_session()
    assert.equal(first, aws.default_session())
    aws.setup_default_session(options{ region_name = "eu-north-1" })
    assert.are_not.equal(first, aws.default_session())
    assert.same({ "eu-north-1", "eu-north-1" },
      { aws.client("s3").meta.region_name, aws.resource("s3").meta.client.meta.region_name })
    aws.setup_default_session()
  end)
end)

describe("in a task", function()
  local peer, opts
  setup(function()
    peer = server.start()
    opts = options{ endpoint_url = peer.url }
  end)
  teardown(function()
    peer:stop()
  end)

  -- What waits, by name.
  local LISTED = "<ListBucketResult><Contents><Key>k</Key></Contents></ListBucketResult>"
  local WAITING = {
    ["an operation"] = function()
      return aws.client("s3", opts):list_objects_v2{ Bucket = "bucket" }.Contents[1].Key
    end,
    ["pages"] = function()
      local pages = aws.client("s3", opts):get_paginator("list_objects_v2"):paginate{ Bucket = "bucket" }
      return pages:build_full_result().Contents[1].Key
    end,
    ["a waiter"] = function()
      aws.client("s3", opts):get_waiter("bucket_exists"):wait{ Bucket = "bucket" }
      return "k"
    end,
    ["a collection"] = function()
      local key
      for object in aws.resource("s3", opts):Bucket("bucket").objects:all() do
        key = object.key
      end
      return key
    end,
    ["an attribute"] = function()
      local _ = aws.resource("s3", opts):Object("bucket", "k").content_length
      return "k"
    end,
    ["a transfer"] = function()
      local got = {}
      aws.client("s3", opts):download_fileobj("bucket", "k", function(piece) got[#got + 1] = piece end)
      return #table.concat(got) > 0 and "k"
    end,
    ["credentials"] = function()
      local session = aws.session{ region_name = "us-east-1", _home = "/nowhere",
        _env = { AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url .. "/creds" } }
      return session:get_credentials().access_key
    end,
  }

  it("everything that waits lets the others go on", function()
    local when_answered = 0.2
    peer:reply(
      { target = "/creds", delay = when_answered, always = true,
        body = '{"AccessKeyId":"k","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}' },
      { method = "HEAD", delay = when_answered, always = true, headers = { ["Content-Length"] = "5" },
        body = "" },
      { target = "list-type|^/bucket$|^/bucket[?]", delay = when_answered, always = true, body = LISTED },
      { delay = when_answered, always = true, body = "hello" })
    local begun, ended, names, results = 0, 0, {}, {}
    for name in pairs(WAITING) do
      names[#names + 1] = name
    end
    local begun_before_first_end
    aws.async.map(names, function(name)
      begun = begun + 1
      results[name] = WAITING[name]()
      begun_before_first_end = begun_before_first_end or begun
      ended = ended + 1
    end)
    local wanted = {}
    for name in pairs(WAITING) do
      wanted[name] = "k"
    end
    assert.same(wanted, results)
    assert.same({ #names, #names, #names }, { begun_before_first_end, begun, ended })
  end)
end)

describe("where boto3 is left behind,", function()
  it("a region may be in AWS_REGION, after AWS_DEFAULT_REGION", function()
    local function region(env)
      return aws.session{ _env = env, _home = "/nowhere" }.region_name
    end
    assert.same({ "eu-west-1", "eu-west-2" }, { region{ AWS_REGION = "eu-west-1" },
      region{ AWS_REGION = "eu-west-1", AWS_DEFAULT_REGION = "eu-west-2" } })
  end)

  it("calls are tried again as the standard has it, unless something else is asked for", function()
    local function mode(config)
      return aws.client("s3", options{ config = config }).meta.config.retries.mode
    end
    assert.same({ "standard", "legacy", "adaptive" },
      { mode(), mode{ retries = { mode = "legacy" } }, mode{ retries = { mode = "adaptive" } } })
  end)

  it("URLs are signed by version 4, for the region's host", function()
    for _, region in ipairs{ "us-east-1", "eu-west-1" } do
      local s3 = aws.client("s3", options{ region_name = region })
      local url = s3:generate_presigned_url("get_object", { Params = { Bucket = "bucket", Key = "k" } })
      assert.equal(("https://bucket.s3.%s.amazonaws.com/k"):format(region), url:match("^[^?]+"))
      assert.matches("X-Amz-Algorithm=AWS4-HMAC-SHA256", url, 1, true)
    end
  end)

  it("a client takes kilobytes", function()
    local function resident()
      collectgarbage()
      for line in io.lines("/proc/self/status") do
        local kilobytes = line:match("^VmRSS:%s+(%d+)")
        if kilobytes then
          return tonumber(kilobytes)
        end
      end
    end
    local session, services = aws.session(options()), { "s3", "ec2", "sqs", "dynamodb", "iam" }
    local kept = {}
    for _, service in ipairs(services) do
      kept[#kept + 1] = session:client(service)
    end
    local before = resident()
    for i = 1, 500 do
      kept[#kept + 1] = session:client(services[i % #services + 1])
    end
    assert.is_true((resident() - before) / 500 < 128)
    assert.equal(505, #kept)
  end)

  it("a member that is null does not end the structure that it is in", function()
    local client, seen = answered("s3", "", { config = { parameter_validation = false } })
    client:create_bucket{ Bucket = "bucket", CreateBucketConfiguration = { LocationConstraint = aws.null,
      Location = { Type = aws.null, Name = "z" }, Bucket = { Type = "Directory" } } }
    assert.matches("<Name>z</Name>", seen.body, 1, true)
    assert.matches("<Type>Directory</Type>", seen.body, 1, true)
  end)
end)
