-- Canned answers: checked, in order, without network or credentials.
local aws = require("luaws")
local raised = require("spec.support.raised")

local function nobody(service)
  return aws.session{ region_name = "us-east-1", _env = {}, _home = "/nowhere" }:client(service)
end

describe("a stubber", function()
  local c, stub
  before_each(function()
    c = nobody("sqs")
    stub = aws.stubber(c)
  end)

  it("answers in order, without network or credentials", function()
    stub:add_response("list_queues", { QueueUrls = { "u" } })
    stub:add_response("get_queue_url", { QueueUrl = "v" }, { QueueName = "q" })
    stub:activate()
    local response = c:list_queues{ QueueNamePrefix = "anything" }
    assert.same({ "u" }, response.QueueUrls)
    assert.equal(200, response.ResponseMetadata.HTTPStatusCode)
    assert.equal("v", c:get_queue_url{ QueueName = "q" }.QueueUrl)
    stub:assert_no_pending_responses()
  end)

  it("answers with bodies that are read", function()
    local s3 = nobody("s3")
    local bodies <close> = aws.stubber(s3):activate()
    for _ = 1, 5 do
      bodies:add_response("get_object", { Body = "one\ntwo", ContentLength = 7 })
    end
    local function body()
      return s3:get_object{ Bucket = "b", Key = "k" }.Body
    end
    assert.equal("one\ntwo", body():read("a"))
    local first = body()
    assert.same({ "luaws.body(read)", "on", "e", "two", "luaws.body(closed)" },
      { tostring(first), first:read(2), first:read("l"), first:read("l"), tostring(first) })
    assert.is_nil(first:read("l"))
    local lines = {}
    for line in body():lines() do
      lines[#lines + 1] = line
    end
    assert.same({ "one", "two" }, lines)
    local closed = body()
    closed:close()
    assert.equal("the body is closed", raised(closed.read, closed, "a").message)
    local given <close> = body()
    bodies:add_response("get_object", { Body = given })
    assert.equal(given, body())
  end)

  it("answers with streams of events, and takes those that are sent", function()
    local polly = nobody("polly")
    local streams = aws.stubber(polly):activate()
    local params = { Engine = "neural", OutputFormat = "mp3", VoiceId = "Joanna",
      ActionStream = aws.stubber.ANY }
    local function call(events)
      return polly:start_speech_synthesis_stream{ Engine = "neural", OutputFormat = "mp3", VoiceId = "Joanna",
        ActionStream = events }.EventStream
    end
    streams:add_response("start_speech_synthesis_stream", { EventStream = {
      { AudioEvent = { AudioChunk = "a" } }, { StreamClosedEvent = { RequestCharacters = 1 } } } }, params)
    streams:add_response("start_speech_synthesis_stream", { EventStream = {
      { AudioEvent = { AudioChunk = "b" } }, { ThrottlingException = { message = "slow down" } },
      { AudioEvent = { AudioChunk = "never" } } } })
    local writer = aws.event_writer()
    writer:send{ TextEvent = { Text = "x" } }
    local seen = {}
    do
      local stream <close> = call(writer)
      writer:send{ TextEvent = { Text = "y" } }
      for event in stream:events() do
        seen[#seen + 1] = next(event)
      end
      assert.equal("luaws.events(open)", tostring(stream))
    end
    writer:close()
    assert.same({ "AudioEvent", "StreamClosedEvent" }, seen)
    local next_event = call(function() end):events()
    assert.same({ AudioEvent = { AudioChunk = "b" } }, next_event())
    local err = raised(next_event)
    assert.equal("EventStreamError", err.kind)
    assert.is_true(err:is("ThrottlingException"))
    assert.is_true(err:is(polly.exceptions.ThrottlingException))
    assert.equal("slow down", err.message)
    assert.is_nil(next_event())
    streams:assert_no_pending_responses()
    for _, wrong in ipairs{ { { AudioEvnt = {} } }, { { AudioEvent = { AudioChunk = 5 } } }, { {} }, "x",
      { AudioEvent = {} } } do
      err = raised(streams.add_response, streams, "start_speech_synthesis_stream", { EventStream = wrong })
      assert.equal("ParamValidationError", err.kind)
      assert.matches("EventStream", err.message)
    end
  end)

  it("answers DynamoDB and S3 with their own handlers", function()
    local dynamodb, s3 = nobody("dynamodb"), nobody("s3")
    local first, second = aws.stubber(dynamodb):activate(), aws.stubber(s3):activate()
    first:add_response("get_item", { Item = { id = { S = "x" }, n = { N = "1" } } })
    second:add_response("list_objects_v2", { Contents = { { Key = "a+b" } } }, { Bucket = "abc" })
    assert.equal("1", dynamodb:get_item{ TableName = "t", Key = { id = { S = "x" } } }.Item.n.N)
    assert.equal("a+b", s3:list_objects_v2{ Bucket = "abc" }.Contents[1].Key)
  end)

  it("raises errors of the service", function()
    stub:add_client_error("get_queue_url", { service_error_code = "QueueDoesNotExist",
      service_message = "none",
      http_status_code = 404, service_error_meta = { Extra = "e" }, response_meta = { RequestId = "r" },
      modeled_fields = { Field = 1 } })
    stub:add_client_error("list_queues", "Busy", "later", 503)
    stub:activate()
    local err = raised(c.get_queue_url, c, { QueueName = "q" })
    assert.equal("An error occurred (QueueDoesNotExist) when calling the GetQueueUrl operation: none",
      tostring(err))
    assert.same({ Error = { Code = "QueueDoesNotExist", Message = "none", Extra = "e" }, Field = 1,
      ResponseMetadata = {
      HTTPStatusCode = 404, HTTPHeaders = {}, RetryAttempts = 0, RequestId = "r" } }, err.response)
    assert.is_true(err:is(c.exceptions.QueueDoesNotExist))
    assert.equal("Busy", raised(c.list_queues, c, {}).code)
  end)

  it("refuses answers that the service could not give", function()
    local err = raised(stub.add_response, stub, "list_queues", { QueueURLs = {}, NextToken = 5, QueueUrls = {
      1 } })
    assert.equal("ParamValidationError", err.kind)
    assert.matches('Unknown parameter in input: "QueueURLs"', err.message, 1, true)
    assert.matches("Invalid type for parameter NextToken", err.message, 1, true)
    assert.matches("Invalid type for parameter QueueUrls[0]", err.message, 1, true)
    assert.equal("ParamValidationError", raised(stub.add_response, stub, "delete_queue", { X = 1 }).kind)
    assert.equal("ValueError", raised(stub.add_response, stub, "no_such", {}).kind)
    stub:assert_no_pending_responses()
  end)

  it("is strict about the order, the number and the parameters of calls", function()
    stub:add_response("get_queue_url", { QueueUrl = "v" }, { QueueName = "q",
      QueueOwnerAWSAccountId = aws.stubber.ANY })
    stub:activate()
    local err = raised(c.list_queues, c, {})
    assert.equal("StubResponseError", err.kind)
    assert.equal("Error getting response stub for operation ListQueues: Operation mismatch: "
      .. "found response for GetQueueUrl.", err.message)
    err = raised(c.get_queue_url, c, { QueueName = "other" })
    assert.equal("StubAssertionError", err.kind)
    assert.is_true(err:is("AssertionError"))
    assert.equal("AssertionError", raised(stub.assert_no_pending_responses, stub).kind)
    assert.equal("v", c:get_queue_url{ QueueName = "q", QueueOwnerAWSAccountId = "whoever" }.QueueUrl)
    assert.equal("UnStubbedResponseError", raised(c.list_queues, c, {}).kind)
  end)

  it("lets a download ask for checksums that boto3's does not ask for", function()
    local s3 = nobody("s3")
    local canned <close> = aws.stubber(s3)
    canned:add_response("head_object", { ContentLength = 3, ETag = '"e"' }, { Bucket = "b", Key = "k" })
    canned:add_response("get_object", { ContentLength = 3, Body = "abc" }, { Bucket = "b", Key = "k" })
    canned:activate()
    local got = {}
    s3:download_fileobj("b", "k", function(chunk)
      got[#got + 1] = chunk
    end)
    assert.equal("abc", table.concat(got))
    canned:assert_no_pending_responses()
  end)

  it("compares nested parameters, with ANY at any depth", function()
    local ANY = aws.stubber.ANY
    local expected = { QueueName = "q", Attributes = { DelaySeconds = ANY, Policy = "p" } }
    stub:add_response("create_queue", { QueueUrl = "v" }, expected)
    stub:activate()
    assert.equal("StubAssertionError", raised(c.create_queue, c, { QueueName = "q", Attributes = {
      Policy = "p" } }).kind)
    assert.equal("v", c:create_queue{ QueueName = "q", Attributes = { DelaySeconds = "5",
      Policy = "p" } }.QueueUrl)
  end)

  it("lets go of the client when deactivated or closed, and leaves presigned URLs alone", function()
    local s3 = aws.session{ region_name = "us-east-1", aws_access_key_id = "a",
      aws_secret_access_key = "b" }:client("s3")
    do
      local closing <close> = aws.stubber(s3):activate()
      assert.is_table(closing)
      assert.matches("^https://abc", s3:generate_presigned_url("get_object", { Params = { Bucket = "abc",
        Key = "k" } }))
      assert.equal("UnStubbedResponseError", raised(s3.list_buckets, s3).kind)
    end
    s3.meta.events:register("before-call.s3", function()
      return { parsed = { Mine = true } }
    end)
    assert.is_true(s3:list_buckets().Mine)
  end)
end)
