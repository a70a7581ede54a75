-- Event streams as input: events that go out while others come in, over HTTP/2. The server checks the chain
-- of signatures, the frames and their sums with Python's own hashes (spec/support/duplex_server.py).
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")
local duplex = require("spec.support.duplex")
local frames = require("spec.support.event_stream")
local server = require("spec.support.server")
local shell = require("spec.support.shell")

local KEYS = { aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret",
  region_name = "us-east-1" }

local function client(peer, service, config, more)
  local options = { endpoint_url = peer.url, verify = peer.ca, config = config or {} }
  options.config.read_timeout = options.config.read_timeout or 20
  options.config.inject_host_prefix = false
  for name, value in pairs(KEYS) do
    options[name] = value
  end
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return aws.client(service, options)
end

local function synthesize(peer, stream, config)
  local polly = client(peer, "polly", config)
  return polly:start_speech_synthesis_stream{ Engine = "neural", OutputFormat = "mp3", VoiceId = "Joanna",
    ActionStream = stream }
end

local function text(value)
  return { TextEvent = { Text = value } }
end

local function collect(stream)
  local events = {}
  for event in stream:events() do
    events[#events + 1] = event
  end
  return events
end

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local function number_of(event)
  return math.tointeger(cjson.decode(event.AudioEvent.AudioChunk).n)
end

-- A stream without faults that ended as it should.
local function assert_good(stream, count)
  assert.same({}, stream.errors)
  assert.equal("ended", stream["end"])
  assert.equal(count, math.tointeger(stream.count))
end

local ECHO = { event = "AudioEvent" }

describe("events that are sent", function()
  local peer
  setup(function()
    peer = duplex.start()
  end)
  teardown(function()
    peer:stop()
  end)

  -- ---- the five operations ----

  local base64 = { ["aGVsbG8="] = "hello", ["AP8KAA=="] = "\0\255\n\0", [""] = "" }
  -- What is given, and what its payload says: a blob is base64 there.
  local OPERATIONS = {
    { service = "bedrock-runtime", method = "invoke_model_with_bidirectional_stream", input = "body",
      output = "body", params = { modelId = "amazon.nova-sonic-v1:0" },
      path = "/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream",
      events = {
        { { chunk = { bytes = "hello" } }, { bytes = "aGVsbG8=" } },
        { { chunk = { bytes = "\0\255\n\0" } }, { bytes = "AP8KAA==" } },
        { { chunk = {} }, {} },
      },
      answer = frames.event("chunk", '{"bytes":"aGVsbG8="}'), reads = { chunk = { bytes = "hello" } } },
    { service = "connecthealth", method = "start_medical_scribe_listening_session", input = "inputStream",
      output = "responseStream", params = { sessionId = "11111111-2222-3333-4444-555555555555",
        domainId = "hai-0123456789abcdef0", subscriptionId = "sub-0123456789abcdef0123456",
        languageCode = "en-US", mediaSampleRateHertz = 16000, mediaEncoding = "pcm" },
      path = "/medical-scribe-stream/",
      events = {
        { { configurationEvent = { postStreamActionSettings = { outputS3Uri = "s3://bucket/k",
            clinicalNoteGenerationSettings = { noteTemplateSettings = { managedTemplate = {
              templateType = "HISTORY_AND_PHYSICAL" } } } } } },
          { postStreamActionSettings = { outputS3Uri = "s3://bucket/k",
            clinicalNoteGenerationSettings = { noteTemplateSettings = { managedTemplate = {
              templateType = "HISTORY_AND_PHYSICAL" } } } } } },
        { { audioEvent = { audioChunk = "hello" } }, { audioChunk = "aGVsbG8=" } },
        { { sessionControlEvent = { type = "END_OF_SESSION" } }, { type = "END_OF_SESSION" } },
      },
      answer = frames.event("transcriptEvent", '{"transcriptSegment":{"content":"hi"}}'),
      reads = { transcriptEvent = { transcriptSegment = { content = "hi" } } } },
    { service = "lexv2-runtime", method = "start_conversation", input = "requestEventStream",
      output = "responseEventStream", params = { botId = "BOT0123456", botAliasId = "ALIAS01234",
        localeId = "en_US", sessionId = "S1", conversationMode = "TEXT" },
      path = "/bots/BOT0123456/botAliases/ALIAS01234/botLocales/en_US/sessions/S1/conversation",
      events = {
        { { ConfigurationEvent = { responseContentType = "text/plain; charset=utf-8", disablePlayback = true,
            requestAttributes = { ["ü"] = "ä\"\\\n" } } },
          { responseContentType = "text/plain; charset=utf-8", disablePlayback = true,
            requestAttributes = { ["ü"] = "ä\"\\\n" } } },
        { { TextInputEvent = { text = "order", eventId = "e1", clientTimestampMillis = 1700000000123 } },
          { text = "order", eventId = "e1", clientTimestampMillis = 1700000000123 } },
        { { AudioInputEvent = { contentType = "audio/x", audioChunk = "\0\255\n\0" } },
          { contentType = "audio/x", audioChunk = "AP8KAA==" } },
        { { DTMFInputEvent = { inputCharacter = "#" } }, { inputCharacter = "#" } },
        { { PlaybackCompletionEvent = {} }, {} },
        { { DisconnectionEvent = {} }, {} },
      },
      answer = frames.event("TranscriptEvent", '{"transcript":"hi","eventId":"e"}'),
      reads = { TranscriptEvent = { transcript = "hi", eventId = "e" } } },
    { service = "polly", method = "start_speech_synthesis_stream", input = "ActionStream",
      output = "EventStream", params = { Engine = "neural", OutputFormat = "mp3", VoiceId = "Joanna" },
      path = "/v1/synthesisStream",
      events = {
        { text("hello"), { Text = "hello" } },
        { { TextEvent = { Text = "<speak/>", TextType = "ssml",
            FlushStreamConfiguration = { Force = true } } },
          { Text = "<speak/>", TextType = "ssml", FlushStreamConfiguration = { Force = true } } },
        { { CloseStreamEvent = {} }, {} },
      },
      answer = frames.event("AudioEvent", "\0sound\255"),
      reads = { AudioEvent = { AudioChunk = "\0sound\255" } } },
    { service = "qbusiness", method = "chat", input = "inputStream", output = "outputStream",
      params = { applicationId = "0123456789-0123456789-0123456789-012", userGroups = { "a b", "c" } },
      path = "/applications/0123456789-0123456789-0123456789-012/conversations?",
      events = {
        { { configurationEvent = { chatMode = "CREATOR_MODE" } }, { chatMode = "CREATOR_MODE" } },
        { { textEvent = { userMessage = "why?" } }, { userMessage = "why?" } },
        { { attachmentEvent = { attachment = { name = "n", data = "hello" } } },
          { attachment = { name = "n", data = "aGVsbG8=" } } },
        { { actionExecutionEvent = { pluginId = "0123456789-0123456789-0123456789-012",
            payloadFieldNameSeparator = "x", payload = { a = { value = { 1, "two", { three = true } } } } } },
          { pluginId = "0123456789-0123456789-0123456789-012", payloadFieldNameSeparator = "x",
            payload = { a = { value = { 1, "two", { three = true } } } } } },
        { { authChallengeResponseEvent = { responseMap = { k = "v" } } }, { responseMap = { k = "v" } } },
        { { endOfInputEvent = {} }, {} },
      },
      answer = frames.event("textEvent", '{"systemMessage":"because"}'),
      reads = { textEvent = { systemMessage = "because" } } },
  }

  local function params_of(operation, stream)
    local params = { [operation.input] = stream }
    for name, value in pairs(operation.params) do
      params[name] = value
    end
    return params
  end

  local function decoded(text_in_base64)
    if base64[text_in_base64] then
      return base64[text_in_base64]
    end
    return child.output({ "sh", "-c", "printf %s " .. child.quote(text_in_base64) .. " | base64 -d" })
  end

  for _, operation in ipairs(OPERATIONS) do
    it("are those of " .. operation.service .. "'s model, each signed", function()
      peer:plan{ last = { operation.answer } }
      local given, sent = {}, {}
      for i, event in ipairs(operation.events) do
        given[i], sent[i] = event[1], event[2]
      end
      local c = client(peer, operation.service)
      local response = c[operation.method](c, params_of(operation, given))
      assert.equal(200, response.ResponseMetadata.HTTPStatusCode)
      assert.same({ operation.reads }, collect(response[operation.output]))
      local stream = peer:streams(1)[1]
      assert_good(stream, #given)
      assert.is_true(stream.signed)
      assert.equal("application/vnd.amazon.eventstream", stream.headers["content-type"])
      assert.equal("POST", stream.headers[":method"])
      assert.equal(operation.path, stream.headers[":path"]:sub(1, #operation.path))
      assert.is_nil(stream.headers["content-length"])
      for i, event in ipairs(stream.events) do
        assert.same({ [":event-type"] = { 7, (next(given[i])) }, [":message-type"] = { 7, "event" },
          [":content-type"] = { 7, "application/json" } }, event.headers)
        assert.same(sent[i], cjson.decode(decoded(event.payload)))
      end
    end)
  end

  -- ---- models of one's own ----

  it("have headers and payloads of every kind, where a model has them", function()
    local folder = server.temporary_folder()
    local function shape(kind, more)
      local s = more or {}
      s.type = kind
      return s
    end
    local function member(name, place)
      return { shape = name, [place or "none"] = place and true or nil }
    end
    local model = {
      version = "2.0",
      metadata = { apiVersion = "2020-01-01", endpointPrefix = "eventful", protocol = "rest-json",
        serviceId = "Eventful", signatureVersion = "v4", uid = "eventful-2020-01-01", serviceFullName = "E" },
      operations = { Talk = { name = "Talk", http = { method = "POST", requestUri = "/talk" },
        input = { shape = "In" }, output = { shape = "Out" } } },
      shapes = {
        In = shape("structure", { members = { Stream = { shape = "Events" } }, payload = "Stream" }),
        Out = shape("structure", { members = { Stream = { shape = "Events" } }, payload = "Stream" }),
        Events = shape("structure", { eventstream = true, members = { Blob = member("BlobEvent"),
          Text = member("TextEvent"), Struct = member("StructEvent"), Rest = member("RestEvent") } }),
        BlobEvent = shape("structure", { event = true, members = { Body = member("Bytes", "eventpayload"),
          Flag = member("Flag", "eventheader"), Number = member("Number", "eventheader"),
          Big = member("Big", "eventheader"), Name = member("Name", "eventheader"),
          Raw = member("Bytes", "eventheader"), When = member("When", "eventheader") } }),
        TextEvent = shape("structure", { event = true, members = { Body = member("Name", "eventpayload") } }),
        StructEvent = shape("structure", { event = true,
          members = { Body = member("Inner", "eventpayload") } }),
        RestEvent = shape("structure", { event = true, members = { Name = member("Name", "eventheader"),
          Number = member("Number"), When = member("When") } }),
        Inner = shape("structure", { members = { Raw = member("Bytes"), Number = member("Number") } }),
        Bytes = shape("blob"), Flag = shape("boolean"), Number = shape("integer"), Big = shape("long"),
        Name = shape("string"), When = shape("timestamp"),
      },
    }
    child.output({ "mkdir", "-p", folder .. "/eventful/2020-01-01" })
    local file = assert(io.open(folder .. "/eventful/2020-01-01/service-2.json", "w"))
    file:write(cjson.encode(model))
    file:close()
    local options = { endpoint_url = peer.url }
    local session = aws.session{ data_path = folder, aws_access_key_id = KEYS.aws_access_key_id,
      aws_secret_access_key = KEYS.aws_secret_access_key, region_name = KEYS.region_name }
    local eventful = session:client("eventful", options)
    peer:plan{}
    local stream = eventful:talk{ Stream = {
      { Blob = { Body = "\0raw\255", Flag = true, Number = -5, Big = 1 << 40, Name = "ü", Raw = "\1\0",
        When = 1.5 } },
      { Blob = { Flag = false } },
      { Text = { Body = "plain" } },
      { Struct = { Body = { Raw = "hello", Number = 1 } } },
      { Struct = {} },
      { Rest = { Name = "n", Number = 7, When = 1500000000 } },
    } }.Stream
    assert.same({}, collect(stream))
    local log = peer:streams(1)[1]
    child.output({ "rm", "-rf", folder })
    assert_good(log, 6)
    local function headers(name, content_type, more)
      local all = { [":event-type"] = { 7, name }, [":message-type"] = { 7, "event" },
        [":content-type"] = { 7, content_type } }
      for key, value in pairs(more or {}) do
        all[key] = value
      end
      return all
    end
    local expected = {
      { headers("Blob", "application/octet-stream", { Flag = { 0, true }, Number = { 4, -5 },
        Big = { 5, 1 << 40 }, Name = { 7, "ü" }, Raw = { 6, "0100" }, When = { 8, 1500 } }), "\0raw\255" },
      { headers("Blob", "application/octet-stream", { Flag = { 1, false } }), "" },
      { headers("Text", "text/plain"), "plain" },
      { headers("Struct", "application/json"), '{"Raw":"aGVsbG8=","Number":1}' },
      { headers("Struct", "application/json"), "{}" },
      { headers("Rest", "application/json", { Name = { 7, "n" } }), '{"Number":7,"When":1500000000}' },
    }
    for i, event in ipairs(log.events) do
      assert.same(expected[i][1], event.headers)
      local same_text = expected[i][2] == decoded(event.payload)
      local same_json = expected[i][2]:sub(1, 1) == "{"
        and pcall(assert.same, cjson.decode(expected[i][2]), cjson.decode(decoded(event.payload)))
      assert.is_true(same_text or same_json, decoded(event.payload))
    end
  end)

  -- ---- where they come from ----

  it("are asked of a function, one by one", function()
    peer:plan{ echo = ECHO }
    local asked = 0
    local response = synthesize(peer, function()
      asked = asked + 1
      return asked <= 5 and text("number " .. asked) or nil
    end)
    local numbers = {}
    for event in response.EventStream:events() do
      numbers[#numbers + 1] = number_of(event)
    end
    assert.same({ 1, 2, 3, 4, 5 }, numbers)
    assert.equal(6, asked)
    assert_good(peer:streams(1)[1], 5)
  end)

  it("may be none", function()
    peer:plan{ last = { frames.event("AudioEvent", "silence") } }
    for _, stream in ipairs{ {}, function() end, false } do
      local response = synthesize(peer, stream or nil)
      assert.same({ { AudioEvent = { AudioChunk = "silence" } } }, collect(response.EventStream))
      assert_good(peer:streams(1)[1], 0)
    end
  end)

  it("make a dialogue without tasks: each answers the answer before", function()
    peer:plan{ echo = ECHO }
    local writer <close> = aws.event_writer()
    local stream <close> = synthesize(peer, writer).EventStream
    local next_event = stream:events()
    local said = "begin"
    for i = 1, 200 do
      writer:send(text(said))
      local event = next_event()
      assert.equal(i, number_of(event))
      said = event.AudioEvent.AudioChunk
    end
    writer:close()
    assert.is_nil(next_event())
    local log = peer:streams(1)[1]
    assert_good(log, 200)
    -- The last event held the answer to the one before it.
    assert.matches('{"n": 199', cjson.decode(decoded(log.events[200].payload)).Text, 1, true)
  end)

  it("are sent by one task while another reads", function()
    peer:plan{ echo = ECHO }
    local numbers = {}
    aws.async.run(function()
      local writer = aws.event_writer()
      local turn = 0
      aws.async.gather(function()
        for i = 1, 50 do
          while turn < i - 1 do -- only once the answer before is there
            aws.async.sleep(0.001)
          end
          writer:send(text("number " .. i))
        end
        writer:close()
      end, function()
        for event in synthesize(peer, writer).EventStream:events() do
          turn = number_of(event)
          numbers[#numbers + 1] = turn
        end
      end)
    end)
    assert.equal(50, #numbers)
    assert.equal(50, numbers[50])
    assert_good(peer:streams(1)[1], 50)
  end)

  it("are sent by several tasks, none lost", function()
    peer:plan{ echo = ECHO }
    local count = 0
    aws.async.run(function()
      local writer = aws.event_writer()
      local function send(name)
        return function()
          for i = 1, 40 do
            writer:send(text(name .. i .. ("x"):rep(20000)))
          end
        end
      end
      aws.async.gather(function()
        aws.async.gather(send("a"), send("b"), send("c"))
        writer:close()
      end, function()
        for _ in synthesize(peer, writer).EventStream:events() do
          count = count + 1
        end
      end)
    end)
    assert.equal(120, count)
    assert_good(peer:streams(1)[1], 120)
  end)

  it("may be waited for in a function, while its task reads", function()
    peer:plan{ echo = ECHO }
    local order = {}
    aws.async.run(function()
      local sent = 0
      local response = synthesize(peer, function()
        aws.async.sleep(0.02)
        sent = sent + 1
        order[#order + 1] = "sent"
        return sent <= 3 and text("number " .. sent) or nil
      end)
      for event in response.EventStream:events() do
        order[#order + 1] = number_of(event)
      end
    end)
    assert.same({ "sent", 1, "sent", 2, "sent", 3, "sent" }, order)
    assert_good(peer:streams(1)[1], 3)
  end)

  it("are kept by a writer until its call takes them, in their order", function()
    peer:plan{ head_after = 2, echo = ECHO }
    local writer = aws.event_writer()
    writer:send(text("one"))
    writer:send(text("two"))
    -- The server answers only after both: nothing would come of a call that sent none.
    local response = synthesize(peer, writer)
    writer:send(text("three"))
    writer:close()
    assert.equal(3, #collect(response.EventStream))
    local log = peer:streams(1)[1]
    assert_good(log, 3)
    for i, said in ipairs{ "one", "two", "three" } do
      assert.same({ Text = said }, cjson.decode(decoded(log.events[i].payload)))
    end
  end)

  it("end when the writer was closed beforehand, or is forgotten", function()
    peer:plan{ echo = ECHO }
    local function filled()
      local writer = aws.event_writer()
      writer:send(text("only"))
      return writer
    end
    local writer = filled()
    writer:close()
    writer:close()
    assert.equal(1, #collect(synthesize(peer, writer).EventStream))
    assert_good(peer:streams(1)[1], 1)
    local stream = synthesize(peer, filled()).EventStream
    local next_event = stream:events()
    assert.equal(1, number_of(next_event()))
    collectgarbage()
    assert.is_nil(next_event())
    assert_good(peer:streams(1)[1], 1)
  end)

  it("can be many thousands, both ways, in the memory of a few", function()
    local script = [[
      package.path = "./?.lua;" .. package.path
      local aws, duplex = require("luaws"), require("spec.support.duplex")
      local peer = duplex.start()
      peer:plan{ echo = { event = "AudioEvent", times = 2 }, forget = true }
      local function resident()
        collectgarbage() collectgarbage()
        for line in io.lines("/proc/self/status") do
          local kb = line:match("^VmRSS:%s+(%d+)")
          if kb then return tonumber(kb) end
        end
      end
      local polly = aws.client("polly", { endpoint_url = peer.url, aws_access_key_id = "AKIDEXAMPLE",
        aws_secret_access_key = "the-secret", region_name = "us-east-1" })
      local function run(count)
        local sent, came = 0, 0
        local response = polly:start_speech_synthesis_stream{ Engine = "neural", OutputFormat = "mp3",
          VoiceId = "Joanna", ActionStream = function()
            sent = sent + 1
            return sent <= count and { TextEvent = { Text = ("x"):rep(2000) } } or nil
          end }
        for event in response.EventStream:events() do
          came = came + 1
        end
        assert(came == 2 * count, came)
        local log = peer:streams(1)[1]
        assert(#log.errors == 0 and log.count == count, log.errors[1])
      end
      run(500)
      local before = resident()
      run(6000)
      print(resident() - before)
    ]]
    local file = shell.file(script)
    local grown = tonumber(child.output({ shell.program, file }))
    os.remove(file)
    -- AddressSanitizer keeps freed memory on purpose.
    assert.is_true(grown < 2048 or shell.program:find("asan", 1, true) ~= nil, "grew by " .. grown .. " KiB")
  end)

  it("wait for a server that does not take them, and are not asked for meanwhile", function()
    peer:plan{ hold = 0.4, echo = ECHO }
    local asked, held = 0, nil
    aws.async.run(function()
      local writer = aws.event_writer()
      local next_event = synthesize(peer, writer).EventStream:events()
      aws.async.gather(function()
        for i = 1, 100 do
          asked = i
          writer:send(text(("x"):rep(10000)))
        end
        writer:close()
      end, function()
        next_event()
        aws.async.sleep(0.1)
        held = asked
        while next_event() do end
      end)
    end)
    -- A window of HTTP/2 and what waits here are 64 KiB each; the rest was not even made.
    assert.is_true(held < 20, held)
    assert.equal(100, asked)
    assert_good(peer:streams(1)[1], 100)
  end)

  it("are not lost where answers are not read", function()
    peer:plan{ echo = { event = "AudioEvent", times = 200 }, forget = true }
    local writer = aws.event_writer()
    local stream = synthesize(peer, writer).EventStream
    for _ = 1, 100 do
      writer:send(text("many answers"))
    end
    writer:close()
    assert.equal(20000, #collect(stream))
    assert_good(peer:streams(1)[1], 100)
  end)

  -- ---- what is wrong with them ----

  local WRONG = {
    { "an unknown name", { TextEvnt = { Text = "x" } }, 'Unknown parameter in ActionStream[0]: "TextEvnt", '
      .. 'must be one of: TextEvent, CloseStreamEvent (did you mean "TextEvent"?)' },
    { "a member of another type", { TextEvent = { Text = 5 } },
      "Invalid type for parameter ActionStream[0].TextEvent.Text, value: 5, type: integer, valid types: " },
    { "a missing member", { TextEvent = {} },
      'Missing required parameter in ActionStream[0].TextEvent: "Text"' },
    { "an unknown member", { TextEvent = { Text = "x", Txt = 1 } },
      'Unknown parameter in ActionStream[0].TextEvent: "Txt"' },
    { "two names", { TextEvent = { Text = "x" }, CloseStreamEvent = {} },
      "Invalid number of parameters set for tagged union structure ActionStream[0]. Can only set one" },
    { "no name", {}, "Must set one of the following keys for tagged union structure ActionStream[0]: "
      .. "TextEvent, CloseStreamEvent." },
  }
  for _, case in ipairs(WRONG) do
    it("are refused with " .. case[1], function()
      peer:plan{ echo = ECHO }
      local function refused(fn, ...)
        local err = raised(fn, ...)
        assert.equal("ParamValidationError", err.kind)
        assert.matches(case[3], err.message, 1, true)
      end
      -- In a list, before there is a connection.
      refused(synthesize, peer, { case[2] })
      -- Of a function, which ends the stream.
      refused(function()
        collect(synthesize(peer, function()
          return case[2]
        end).EventStream)
      end)
      assert.equal(0, math.tointeger(peer:streams(1)[1].count))
      -- Put into a writer: only this one is not sent.
      local writer = aws.event_writer()
      local stream = synthesize(peer, writer).EventStream
      refused(writer.send, writer, case[2])
      writer:send(text("good"))
      writer:close()
      assert.equal(1, #collect(stream))
      assert_good(peer:streams(1)[1], 1)
    end)
  end

  it("are named by their place in the stream", function()
    peer:plan{ echo = ECHO }
    local err = raised(synthesize, peer, { text("a"), text("b"), { TextEvent = 1 } })
    assert.matches("ActionStream[2].TextEvent, value: 1", err.message, 1, true)
    local sent = 0
    err = raised(function()
      collect(synthesize(peer, function()
        sent = sent + 1
        return sent < 3 and text("x") or { TextEvent = { Text = true } }
      end).EventStream)
    end)
    assert.matches("ActionStream[2].TextEvent.Text, value: true", err.message, 1, true)
    peer:streams(1)
  end)

  it("come as a list, a function or a writer, and nothing else", function()
    local path = os.tmpname()
    for _, wrong in ipairs{ "text", 5, true, aws.file(path), coroutine.create(print), aws.null } do
      local err = raised(synthesize, peer, wrong)
      assert.equal("ParamValidationError", err.kind)
      assert.matches("parameter ActionStream.*table %(a list%), function, event writer", err.message)
    end
    os.remove(path)
    local err = raised(synthesize, peer, text("one event is no list"))
    assert.matches("ActionStream.*table %(a list%), function, event writer", err.message)
    local polly = client(peer, "polly")
    err = raised(polly.synthesize_speech, polly, { OutputFormat = "mp3", Text = aws.event_writer(),
      VoiceId = "J" })
    assert.equal("ParamValidationError", err.kind)
    local s3 = client(peer, "s3")
    err = raised(s3.put_object, s3, { Bucket = "b", Key = "k", Body = aws.event_writer() })
    assert.equal("ParamValidationError", err.kind)
  end)

  it("belong to one call", function()
    peer:plan{ echo = ECHO }
    local writer = aws.event_writer()
    local stream = synthesize(peer, writer).EventStream
    local err = raised(synthesize, peer, writer)
    assert.equal("ValueError", err.kind)
    assert.matches("belongs to another call", err.message)
    writer:close()
    assert.same({}, collect(stream))
    err = raised(writer.send, writer, text("late"))
    assert.equal("ValueError", err.kind)
    assert.equal("luaws.event_writer(closed)", tostring(writer))
    peer:streams(1)
  end)

  it("fill no memory when no call takes them", function()
    local writer = aws.event_writer()
    for _ = 1, 1000 do
      writer:send(text("x"))
    end
    assert.equal("RuntimeError", raised(writer.send, writer, text("x")).kind)
  end)

  it("cannot be presigned", function()
    local polly = client(peer, "polly")
    local err = raised(polly.generate_presigned_url, polly, "start_speech_synthesis_stream",
      { Params = { Engine = "neural", OutputFormat = "mp3", VoiceId = "Joanna" } })
    assert.equal("ValueError", err.kind)
    assert.matches("no presigned URL", err.message)
  end)

  -- ---- what ends them ----

  it("end with an error of the function that gives them, whatever it is", function()
    peer:plan{ echo = ECHO, stays = true }
    for _, what in ipairs{ "text", { kind = "Mine" }, 5 } do
      local fails = false
      local stream = synthesize(peer, function()
        if fails then
          error(what, 0)
        end
        return text("again and again")
      end).EventStream
      stream:events()()
      fails = true
      local err = raised(collect, stream)
      assert.equal(what, err)
      assert.same({}, collect(stream))
      assert.equal("reset 8", peer:streams(1)[1]["end"]) -- CANCEL, and no last message
    end
  end)

  it("end with an error of a function in a task", function()
    peer:plan{ echo = ECHO, stays = true }
    local err = raised(aws.async.run, function()
      collect(synthesize(peer, function()
        aws.async.sleep(0.01)
        error("broken", 0)
      end).EventStream)
    end)
    assert.equal("broken", err)
    assert.equal("reset 8", peer:streams(1)[1]["end"])
  end)

  it("end with an error before the answer has begun", function()
    peer:plan{ head_after = 5 }
    local err = raised(synthesize, peer, function()
      error("at once", 0)
    end)
    assert.equal("at once", err)
    assert.equal("reset 8", peer:streams(1)[1]["end"])
  end)

  it("end when the answer is closed early", function()
    peer:plan{ echo = ECHO, stays = true }
    local writer = aws.event_writer()
    do
      local stream <close> = synthesize(peer, writer).EventStream
      writer:send(text("one"))
      assert.equal(1, number_of(stream:events()()))
    end
    local err = raised(writer.send, writer, text("two"))
    assert.equal("ConnectionClosedError", err.kind)
    writer:close()
    assert.equal("reset 8", peer:streams(1)[1]["end"])
    -- Of a function nothing more is asked.
    local asked = 0
    local stream = synthesize(peer, function()
      asked = asked + 1
      return text("again")
    end).EventStream
    stream:events()()
    stream:close()
    local before = asked
    aws.async.sleep(0.05)
    assert.equal(before, asked)
    assert.not_equal("ended", peer:streams(1)[1]["end"])
  end)

  it("end when the function closes the answer", function()
    peer:plan{ echo = ECHO, stays = true }
    local stream
    stream = synthesize(peer, function()
      if stream then
        stream:close()
      end
      return text("x")
    end).EventStream
    assert.equal("ValueError", raised(collect, stream).kind)
    assert.equal("reset 8", peer:streams(1)[1]["end"])
  end)

  it("end with a task that is cancelled", function()
    peer:plan{ stays = true }
    aws.async.run(function()
      local writer = aws.event_writer()
      local reader = aws.async.spawn(function()
        local stream <close> = synthesize(peer, writer).EventStream
        collect(stream)
      end)
      aws.async.sleep(0.05)
      reader:cancel()
      assert.equal("ConnectionClosedError", raised(writer.send, writer, text("x")).kind)
    end)
    assert.equal("reset 8", peer:streams(1)[1]["end"])
  end)

  it("end when the server ends first, who may still be listening", function()
    for _, resets in ipairs{ false, true } do
      peer:plan{ steps = { { after = 1, frames = { frames.event("AudioEvent", "enough") }, ["end"] = true } },
        reset_after_end = resets }
      local writer = aws.event_writer()
      local stream = synthesize(peer, writer).EventStream
      writer:send(text("one"))
      assert.same({ { AudioEvent = { AudioChunk = "enough" } } }, collect(stream))
      local err = raised(writer.send, writer, text("two"))
      assert.equal("ConnectionClosedError", err.kind)
      assert.matches("the event stream is over", err.message)
      writer:close()
      peer:streams(1)
    end
  end)

  it("end with an exception that comes instead of an answer", function()
    peer:plan{ steps = { { after = 1, frames = { frames.event("AudioEvent", "a"),
      frames.exception("ThrottlingException", '{"message":"slow down","throttlingReasons":[]}') } } },
      stays = true }
    local writer = aws.event_writer()
    local stream = synthesize(peer, writer).EventStream
    writer:send(text("one"))
    local next_event = stream:events()
    assert.same({ AudioEvent = { AudioChunk = "a" } }, next_event())
    local err = raised(next_event)
    assert.equal("EventStreamError", err.kind)
    assert.equal("ThrottlingException", err.code)
    assert.equal("slow down", err.message)
    assert.is_true(err:is("ThrottlingException"))
    assert.equal("ConnectionClosedError", raised(writer.send, writer, text("two")).kind)
    assert.equal("reset 8", peer:streams(1)[1]["end"])
  end)

  it("end when the server resets the stream, or the connection breaks", function()
    for _, step in ipairs{ { after = 2, reset = 2 }, { after = 2, cut = true } } do
      peer:plan{ echo = ECHO, steps = { step } }
      local writer = aws.event_writer()
      local stream = synthesize(peer, writer).EventStream
      local next_event = stream:events()
      writer:send(text("one"))
      assert.equal(1, number_of(next_event()))
      writer:send(text("two"))
      local err = raised(collect, stream)
      assert.equal("ConnectionClosedError", err.kind)
      if step.reset then
        assert.matches("the server reset the stream (INTERNAL_ERROR)", err.message, 1, true)
      end
      assert.equal("ConnectionClosedError", raised(writer.send, writer, text("three")).kind)
      peer:streams(1)
    end
  end)

  -- ---- before the answer ----

  local THROTTLED = { status = 503, headers = { ["x-amzn-errortype"] = "ThrottlingException" },
    body = '{"message":"slow down"}' }

  it("are nothing to a server that says no", function()
    peer:plan{ status = 400, headers = { ["x-amzn-errortype"] = "ValidationException:http://internal/" },
      body = '{"message":"no such voice"}' }
    local writer = aws.event_writer()
    local polly = client(peer, "polly")
    local err = raised(synthesize, peer, writer)
    assert.equal("ClientError", err.kind)
    assert.equal("ValidationException", err.code)
    assert.equal("An error occurred (ValidationException) when calling the StartSpeechSynthesisStream "
      .. "operation: no such voice", tostring(err))
    assert.is_true(err:is(polly.exceptions.ValidationException))
    assert.equal(400, err.response.ResponseMetadata.HTTPStatusCode)
    assert.equal("ConnectionClosedError", raised(writer.send, writer, text("x")).kind)
    assert.equal("reset 0", peer:streams(1)[1]["end"])
    assert.equal("ValidationException", raised(synthesize, peer, { text("x") }).code)
    peer:streams(1)
  end)

  it("are not lost when the request is tried again before one was sent", function()
    peer:plan(THROTTLED, THROTTLED, { echo = ECHO })
    local writer = aws.event_writer()
    local response = synthesize(peer, writer)
    assert.equal(2, response.ResponseMetadata.RetryAttempts)
    writer:send(text("after all"))
    writer:close()
    assert.equal(1, #collect(response.EventStream))
    local streams = peer:streams(3)
    assert.equal(0, math.tointeger(streams[1].count))
    assert_good(streams[3], 1)
    assert.equal("attempt=3; max=3", streams[3].headers["amz-sdk-request"])
    -- Without events there is nothing that could be sent twice.
    peer:plan(THROTTLED, { last = { frames.event("AudioEvent", "a") } })
    response = synthesize(peer, {})
    assert.equal(1, response.ResponseMetadata.RetryAttempts)
    assert.equal(1, #collect(response.EventStream))
    peer:streams(2)
  end)

  it("are not sent twice: with one on its way the request is not tried again", function()
    for _, stream in ipairs{ { text("one") }, function() return text("more") end } do
      peer:plan({ head_after = 1, status = 503, headers = THROTTLED.headers, body = THROTTLED.body },
        { echo = ECHO })
      local err = raised(synthesize, peer, stream)
      assert.equal("ThrottlingException", err.code)
      assert.equal(0, err.response.ResponseMetadata.RetryAttempts)
      assert.equal(1, #peer:streams(1))
    end
  end)

  it("are not asked for where nobody listens", function()
    local nobody <close> = server.start{ refuse = true }
    local asked = 0
    local err = raised(synthesize, nobody, function()
      asked = asked + 1
      return text("x")
    end, { retries = { total_max_attempts = 2 } })
    assert.equal("EndpointConnectionError", err.kind)
    assert.equal(0, asked)
  end)

  it("need HTTP/2, which a server of HTTP/1.1 is told apart by", function()
    for _, tls in ipairs{ false, true } do
      local old <close> = server.start{ tls = tls }
      old:reply{ status = 505, body = "what?", always = true }
      local asked = 0
      local err = raised(synthesize, old, function()
        asked = asked + 1
        return text("x")
      end)
      assert.equal("HTTPClientError", err.kind)
      assert.matches("needs HTTP/2, which " .. old.url .. " does not speak", err.message, 1, true)
      assert.equal(tls and 0 or asked, asked)
    end
  end)

  it("wait for the headers of the answer as long as read_timeout says", function()
    peer:plan{ silent = 3 }
    local err = raised(synthesize, peer, { text("x") },
      { read_timeout = 0.3, retries = { total_max_attempts = 1 } })
    assert.equal("ReadTimeoutError", err.kind)
    peer:streams(1)
  end)

  it("may come as slowly as they like, once the answer has begun", function()
    peer:plan{ echo = ECHO }
    local writer = aws.event_writer()
    local stream = synthesize(peer, writer, { read_timeout = 0.2 }).EventStream
    local next_event = stream:events()
    for i = 1, 2 do
      aws.async.sleep(0.7)
      writer:send(text("slowly"))
      assert.equal(i, number_of(next_event()))
    end
    writer:close()
    assert.is_nil(next_event())
    local log = peer:streams(1)[1]
    assert_good(log, 2)
    assert.is_true(log.pings > 0) -- the server was asked whether it is still there
  end)

  it("go to a server that has gone silent no longer than read_timeout twice", function()
    peer:plan{ steps = { { after = 1, frames = { frames.event("AudioEvent", "last words") }, freeze = 3 } } }
    local writer = aws.event_writer()
    local stream = synthesize(peer, writer, { read_timeout = 0.2 }).EventStream
    writer:send(text("x"))
    local next_event = stream:events()
    assert.same({ AudioEvent = { AudioChunk = "last words" } }, next_event())
    assert.equal("ReadTimeoutError", raised(next_event).kind)
    peer:streams(1)
  end)

  -- ---- connections ----

  it("go over TLS, to a server that is trusted", function()
    local secure <close> = duplex.start{ tls = true }
    secure:plan{ echo = ECHO }
    assert.equal(2, #collect(synthesize(secure, { text("a"), text("b") }).EventStream))
    local log = secure:streams(1)[1]
    assert_good(log, 2)
    assert.equal("https", log.headers[":scheme"])
    local ca = secure.ca
    secure.ca = nil
    local err = raised(synthesize, secure, { text("a") }, { retries = { total_max_attempts = 1 } })
    assert.equal("SSLError", err.kind)
    assert.matches("SSL validation failed for https://127.0.0.1", err.message, 1, true)
    secure.ca = false
    assert.equal(1, #collect(synthesize(secure, { text("a") }).EventStream))
    secure.ca = ca
  end)

  it("do not go to a server with another's certificate", function()
    local other <close> = duplex.start{ tls = true, names = "DNS:elsewhere.example" }
    other:plan{ echo = ECHO }
    local err = raised(synthesize, other, { text("a") }, { retries = { total_max_attempts = 1 } })
    assert.equal("SSLError", err.kind)
    assert.matches("mismatch", err.message)
  end)

  it("go through a proxy, in a tunnel", function()
    local proxy <close> = server.start()
    local secure <close> = duplex.start{ tls = true }
    for _, target in ipairs{ peer, secure } do
      target:plan{ echo = ECHO }
      local config = { proxies = { http = proxy.url, https = proxy.url } }
      assert.equal(1, #collect(synthesize(target, { text("a") }, config).EventStream))
      assert_good(target:streams(1)[1], 1)
    end
    assert.equal(2, #proxy:requests())
    assert.equal("CONNECT", proxy:requests()[1].method)
    local nobody <close> = server.start{ refuse = true }
    local err = raised(synthesize, secure, { text("a") },
      { proxies = { https = nobody.url }, retries = { total_max_attempts = 1 } })
    assert.equal("ProxyConnectionError", err.kind)
  end)

  it("are signed by nobody where requests are not, or bear a token", function()
    peer:plan{ echo = { event = "chunk", member = "bytes" } }
    local function invoke(more, config)
      local bedrock = client(peer, "bedrock-runtime", config, more)
      local response = bedrock:invoke_model_with_bidirectional_stream{ modelId = "m",
        body = { { chunk = { bytes = "hello" } } } }
      assert.equal(1, #collect(response.body))
      local log = peer:streams(1)[1]
      assert_good(log, 1)
      assert.is_false(log.signed)
      assert.equal("chunk", log.events[1].headers[":event-type"][2])
      return log
    end
    assert.is_nil(invoke(nil, { signature_version = aws.UNSIGNED }).headers.authorization)
    local script = [[
      local aws = require("luaws")
      local bedrock = aws.client("bedrock-runtime", { region_name = "us-east-1", endpoint_url = arg[1] })
      local response = bedrock:invoke_model_with_bidirectional_stream{ modelId = "m",
        body = { { chunk = { bytes = "hello" } } } }
      for event in response.body:events() do
        print(next(event))
      end
    ]]
    local file = shell.file(script)
    local done = shell.run({ file, peer.url }, { env = { AWS_BEARER_TOKEN_BEDROCK = "the-token" } })
    os.remove(file)
    assert.equal("", done.err)
    assert.matches("^chunk", done.out)
    local log = peer:streams(1)[1]
    assert_good(log, 1)
    assert.is_false(log.signed)
    assert.equal("Bearer the-token", log.headers.authorization)
    assert.is_nil(log.headers["x-amz-content-sha256"])
  end)

  it("end with the client", function()
    peer:plan{ echo = ECHO, stays = true }
    local polly = client(peer, "polly")
    local writer = aws.event_writer()
    local stream = polly:start_speech_synthesis_stream{ Engine = "neural", OutputFormat = "mp3",
      VoiceId = "Joanna", ActionStream = writer }.EventStream
    writer:send(text("x"))
    assert.equal(1, number_of(stream:events()()))
    polly:close()
    assert.equal("Cancelled", raised(collect, stream).kind)
    assert.equal("ConnectionClosedError", raised(writer.send, writer, text("x")).kind)
    assert.equal("reset 8", peer:streams(1)[1]["end"])
  end)

  it("are a conversation in examples/dialogue.lua", function()
    local function says(what)
      return frames.event("TextResponseEvent", cjson.encode{ messages = { { content = what,
        contentType = "PlainText" } } })
    end
    peer:plan{ head_after = 1, steps = { { after = 2, frames = { frames.event("TranscriptEvent", "{}"),
      says("Which flowers?") } }, { after = 3, frames = { says("Roses, then.") } } } }
    local done = shell.run({ "examples/dialogue.lua", "BOT0123456", "ALIAS01234" }, {
      input = "order\nroses\n",
      env = { AWS_ACCESS_KEY_ID = KEYS.aws_access_key_id,
        AWS_SECRET_ACCESS_KEY = KEYS.aws_secret_access_key, AWS_DEFAULT_REGION = KEYS.region_name,
        AWS_ENDPOINT_URL = peer.url } })
    assert.equal("", done.err)
    assert.equal("bot: Which flowers?\nbot: Roses, then.\n", done.out)
    local log = peer:streams(1)[1]
    assert_good(log, 4)
    assert.same({ text = "roses" }, cjson.decode(decoded(log.events[3].payload)))
  end)

  it("are dropped where a listener answers in place of the network", function()
    local polly = client(peer, "polly")
    polly.meta.events:register("before-send.polly.StartSpeechSynthesisStream", function()
      return { status_code = 200, headers = {}, body = frames.event("AudioEvent", "made up") }
    end)
    local writer = aws.event_writer()
    writer:send(text("before"))
    local stream = polly:start_speech_synthesis_stream{ Engine = "neural", OutputFormat = "mp3",
      VoiceId = "Joanna", ActionStream = writer }.EventStream
    writer:send(text("after"))
    assert.matches("ActionStream", raised(writer.send, writer, { Wrong = {} }).message)
    assert.same({ { AudioEvent = { AudioChunk = "made up" } } }, collect(stream))
    writer:close()
  end)
end)
