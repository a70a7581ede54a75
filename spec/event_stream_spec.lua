-- Event streams in answers: events as they come, exceptions, and streams that are broken.
local aws = require("luaws")
local frames = require("spec.support.event_stream")
local raised = require("spec.support.raised")
local server = require("spec.support.server")

local collect = frames.collect

local SUBSCRIBE = { ConsumerARN = "arn:aws:kinesis:us-east-1:1:c", ShardId = "s",
  StartingPosition = { Type = "LATEST" } }
local SELECT = { Bucket = "bucket", Key = "key", Expression = "SELECT *", ExpressionType = "SQL",
  InputSerialization = {}, OutputSerialization = {} }

local function client(peer, service)
  return aws.client(service, { region_name = "us-east-1", endpoint_url = peer.url,
    aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret",
    config = { retries = { total_max_attempts = 1 }, inject_host_prefix = false } })
end

describe("an event stream", function()
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

  local function select_events(...)
    peer:reply{ chunked = true, pieces = { ... } }
    return client(peer, "s3"):select_object_content(SELECT).Payload
  end

  it("gives its events by name, with payloads that are bytes or XML", function()
    local stream = select_events(
      frames.event("Records", "a,b\n\0\255"),
      frames.event("Cont"),
      frames.event("Stats", "<Stats><BytesScanned>5</BytesScanned><BytesReturned>3</BytesReturned></Stats>"),
      frames.event("End"))
    assert.same({
      { Records = { Payload = "a,b\n\0\255" } },
      { Cont = {} },
      { Stats = { Details = { BytesScanned = 5, BytesReturned = 3 } } },
      { End = {} },
    }, collect(stream))
    assert.same({}, collect(stream))
  end)

  it("puts together messages that come in any pieces", function()
    local text = frames.event("Records", ("x"):rep(300)) .. frames.event("End")
    local pieces = {}
    for i = 1, #text, 7 do
      pieces[#pieces + 1] = text:sub(i, i + 6)
    end
    assert.same({ { Records = { Payload = ("x"):rep(300) } }, { End = {} } },
      collect(select_events(table.unpack(pieces))))
  end)

  it("gives an event as soon as it is there", function()
    local event = frames.event("Records", "first")
    local head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    peer:reply{ raw = ("%s%x\r\n%s\r\n"):format(head, #event, event), then_ = "hang" }
    local stream <close> = client(peer, "s3"):select_object_content(SELECT).Payload
    assert.same({ Records = { Payload = "first" } }, stream:events()())
  end)

  it("holds JSON of a structure, with nothing of events that are not known yet", function()
    peer:reply{ body = frames.event("messageStart", '{"role":"assistant","p":"abcd"}')
      .. frames.event("invented", '{"a":1}')
      .. frames.event("contentBlockDelta", '{"contentBlockIndex":0,"delta":{"text":"Hi"}}')
      .. frames.event("messageStop", '{"stopReason":"end_turn"}') }
    local response = client(peer, "bedrock-runtime"):converse_stream{ modelId = "m" }
    assert.equal(200, response.ResponseMetadata.HTTPStatusCode)
    assert.same({
      { messageStart = { role = "assistant" } },
      { contentBlockDelta = { contentBlockIndex = 0, delta = { text = "Hi" } } },
      { messageStop = { stopReason = "end_turn" } },
    }, collect(response.stream))
  end)

  it("decodes what a service sends in base64", function()
    peer:reply{ body = frames.event("chunk", '{"bytes":"eyJhIjoxfQ=="}') }
    local bedrock = client(peer, "bedrock-runtime")
    local response = bedrock:invoke_model_with_response_stream{ modelId = "m", body = "{}" }
    assert.same({ { chunk = { bytes = '{"a":1}' } } }, collect(response.body))
  end)

  it("has members of the output in headers beside it", function()
    peer:reply{ headers = { ["X-Amz-Executed-Version"] = "7" }, body = frames.event("PayloadChunk", "raw")
      .. frames.event("InvokeComplete", '{"ErrorCode":"E","LogResult":"bG9n"}') }
    local response = client(peer, "lambda"):invoke_with_response_stream{ FunctionName = "f" }
    assert.equal("7", response.ExecutedVersion)
    assert.same({ { PayloadChunk = { Payload = "raw" } },
      { InvokeComplete = { ErrorCode = "E", LogResult = "bG9n" } } }, collect(response.EventStream))
  end)

  it("begins with an initial response in the json protocol", function()
    peer:reply{ chunked = true, pieces = { frames.event("initial-response", "{}"), 0.05,
      frames.event("SubscribeToShardEvent",
        '{"Records":[{"Data":"aGk=","PartitionKey":"p","SequenceNumber":"1"}],"MillisBehindLatest":0}') } }
    local response = client(peer, "kinesis"):subscribe_to_shard(SUBSCRIBE)
    local records = { { Data = "hi", PartitionKey = "p", SequenceNumber = "1" } }
    assert.same({ { SubscribeToShardEvent = { MillisBehindLatest = 0, Records = records } } },
      collect(response.EventStream))
  end)

  it("fails where the json protocol has no initial response", function()
    for _, body in ipairs{ "", frames.event("sessionStart", "{}") } do
      peer:reply{ body = body }
      local logs = client(peer, "logs")
      local err = raised(logs.start_live_tail, logs, { logGroupIdentifiers = { "g" } })
      assert.equal("ResponseParserError", err.kind)
      assert.equal("First event was not of type initial-response", err.message)
    end
  end)

  it("raises the exceptions of its model, whose members the error has", function()
    peer:reply{ body = frames.event("messageStart", '{"role":"assistant"}')
      .. frames.exception("modelStreamErrorException", '{"message":"it broke","originalStatusCode":424}') }
    local bedrock = client(peer, "bedrock-runtime")
    local stream = bedrock:converse_stream{ modelId = "m" }.stream
    local next_event = stream:events()
    assert.same({ messageStart = { role = "assistant" } }, next_event())
    local err = raised(next_event)
    assert.equal("EventStreamError", err.kind)
    assert.equal("modelStreamErrorException", err.code)
    assert.equal("An error occurred (modelStreamErrorException) when calling the ConverseStream operation: "
      .. "it broke", tostring(err))
    assert.is_true(err:is("ClientError"))
    assert.is_true(err:is("ModelStreamErrorException"))
    assert.is_true(err:is(bedrock.exceptions.ModelStreamErrorException))
    assert.is_false(err:is("ThrottlingException"))
    assert.same({ Error = { Code = "modelStreamErrorException", Message = "it broke" }, message = "it broke",
      originalStatusCode = 424 }, err.response)
    assert.same({}, collect(stream))
  end)

  it("raises an exception that comes in place of the initial response", function()
    peer:reply{ body = frames.exception("ResourceInUseException", '{"message":"busy"}') }
    local kinesis = client(peer, "kinesis")
    local stream = kinesis:subscribe_to_shard(SUBSCRIBE).EventStream
    assert.is_true(raised(collect, stream):is(kinesis.exceptions.ResourceInUseException))
  end)

  it("raises errors that no model describes", function()
    local err = raised(collect, select_events(frames.error("InternalError", "try later")))
    assert.equal("An error occurred (InternalError) when calling the SelectObjectContent operation: "
      .. "try later", tostring(err))
    assert.equal("EventStreamError", err.kind)
  end)

  it("raises what a service answers in place of a stream", function()
    peer:reply{ status = 404, body = "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>" }
    local s3 = client(peer, "s3")
    assert.is_true(raised(s3.select_object_content, s3, SELECT):is("NoSuchKey"))
  end)

  describe("that is broken", function()
    local good = frames.event("Records", "data")
    local too_long = string.pack(">I4I4", 12, 129 * 1024)
    local too_big = string.pack(">I4I4", 25 * 1024 * 1024, 0)
    local inside_out = string.pack(">I4I4", 40, 100)
    local function alone(prelude)
      return prelude .. string.pack(">I4", frames.crc32(prelude))
    end
    local cases = {
      { "a prelude whose sum is wrong", good:sub(1, 8) .. "\0\0\0\0" .. good:sub(13), "ChecksumMismatch" },
      { "a message whose sum is wrong", good:sub(1, -2) .. string.char(good:byte(-1) ~ 1),
        "ChecksumMismatch" },
      { "a payload that was changed", (good:gsub("data", "dada")), "ChecksumMismatch" },
      { "a header twice", frames.event("Records", "", frames.header(":event-type", "string", "End")),
        "DuplicateHeader" },
      { "too many headers", alone(too_long), "InvalidHeadersLength" },
      { "too long a payload", alone(too_big), "InvalidPayloadLength" },
      { "headers longer than the message", alone(inside_out), "ParserError" },
      { "headers that are cut off", frames.message("\5abc"), "ParserError" },
      { "a header of a type that does not exist", frames.message("\1a\10"), "ParserError" },
      { "no end", good:sub(1, -3), "IncompleteReadError" },
      { "only the beginning of a prelude", good:sub(1, 5), "IncompleteReadError" },
      { "XML that is none", frames.event("Stats", "<Stats>"), "ResponseParserError" },
    }
    for _, case in ipairs(cases) do
      it("raises at " .. case[1] .. ", after the events before it", function()
        local stream = select_events(frames.event("Records", "before") .. case[2])
        local next_event = stream:events()
        assert.same({ Records = { Payload = "before" } }, next_event())
        local err = raised(next_event)
        assert.equal(case[3], err.kind)
        assert.is_nil(next_event())
      end)
    end

    it("raises when the connection breaks off", function()
      peer:reply{ chunked = true, pieces = { good }, cut = { after = #good - 3, how = "close" } }
      local stream = client(peer, "s3"):select_object_content(SELECT).Payload
      assert.equal("ConnectionClosedError", raised(collect, stream).kind)
    end)
  end)

  it("reads headers of every type", function()
    local all = frames.header("t", true) .. frames.header("f", false) .. frames.header("b", "byte", -1)
      .. frames.header("s", "short", -300) .. frames.header("i", "integer", 1 << 30)
      .. frames.header("l", "long", -1 << 60) .. frames.header("y", "bytes", "\0\1")
      .. frames.header("g", "string", "text") .. frames.header("d", "timestamp", 1500)
      .. frames.header("u", "uuid", ("u"):rep(16))
    local stream = select_events(frames.event("Records", "x", all))
    assert.same({ { Records = { Payload = "x" } } }, collect(stream))
  end)

  it("drops its connection when it is closed early, and gives it back at the end", function()
    local before = peer:connections()
    local s3 = client(peer, "s3")
    peer:reply({ chunked = true, pieces = { frames.event("Records", "1"), 9, frames.event("End") } },
      { body = frames.event("End") }, { body = frames.event("End") })
    do
      local stream <close> = s3:select_object_content(SELECT).Payload
      assert.same({ Records = { Payload = "1" } }, stream:events()())
    end
    assert.same({ { End = {} } }, collect(s3:select_object_content(SELECT).Payload))
    assert.same({ { End = {} } }, collect(s3:select_object_content(SELECT).Payload))
    assert.equal(2, peer:connections() - before)
  end)

  it("cannot be read once it is closed", function()
    local stream = select_events(frames.event("End"))
    local next_event = stream:events()
    stream:close()
    stream:close()
    assert.equal("ValueError", raised(next_event).kind)
    assert.equal("ValueError", raised(stream.events, stream).kind)
    assert.equal("luaws.events(closed)", tostring(stream))
  end)

  it("suspends only the task that reads it", function()
    local order = {}
    peer:reply({ times = 2, chunked = true, pieces = { frames.event("Records", "1"), 0.1,
      frames.event("Records", "2"), 0.1, frames.event("End") } })
    local s3 = client(peer, "s3")
    local function read(name)
      return function()
        for event in s3:select_object_content(SELECT).Payload:events() do
          order[#order + 1] = name .. (event.Records and event.Records.Payload or "end")
        end
      end
    end
    aws.async.run(function()
      aws.async.gather(read("a"), read("b"))
    end)
    assert.equal(6, #order)
    table.sort(order, function(x, y) return x:sub(2) < y:sub(2) end)
    assert.same("1", order[1]:sub(2))
    assert.same("end", order[6]:sub(2))
  end)

  it("is what moto's S3 selects", function()
    local moto = require("spec.support.moto")
    local s3 = client(moto, "s3")
    s3:create_bucket{ Bucket = "selected" }
    s3:put_object{ Bucket = "selected", Key = "k", Body = '{"a":1}\n{"a":2}\n{"a":3}\n' }
    local stream = s3:select_object_content{ Bucket = "selected", Key = "k", ExpressionType = "SQL",
      Expression = "SELECT * FROM S3Object", InputSerialization = { JSON = { Type = "LINES" } },
      OutputSerialization = { JSON = { RecordDelimiter = "\n" } } }.Payload
    local events = collect(stream)
    moto.reset()
    assert.same({ Records = { Payload = '{"a":1}\n{"a":2}\n{"a":3}\n' } }, events[1])
    assert.is_true(events[2].Stats.Details.BytesReturned > 0)
    assert.same({ End = {} }, events[3])
  end)

  it("counts attempts that a listener answers", function()
    local s3 = client(peer, "s3")
    local asked = 0
    s3.meta.events:register("before-send.s3.SelectObjectContent", function()
      asked = asked + 1
      return { status_code = 500, headers = {}, body = "" }
    end)
    assert.equal("500", raised(s3.select_object_content, s3, SELECT).code)
    assert.equal(1, asked)
  end)

  it("is what a listener answers in place of the network", function()
    local s3 = client(peer, "s3")
    s3.meta.events:register("before-send.s3.SelectObjectContent", function()
      return { status_code = 200, headers = {}, body = frames.event("Records", "made up") }
    end)
    assert.same({ { Records = { Payload = "made up" } } }, collect(s3:select_object_content(SELECT).Payload))
    assert.equal(0, #peer:requests())
  end)
end)
