-- Retries over real sockets: what each attempt says of itself, and the rules that AWS_NEW_RETRIES_2026
-- switches on. Which answers are tried again, and the numbers, are in spec/fixtures/retry.
local aws = require("luaws")
local core = require("luaws.core")
local server = require("spec.support.server")

local THEN = "Tue, 15 Nov 2022 10:00:00 GMT" -- by the server's clock
local NEW = { AWS_NEW_RETRIES_2026 = "True" }

describe("retries", function()
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

  -- A client whose retries do not wait, unless `waits`.
  local function client(service, opts)
    opts = opts or {}
    local c = aws.session{ _env = opts.env or {}, _home = "/nowhere", _clock = opts.now }:client(service, {
      region_name = "us-east-1", endpoint_url = peer.url, aws_access_key_id = "AKIDEXAMPLE",
      aws_secret_access_key = "the-secret",
      config = { retries = opts.retries, s3 = { addressing_style = "path" }, read_timeout = 90 } })
    if not opts.waits then
      c.meta.events:register("needs-retry", function(event)
        return event.call:retry_delay() and 0 or nil
      end)
    end
    return c
  end

  local function told(name)
    local values = {}
    for i, request in ipairs(peer:requests()) do
      values[i] = request.headers[name] or "none"
    end
    return values
  end

  it("keep one id, count, tell until when they wait, and are signed anew", function()
    peer:reply({ status = 503, headers = { Date = THEN } }, { status = 500 },
      { status = 500, headers = { Date = "no date" } }, { body = "{}" })
    local now = 1700000000 -- 2023-11-14T22:13:20Z
    local sqs = client("sqs", { retries = { total_max_attempts = 4 }, now = function() return now end })
    sqs.meta.events:register("before-send", function() now = now + 60 end)
    sqs:list_queues()
    local ids, signatures = {}, {}
    for _, request in ipairs(peer:requests()) do
      ids[request.headers["amz-sdk-invocation-id"]] = true
      signatures[request.headers.authorization:match("Signature=(%x+)")] = true
    end
    assert.matches("^%x+%-%x+%-4%x+%-%x+%-%x+$", (next(ids)))
    assert.is_nil(next(ids, (next(ids))))
    local count = 0
    for _ in pairs(signatures) do
      count = count + 1
    end
    assert.equal(4, count)
    -- The server's clock and the 90 seconds that are waited for an answer.
    assert.same({ "attempt=1; max=4", "ttl=20221115T100130Z; attempt=2; max=4", "attempt=3; max=4",
      "attempt=4; max=4" }, told("amz-sdk-request"))
  end)

  it("tell no time of a body that is streamed", function()
    peer:reply({ status = 503, headers = { Date = THEN } }, {})
    client("s3"):put_object{ Bucket = "b", Key = "k", Body = "x" }
    assert.same({ "attempt=1; max=3", "attempt=2; max=3" }, told("amz-sdk-request"))
  end)

  it("are as many as the mode, the service and the rules say", function()
    peer:reply{ status = 500, always = true }
    local cases = {
      { "sqs", "list_queues", 3 },
      { "sqs", "list_queues", 5, { retries = { mode = "legacy" } } },
      { "sqs", "list_queues", 3, { retries = { mode = "adaptive" } } },
      { "sqs", "list_queues", 3, { env = NEW } },
      { "sqs", "list_queues", 2, { env = NEW, retries = { max_attempts = 1 } } },
      { "dynamodb", "list_tables", 3 },
      { "dynamodb", "list_tables", 10, { retries = { mode = "legacy" } } },
      { "dynamodb", "list_tables", 4, { env = NEW } },
      { "dynamodb", "list_tables", 3, { env = { AWS_NEW_RETRIES_2026 = "1" } } },
      { "dynamodb", "list_tables", 2, { env = NEW, retries = { total_max_attempts = 2 } } },
    }
    for i, case in ipairs(cases) do
      peer:clear()
      peer:reply{ status = 500, always = true }
      assert.is_false(pcall(client(case[1], case[4])[case[2]], client(case[1], case[4])))
      assert.equal(case[3], #peer:requests(), i)
    end
  end)

  it("cost more of the quota by the rules of 2026, and little when it is a throttle", function()
    local cases = {
      { {}, 500, nil, 100 }, { NEW, 500, nil, 35 }, { NEW, 400, "ThrottlingException", 100 },
      { {}, 400, "ThrottlingException", 100 },
    }
    for i, case in ipairs(cases) do
      peer:clear()
      peer:reply{ status = case[2], always = true,
        body = case[3] and '{"__type":"' .. case[3] .. '"}' or "{}" }
      local sqs = client("sqs", { env = case[1], retries = { total_max_attempts = 400 } })
      local _, err = sqs.try:list_queues()
      assert.is_true(err.response.ResponseMetadata.RetryQuotaReached)
      assert.equal(case[4] + 1, #peer:requests(), i)
    end
  end)

  it("wait as long as the service wishes, by the rules of 2026", function()
    local function waited(env, wish)
      peer:clear()
      peer:reply({ status = 500, headers = { ["x-amz-retry-after"] = wish } }, { body = "{}" })
      client("sqs", { env = env, waits = true }):list_queues()
      local requests = peer:requests()
      return requests[2].time - requests[1].time
    end
    -- Timers count whole milliseconds.
    assert.is_true(waited(NEW, "700") >= 0.698)
    assert.is_true(waited(NEW, " 600 ") >= 0.598)
    waited(NEW, "soon") -- and what is no number is as none
    waited(NEW, "-5")
  end)

  it("that the quota forbids are waited for where an operation polls", function()
    local sqs = client("sqs", { env = NEW, waits = true, retries = { total_max_attempts = 100 } })
    sqs.meta.events:register("needs-retry.sqs.ListQueues", function(event)
      return event.call:retry_delay() and 0 or nil
    end)
    peer:reply{ status = 500, always = true }
    pcall(sqs.list_queues, sqs) -- uses up the quota
    peer:clear()
    peer:reply{ status = 500, headers = { ["x-amz-retry-after"] = "600" }, always = true }
    local start = core.monotonic()
    local _, err = sqs.try:receive_message{ QueueUrl = peer.url .. "/1/q" }
    assert.is_true(core.monotonic() - start >= 0.598)
    assert.is_true(err.response.ResponseMetadata.RetryQuotaReached)
    assert.equal(1, #peer:requests())
  end)
end)
