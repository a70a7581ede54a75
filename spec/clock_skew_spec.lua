-- A clock that is wrong: a service that refuses what was signed tells the time.
local aws = require("luaws")
local raised = require("spec.support.raised")
local server = require("spec.support.server")

local HOUR = 3600

local function date(seconds)
  return os.date("!%a, %d %b %Y %H:%M:%S GMT", seconds)
end

-- The time that a request was signed with.
local function signed_at(request)
  local text = request.headers["x-amz-date"]
  local y, m, d, h, min, s = text:match("^(%d%d%d%d)(%d%d)(%d%d)T(%d%d)(%d%d)(%d%d)Z$")
  local there = os.time{ year = y, month = m, day = d, hour = h, min = min, sec = s, isdst = false }
  local now = os.time()
  return there + os.difftime(now, os.time(os.date("!*t", now)))
end

local function client(peer, service, more)
  local opts = { region_name = "us-east-1", endpoint_url = peer.url, aws_access_key_id = "AKIDEXAMPLE",
    aws_secret_access_key = "the-secret", config = { retries = { total_max_attempts = 1 } } }
  for name, value in pairs(more or {}) do
    opts[name] = value
  end
  return aws.client(service, opts)
end

local function refusal(code, offset)
  return { status = 403, headers = { Date = date(os.time() + offset) },
    body = ('{"__type":"x#%s","message":"Signature expired"}'):format(code) }
end

describe("a wrong clock", function()
  local peer
  setup(function()
    peer = server.start()
  end)
  before_each(function()
    peer:clear()
  end)
  teardown(function()
    peer:stop()
  end)

  it("that was learnt is not believed in URLs and passwords either", function()
    peer:reply(refusal("RequestExpired", 3 * HOUR), {
      body = "<A><DescribeDBInstancesResult/></A>" })
    local rds = client(peer, "rds")
    rds:describe_db_instances()
    local token = rds:generate_db_auth_token("h", 1, "me")
    local there = signed_at{ headers = { ["x-amz-date"] = token:match("X%-Amz%-Date=([^&]*)") } }
    assert.is_true(math.abs(there - os.time() - 3 * HOUR) < 100)
  end)

  for _, code in ipairs{ "InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed",
    "RequestExpired", "RequestInTheFuture", "AuthFailure" } do
    it("is learnt from " .. code .. ", and the call sent again", function()
      peer:reply(refusal(code, 3 * HOUR), { body = '{"TableNames":["t"]}' })
      local response = client(peer, "dynamodb"):list_tables{}
      assert.same({ "t" }, response.TableNames)
      assert.equal(1, response.ResponseMetadata.RetryAttempts)
      local requests = peer:requests()
      assert.is_true(math.abs(signed_at(requests[1]) - os.time()) < 100)
      assert.is_true(math.abs(signed_at(requests[2]) - os.time() - 3 * HOUR) < 100)
      assert.are_not.equal(requests[1].headers.authorization, requests[2].headers.authorization)
      assert.equal(requests[1].headers["amz-sdk-invocation-id"], requests[2].headers["amz-sdk-invocation-id"])
    end)
  end

  it("is remembered by the client, and by no other", function()
    local function answer()
      peer:reply{ body = "{}", always = true }
    end
    local one, other = client(peer, "dynamodb"), client(peer, "dynamodb")
    peer:reply(refusal("InvalidSignatureException", -2 * HOUR), { body = "{}" })
    one:list_tables{}
    peer:clear()
    answer()
    one:list_tables{}
    other:list_tables{}
    local requests = peer:requests()
    assert.is_true(math.abs(signed_at(requests[1]) - os.time() + 2 * HOUR) < 100)
    assert.is_true(math.abs(signed_at(requests[2]) - os.time()) < 100)
    local before = os.date("!%Y%m%dT%H%M%SZ", os.time() - 2 * HOUR - 100)
    local at = one:generate_presigned_url("list_tables", {}):match("X%-Amz%-Date=(%w+)")
    assert.is_true(before < at and at < os.date("!%Y%m%dT%H%M%SZ", os.time() - 2 * HOUR + 100), at)
  end)

  it("is corrected once for a call", function()
    peer:reply(refusal("InvalidSignatureException", 3 * HOUR), refusal("InvalidSignatureException", 9 * HOUR))
    local c = client(peer, "dynamodb")
    assert.equal("InvalidSignatureException", raised(c.list_tables, c, {}).code)
    assert.equal(2, #peer:requests())
  end)

  it("is not to blame when the time is right, or not told, or the error another", function()
    local c = client(peer, "dynamodb")
    local untold = refusal("InvalidSignatureException", 0)
    untold.headers = {}
    for _, reply in ipairs{ refusal("InvalidSignatureException", 60), untold,
      refusal("ResourceNotFoundException", 3 * HOUR) } do
      peer:clear()
      peer:reply(reply)
      raised(c.list_tables, c, {})
      assert.equal(1, #peer:requests())
    end
  end)

  it("is not blamed for what went unsigned", function()
    peer:reply(refusal("InvalidSignatureException", 3 * HOUR))
    local c = client(peer, "dynamodb", { config = { signature_version = "unsigned" } })
    raised(c.list_tables, c, {})
    assert.equal(1, #peer:requests())
  end)

  it("is found in S3's answers, with a body and without", function()
    local s3 = client(peer, "s3")
    peer:reply({ status = 403, headers = { Date = date(os.time() + HOUR) },
      body = "<Error><Code>RequestTimeTooSkewed</Code><Message>too large</Message></Error>" }, { body = "" })
    s3:put_object{ Bucket = "b", Key = "k", Body = "data" }
    assert.equal("data", peer:last().body)
    peer:clear()
    local again = client(peer, "s3")
    peer:reply({ status = 403, headers = { Date = date(os.time() + HOUR) } }, { headers = { ETag = "e" } })
    assert.equal("e", again:head_object{ Bucket = "b", Key = "k" }.ETag)
    assert.equal(2, #peer:requests())
  end)
end)
