-- Events along the path of a call, over a real socket: what handlers see, change and answer.
local aws = require("luaws")
local server = require("spec.support.server")

local KEYS = { region_name = "us-east-1", aws_access_key_id = "AKIDEXAMPLE",
  aws_secret_access_key = "the-secret" }

local function client(peer, opts)
  opts = opts or {}
  local all = { endpoint_url = peer.url, config = opts.config or { retries = { total_max_attempts = 1 } } }
  return aws.session(opts.session or KEYS):client(opts.service or "sqs", all)
end

describe("events of a call", function()
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

  it("come in the order of the path, each with what belongs to it", function()
    peer:reply{ body = '{"QueueUrls":["u"]}' }
    local c = client(peer)
    local seen = {}
    local stages = { "provide-client-params", "before-parameter-build", "before-endpoint-resolution",
      "before-call",
      "request-created", "choose-signer", "before-sign", "before-send", "before-parse", "response-received",
      "needs-retry", "after-call" }
    local context
    for _, stage in ipairs(stages) do
      c.meta.events:register(stage .. ".sqs.ListQueues", function(event)
        seen[#seen + 1] = event.event_name:match("^[^.]+")
        context = context or event.context
        assert.equal(context, event.context)
        assert.equal("ListQueues", event.model.name)
        assert.equal("ListQueues", event.operation_name)
        assert.equal(c, event.client)
        if stage == "before-call" then
          assert.equal(event.request, event.params)
        else
          assert.same({ QueueNamePrefix = "q" }, event.params)
        end
      end)
    end
    assert.same({ "u" }, c:list_queues{ QueueNamePrefix = "q" }.QueueUrls)
    assert.same(stages, seen)
  end)

  it("are given what botocore gives them, by its names", function()
    local given = {
      ["provide-client-params"] = "params model context", ["before-parameter-build"] = "params model context",
      ["before-endpoint-resolution"] = "builtins model params context",
      ["before-call"] = "model params context request_signer",
      ["request-created"] = "request operation_name",
      ["choose-signer"] = "signing_name region_name signature_version context",
      ["before-sign"] = "request signing_name region_name signature_version operation_name request_signer",
      ["before-send"] = "request",
      ["before-parse"] = "operation_model response_dict customized_response_dict",
      ["response-received"] = "response_dict parsed_response context",
      ["needs-retry"] = "response endpoint operation attempts request_dict",
      ["after-call"] = "http_response parsed model context",
    }
    peer:reply({ body = [[{"QueueUrls":["u"]}]] })
    local c, seen = client(peer), {}
    for stage, names in pairs(given) do
      c.meta.events:register(stage .. ".sqs.ListQueues", function(event)
        for name in (names .. " event_name"):gmatch("%S+") do
          assert(event[name] ~= nil, stage .. " gets no " .. name)
        end
        seen[stage] = true
      end)
    end
    c:list_queues()
    for stage in pairs(given) do
      assert(seen[stage], stage)
    end
  end)

  it("may open another service by a name, and have times sent to the millisecond", function()
    local session = aws.session(KEYS)
    session.events:register("choose-service-name", function(event)
      return event.service_name == "mail" and "sqs" or nil
    end)
    session.events:register("creating-serializer.logs", function(event)
      assert.equal("json", event.protocol_name)
      assert.equal("CloudWatch Logs", event.service_model.service_id)
      event.serializer_kwargs.timestamp_precision = "millisecond"
    end)
    assert.equal("sqs", session:client("mail").meta.service_model.service_name)
    assert.equal("logs", session:client("logs").meta.service_model.service_name)
  end)

  it("are told of the request as a whole before it is sent, and of the answer as it will be read", function()
    peer:reply({ body = [[{"QueueUrls":["u"]}]] })
    local c = client(peer)
    c.meta.events:register("before-call.sqs", function(event)
      local params = event.params
      assert.equal("POST", params.method)
      assert.equal("/", params.url_path)
      assert.equal("", params.query_string)
      assert.equal(event.context, params.context)
      params.headers["X-Mine"] = "yes"
    end)
    for _, stage in ipairs{ "request-created", "before-sign" } do
      c.meta.events:register(stage .. ".sqs", function(event)
        assert.equal(event.context, event.request.context)
      end)
    end
    c.meta.events:register("response-received.sqs", function(event)
      assert.same({ "u" }, event.parsed_response.QueueUrls)
      assert.equal(200, event.parsed_response.ResponseMetadata.HTTPStatusCode)
    end)
    c.meta.events:register("needs-retry.sqs", function(event)
      assert.equal(200, event.response[1].status_code)
      assert.same({ "u" }, event.response[2].QueueUrls)
      assert.equal(peer.url, event.endpoint.host)
      assert.equal("yes", event.request_dict.headers["x-mine"])
    end)
    c.meta.events:register("after-call.sqs", function(event)
      assert.equal(200, event.http_response.status_code)
      assert.equal(event.parsed.ResponseMetadata.HTTPHeaders, event.http_response.headers)
    end)
    assert.same({ "u" }, c:list_queues().QueueUrls)
    assert.equal("yes", peer:requests()[1].headers["x-mine"])
  end)

  it("may replace and change the parameters, never those of the caller", function()
    peer:reply({ body = "{}" }, { body = "{}" })
    local c = client(peer)
    c.meta.events:register("provide-client-params.sqs", function(event)
      if event.params.QueueNamePrefix == "b" then
        return { QueueNamePrefix = "replaced" }
      end
    end)
    c.meta.events:register("before-parameter-build.sqs.ListQueues", function(event)
      event.params.MaxResults = 7
    end)
    local params = { QueueNamePrefix = "a" }
    c:list_queues(params)
    c:list_queues{ QueueNamePrefix = "b" }
    assert.same({ QueueNamePrefix = "a" }, params)
    local requests = peer:requests()
    assert.matches('"MaxResults":7', requests[1].body, 1, true)
    assert.matches('"QueueNamePrefix":"replaced"', requests[2].body, 1, true)
  end)

  it("share a table for each call, even when the caller uses one table for all", function()
    peer:reply({ body = "{}" }, { body = "{}" })
    local c, counts = client(peer), {}
    c.meta.events:register("before-call.sqs", function(event)
      event.context.count = (event.context.count or 0) + 1
      counts[#counts + 1] = event.context.count
    end)
    local params = {}
    c:list_queues(params)
    c:list_queues(params)
    assert.same({ 1, 1 }, counts)
  end)

  it("may change what the endpoint rules are told", function()
    local c = aws.session(KEYS):client("sqs")
    c.meta.events:register("before-endpoint-resolution.sqs", function(event)
      assert.equal("us-east-1", event.builtins["AWS::Region"])
      event.builtins["AWS::Region"] = "eu-west-3"
    end)
    local url
    c.meta.events:register("before-send.sqs", function(event)
      url = event.request.url
      return { status_code = 200, body = "{}" }
    end)
    c:list_queues{}
    assert.equal("https://sqs.eu-west-3.amazonaws.com/", url)
  end)

  it("may answer before there is a request", function()
    local c = aws.session{ region_name = "us-east-1", _env = {}, _home = "/nowhere" }:client("sqs")
    c.meta.events:register("before-call.sqs.ListQueues", function()
      return { parsed = { QueueUrls = { "given" } } }
    end)
    c.meta.events:register("before-call.sqs.GetQueueUrl", function()
      return { status_code = 400, parsed = { Error = { Code = "Nope", Message = "not today" },
        ResponseMetadata = { HTTPStatusCode = 400 } } }
    end)
    assert.same({ QueueUrls = { "given" } }, c:list_queues{})
    local _, err = c.try:get_queue_url{ QueueName = "q" }
    assert.equal("An error occurred (Nope) when calling the GetQueueUrl operation: not today", tostring(err))
    assert.is_true(err:is("ClientError"))
  end)

  it("may change the request before it is signed, at every attempt", function()
    peer:reply({ status = 503, body = "" }, { body = "{}" })
    local c = client(peer, { config = {} })
    local attempt = 0
    c.meta.events:register("request-created.sqs", function(event)
      attempt = attempt + 1
      event.request.headers["X-Attempt"] = attempt
    end)
    c.meta.events:register("before-sign.sqs", function(event)
      assert.equal(tostring(attempt), event.request.headers["x-attempt"])
      assert.is_nil(event.request.headers.Authorization)
      event.request.headers["x-Signed"] = "yes"
    end)
    c:list_queues{}
    local requests = peer:requests()
    assert.equal("1", requests[1].headers["x-attempt"])
    assert.equal("2", requests[2].headers["x-attempt"])
    assert.matches("x%-attempt;x%-signed", requests[2].headers.authorization)
  end)

  it("may choose that nothing is signed, and then no credentials are looked for", function()
    peer:reply{ body = "{}" }
    local c = client(peer, { session = { region_name = "us-east-1", _env = {
      AWS_EC2_METADATA_DISABLED = "true" },
      _home = "/nowhere" } })
    c.meta.events:register("choose-signer.sqs", function()
      return aws.UNSIGNED
    end)
    c:list_queues{}
    assert.is_nil(peer:last().headers.authorization)
  end)

  it("see the request as it goes out, and may answer in place of the network", function()
    local c = client(peer)
    local seen
    c.meta.events:register("before-send.sqs.ListQueues", function(event)
      local request = event.request
      seen = { request.method, request.url, request.headers["X-AMZ-TARGET"], request.body }
      assert.matches("^AWS4", request.headers.authorization)
      return { status_code = 200, headers = { ["X-Amzn-RequestId"] = "made-up" },
        body = '{"QueueUrls":["x"]}' }
    end)
    local response = c:list_queues{}
    assert.same({ "POST", peer.url .. "/", "AmazonSQS.ListQueues", "{}" }, seen)
    assert.same({ "x" }, response.QueueUrls)
    assert.equal("made-up", response.ResponseMetadata.RequestId)
    assert.same({}, peer:requests())
  end)

  it("read a streamed body when asked, and it is still sent whole", function()
    peer:reply{ headers = { ETag = '"x"' } }
    local c = client(peer, { service = "s3" })
    local pieces, at = { "one ", "two ", "three" }, 0
    local name = os.tmpname()
    local file = assert(io.open(name, "w+b"))
    file:write(table.concat(pieces))
    file:seek("set")
    c.meta.events:register("before-send.s3.PutObject", function(event)
      at = #event.request.body
    end)
    c:put_object{ Bucket = "b", Key = "k", Body = file }
    file:close()
    os.remove(name)
    assert.equal(13, at)
    assert.matches("one two three", peer:last().raw_body, 1, true)
  end)

  it("may change what is parsed", function()
    peer:reply({ status = 200, headers = { ["X-Old"] = "1" }, body = '{"QueueUrls":["u"]}' }, { status = 200,
      body = "{}" })
    local c = client(peer)
    local times = 0
    c.meta.events:register("before-parse.sqs", function(event)
      times = times + 1
      local response = event.response_dict
      if times == 1 then
        assert.equal(200, response.status_code)
        assert.equal("1", response.headers["X-Old"])
        response.headers["x-new"] = "2"
        response.body = '{"QueueUrls":["other"]}'
        event.customized_response_dict.Extra = "more"
      else
        response.status_code = 400
        response.body = '{"__type":"Bad","message":"after all"}'
      end
    end)
    local response = c:list_queues{}
    assert.same({ "other" }, response.QueueUrls)
    assert.equal("more", response.Extra)
    assert.equal("2", response.ResponseMetadata.HTTPHeaders["x-new"])
    local _, err = c.try:list_queues{}
    assert.equal("Bad", err.code)
  end)

  it("may have a call tried again, or not", function()
    peer:reply({ status = 418, body = "" }, { body = "{}" }, { status = 503, body = "" })
    local c = client(peer, { config = {} })
    local attempts = {}
    c.meta.events:register("needs-retry.sqs", function(event)
      attempts[#attempts + 1] = event.attempts
      if event.response.status_code == 418 then
        return 0
      elseif event.response.status_code == 503 then
        return false
      end
    end)
    assert.equal(1, c:list_queues{}.ResponseMetadata.RetryAttempts)
    local _, err = c.try:list_queues{}
    assert.equal(503, err.response.ResponseMetadata.HTTPStatusCode)
    assert.same({ 1, 2, 1 }, attempts)
    assert.equal(3, #peer:requests())
  end)

  it("hand over what came, and what failed", function()
    peer:reply({ body = '{"QueueUrls":["u"]}' }, { status = 400, body = '{"__type":"Bad"}' }, { reset = true,
      times = 2 })
    local c = client(peer)
    c.meta.events:register("after-call.sqs", function(event)
      event.parsed.Seen = true
      if event.parsed.Error then
        event.parsed.Error.Code = "Worse"
      end
    end)
    local failed
    c.meta.events:register("after-call-error.sqs", function(event)
      failed = event.exception.kind
    end)
    assert.is_true(c:list_queues{}.Seen)
    local _, err = c.try:list_queues{}
    assert.equal("Worse", err.code)
    assert.is_nil(failed)
    _, err = c.try:list_queues{}
    assert.equal(err.kind, failed)
  end)

  it("raise what a handler raises, at every stage, and leave the client fit for use", function()
    for _, stage in ipairs{ "provide-client-params", "before-parameter-build", "before-endpoint-resolution",
      "before-call", "request-created", "choose-signer", "before-sign", "before-send", "before-parse",
      "response-received", "needs-retry", "after-call" } do
      peer:reply({ body = "{}", times = 2 })
      local c = client(peer)
      local function fail()
        error({ stage = stage }, 0)
      end
      c.meta.events:register(stage .. ".sqs", fail)
      local ok, err = pcall(c.list_queues, c, {})
      assert.is_false(ok)
      assert.same({ stage = stage }, err)
      c.meta.events:unregister(stage .. ".sqs", fail)
      assert.is_table(c:list_queues{})
    end
  end)

  it("may make calls themselves, blocking and inside tasks", function()
    peer:reply({ body = '{"QueueUrls":["inner"]}', always = true })
    local c, other = client(peer), client(peer)
    local inner = 0
    for _, stage in ipairs{ "before-parameter-build", "before-call", "before-sign", "before-send",
      "before-parse",
      "needs-retry", "after-call" } do
      c.meta.events:register(stage .. ".sqs", function()
        local count = #other:list_queues{}.QueueUrls
        inner = inner + count
      end)
    end
    assert.same({ "inner" }, c:list_queues{}.QueueUrls)
    assert.equal(7, inner)
    aws.async.run(function()
      aws.async.map({ 1, 2, 3 }, function()
        assert.same({ "inner" }, c:list_queues{}.QueueUrls)
      end)
    end)
    assert.equal(28, inner)
  end)

  it("of presigned URLs are the parameters, the endpoint and the signature", function()
    local c, seen = client(peer, { service = "s3" }), {}
    for _, stage in ipairs{ "provide-client-params", "before-parameter-build", "before-endpoint-resolution",
      "before-call", "request-created", "choose-signer", "before-sign", "before-send", "after-call" } do
      c.meta.events:register(stage .. ".s3.GetObject", function(event)
        seen[#seen + 1] = event.event_name:match("^[^.]+")
        if stage == "before-parameter-build" then
          event.params.Key = "other"
        end
      end)
    end
    local url = c:generate_presigned_url("get_object", { Params = { Bucket = "b", Key = "k" } })
    assert.matches("/b/other?", url, 1, true)
    assert.same({ "provide-client-params", "before-parameter-build", "before-endpoint-resolution",
      "choose-signer",
      "before-sign" }, seen)
  end)
end)

describe("a client's events", function()
  it("are a copy of its session's when it was made", function()
    local session = aws.session(KEYS)
    local heard = {}
    local function answer(name)
      return function()
        heard[#heard + 1] = name
        return { parsed = {} }
      end
    end
    session.events:register("before-call.sqs", answer("session"))
    local before = session:client("sqs")
    session.events:register_first("before-call.sqs", answer("late"))
    before:list_queues{}
    session:client("sqs"):list_queues{}
    assert.same({ "session", "late" }, heard)
    before.meta.events:register_first("before-call.sqs", answer("own"))
    before:list_queues{}
    session:client("sqs"):list_queues{}
    assert.same({ "session", "late", "own", "late" }, heard)
  end)

  it("cost nothing while nobody listens", function()
    local c = aws.session(KEYS):client("sqs", { endpoint_url = "http://127.0.0.1:9",
      config = { retries = { total_max_attempts = 1 }, parameter_validation = false } })
    local call = c.list_queues
    pcall(call, c, {})
    local ran = 0
    debug.sethook(function()
      local info = debug.getinfo(2, "S")
      if info.what == "Lua" and info.source:find("luaws", 1, true) and not info.source:find("_spec", 1,
        true) then
        ran = ran + 1
      end
    end, "c")
    pcall(call, c, {})
    debug.sethook()
    assert.equal(0, ran)
  end)

  it("may offer what a client does not have", function()
    local c = aws.session(KEYS):client("sqs")
    c.meta.events:register("getattr.sqs.answer_to_all", function(event)
      return function(self)
        return self == event.client and 42
      end
    end)
    assert.equal(42, c:answer_to_all())
    assert.has_error(function()
      return c.answer_to_some
    end)
  end)

  it("may add methods to a client and take some away as it is made", function()
    local session = aws.session(KEYS)
    local plain = session:client("sqs")
    session.events:register("creating-client-class.sqs", function(event)
      event.class_attributes.double = function(_, x)
        return 2 * x
      end
      event.class_attributes.list_queues = function()
        return "mine"
      end
    end)
    local c = session:client("sqs")
    assert.equal(4, c:double(2))
    assert.equal("mine", c:list_queues())
    assert.equal("userdata", type(session:client("sns")))
    assert.has_error(function()
      return plain.double
    end)
  end)
end)
