-- Event streams as input: how they end, what happens before the answer, and their connections.
local aws = require("luaws")
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

describe("a stream of events that are sent", function()
  local peer
  setup(function()
    peer = duplex.start()
  end)
  teardown(function()
    peer:stop()
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
      -- CANCEL, and no last message; a server that lags behind sees only that the connection is gone.
      local ended = peer:streams(1)[1]["end"]
      assert.is_true(ended == "reset 8" or ended:find("^broken: ConnectionResetError") ~= nil, ended)
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
      local writer, open = aws.event_writer(), false
      local reader = aws.async.spawn(function()
        local stream <close> = synthesize(peer, writer).EventStream
        open = true
        collect(stream)
      end)
      while not open do
        aws.async.sleep(0.01)
      end
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
    local stream = synthesize(peer, writer, { read_timeout = 1 }).EventStream
    local next_event = stream:events()
    for i = 1, 2 do
      aws.async.sleep(1.5)
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
    peer:plan{ steps = { { after = 1, frames = { frames.event("AudioEvent", "last words") }, freeze = 4 } } }
    local writer = aws.event_writer()
    local stream = synthesize(peer, writer, { read_timeout = 1 }).EventStream
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
