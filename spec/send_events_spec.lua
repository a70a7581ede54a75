-- Event streams as input: events that go out while others come in, over HTTP/2. The server checks the chain
-- of signatures, the frames and their sums with Python's own hashes (spec/support/duplex_server.py).
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")
local duplex = require("spec.support.duplex")
local frames = require("spec.support.event_stream")
local raised = require("spec.support.raised")
local server = require("spec.support.server")
local shell = require("spec.support.shell")
local speech = require("spec.support.speech")

local collect = frames.collect
local KEYS, ECHO = speech.KEYS, speech.ECHO
local client, synthesize, text = speech.client, speech.synthesize, speech.text
local number_of, assert_good, decoded = speech.number_of, speech.assert_good, speech.decoded

describe("events that are sent", function()
  local peer
  setup(function()
    peer = duplex.start()
  end)
  teardown(function()
    peer:stop()
  end)

  -- ---- the five operations ----

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
      answer = frames.event("chunk", '{"bytes":"aGVsbG8="}'), reads = { chunk = { bytes = "hello" } },
      json = { chunk = { bytes = "aGVsbG8=" } } },
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
      reads = { AudioEvent = { AudioChunk = "\0sound\255" } },
      json = { AudioEvent = { AudioChunk = "AHNvdW5k/w==" } } },
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

  -- What luaws_call, in C and without Lua, makes of an operation: what it returned, and the result or error.
  local function call_in_c(operation, given)
    local name = aws.client(operation.service, KEYS).meta.method_to_api_mapping[operation.method]
    local words = { os.getenv("LUAWS_BUILD") .. "/spec/tool_call", operation.service, name,
      cjson.encode(params_of(operation, given)) }
    local result = shell.run({ table.unpack(words, 2) }, { program = words[1], env = {
      AWS_ACCESS_KEY_ID = KEYS.aws_access_key_id, AWS_SECRET_ACCESS_KEY = KEYS.aws_secret_access_key,
      AWS_DEFAULT_REGION = KEYS.region_name, AWS_ENDPOINT_URL = "http://localhost:" .. peer.port } })
    assert.same({ "", 0 }, { result.err, result.code })
    return result.out:match("^(%-?%d+)\n(.*)\n$")
  end

  for _, operation in ipairs(OPERATIONS) do
    it("are a list in the JSON of C for " .. operation.service .. ", and so are those that come", function()
      peer:plan{ last = { operation.answer } }
      local given = {}
      for i, event in ipairs(operation.events) do
        given[i] = { [next(event[1])] = event[2] }
      end
      local rc, result = call_in_c(operation, given)
      assert.equal("0", rc, result)
      assert.same({ operation.json or operation.reads }, cjson.decode(result)[operation.output])
      local stream = peer:streams(1)[1]
      assert_good(stream, #given)
      for i, event in ipairs(stream.events) do
        assert.equal(next(given[i]), event.headers[":event-type"][2])
        assert.same(operation.events[i][2], cjson.decode(decoded(event.payload)))
      end
    end)
  end

  it("may be refused in C, before they are sent and by the service", function()
    local polly = OPERATIONS[4]
    local rc, said = call_in_c(polly, { { TextEvnt = { Text = "a" } } })
    assert.equal("-1", rc)
    assert.matches("TextEvnt", said)
    peer:plan{ status = 400, headers = { ["x-amzn-errortype"] = "ValidationException" },
      body = '{"message":"no"}' }
    rc, said = call_in_c(polly, { { TextEvent = { Text = "a" } } })
    assert.equal("1", rc)
    assert.same({ Code = "ValidationException", Message = "no" }, cjson.decode(said).Error)
    peer:streams(1)
  end)

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
    local header = frames.header
    peer:plan{ last = {
      frames.event("Blob", "\0raw\255", header("Flag", true) .. header("Number", "short", -5)
        .. header("Big", "long", 1 << 40) .. header("Name", "string", "ü") .. header("Raw", "bytes", "\1\0")
        .. header("When", "timestamp", 1500)),
      frames.event("Blob", "", header("Flag", false) .. header("Number", "byte", -1)
        .. header("Raw", "uuid", ("u"):rep(16)) .. header("Other", "string", "unknown")),
      frames.event("Text", "plain"),
      frames.event("Struct", '{"Raw":"aGVsbG8=","Number":1}'),
      frames.event("Rest", '{"Number":7,"When":1500000000}', header("Name", "string", "n")),
    } }
    local stream = eventful:talk{ Stream = {
      { Blob = { Body = "\0raw\255", Flag = true, Number = -5, Big = 1 << 40, Name = "ü", Raw = "\1\0",
        When = 1.5 } },
      { Blob = { Flag = false } },
      { Text = { Body = "plain" } },
      { Struct = { Body = { Raw = "hello", Number = 1 } } },
      { Struct = {} },
      { Rest = { Name = "n", Number = 7, When = 1500000000 } },
    } }.Stream
    assert.same({
      { Blob = { Body = "\0raw\255", Flag = true, Number = -5, Big = 1 << 40, Name = "ü", Raw = "\1\0",
        When = 1.5 } },
      { Blob = { Body = "", Flag = false, Number = -1, Raw = ("u"):rep(16) } },
      { Text = { Body = "plain" } },
      { Struct = { Body = { Raw = "hello", Number = 1 } } },
      { Rest = { Name = "n", Number = 7, When = 1500000000 } },
    }, collect(stream))
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
      local sent, came = 0, 0
      local response = synthesize(peer, function()
        repeat
          aws.async.sleep(0.02)
        until came == sent
        sent = sent + 1
        order[#order + 1] = "sent"
        return sent <= 3 and text("number " .. sent) or nil
      end)
      for event in response.EventStream:events() do
        came = came + 1
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
    peer:plan{ hold = 2, echo = ECHO }
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
end)
