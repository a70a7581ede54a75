-- Calls over real sockets: results, errors of every kind, retries, bodies.
local aws = require("luaws")
local errors = require("luaws.errors")
local raised = require("spec.support.raised")
local server = require("spec.support.server")

local function client(peer, opts)
  local all = { region_name = "us-east-1", endpoint_url = peer.url, aws_access_key_id = "AKIDEXAMPLE",
    aws_secret_access_key = "the-secret", config = { retries = { total_max_attempts = 1 } } }
  for name, value in pairs(opts or {}) do
    all[name] = value
  end
  return aws.client(all.service or "sqs", (function() all.service = nil; return all end)())
end

describe("a call", function()
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

  it("sends what the model says and returns what the service answers", function()
    peer:reply{
      headers = { ["x-amzn-RequestId"] = "the-id", ["Content-Type"] = "application/x-amz-json-1.0" },
      body = '{"QueueUrls":["http://q/1"],"NextToken":null}' }
    local response = client(peer):list_queues{ QueueNamePrefix = "q" }
    assert.same({ "http://q/1" }, response.QueueUrls)
    assert.is_nil(response.NextToken)
    assert.equal("the-id", response.ResponseMetadata.RequestId)
    assert.equal(200, response.ResponseMetadata.HTTPStatusCode)
    assert.equal(0, response.ResponseMetadata.RetryAttempts)
    assert.equal("application/x-amz-json-1.0", response.ResponseMetadata.HTTPHeaders["content-type"])
    local request = peer:requests()[1]
    assert.equal("POST", request.method)
    assert.equal("AmazonSQS.ListQueues", request.headers["x-amz-target"])
    assert.matches("^AWS4%-HMAC%-SHA256 Credential=AKIDEXAMPLE/%d+/us%-east%-1/sqs/aws4_request",
      request.headers.authorization)
    assert.equal('{"QueueNamePrefix":"q"}', request.body)
  end)

  it("takes no parameters as an empty table", function()
    peer:reply{ body = "{}" }
    client(peer):list_queues()
    assert.equal("{}", peer:requests()[1].body)
  end)

  it("does not take a list with a hole in it for a shorter one", function()
    local c = client(peer)
    local err = raised(c.receive_message, c, { QueueUrl = "u", AttributeNames = { "All", nil, "x" } })
    assert.equal("Parameter validation failed:\nMissing item in the list: parameter AttributeNames[1]",
      tostring(err))
  end)

  it("is not signed in a way that nobody knows", function()
    local c = client(peer, { config = { signature_version = "v9" } })
    local err = raised(c.list_queues, c)
    assert.same({ "UnknownSignatureVersionError", "Unknown Signature Version: v9." },
      { err.kind, tostring(err) })
    assert.same({}, peer:requests())
  end)

  it("raises what the service answered as an error with its code", function()
    peer:reply{ status = 400,
      headers = { ["x-amzn-query-error"] = "AWS.SimpleQueueService.NonExistentQueue;Sender" },
      body = '{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no such queue"}' }
    local c = client(peer, { config = {} })
    local err = raised(c.get_queue_url, c, { QueueName = "q" })
    assert.equal("ClientError", err.kind)
    assert.equal("AWS.SimpleQueueService.NonExistentQueue", err.code)
    assert.equal("no such queue", err.message)
    assert.equal("GetQueueUrl", err.operation_name)
    assert.equal(400, err.response.ResponseMetadata.HTTPStatusCode)
    assert.equal("An error occurred (AWS.SimpleQueueService.NonExistentQueue) when calling the GetQueueUrl "
      .. "operation: no such queue", tostring(err))
    assert.is_true(err:is("QueueDoesNotExist"))
    assert.is_true(err:is(c.exceptions.QueueDoesNotExist))
    assert.is_false(err:is(c.exceptions.InvalidMessageContents))
  end)

  it("is tried again when the service says it is busy, signed anew, with one invocation id", function()
    peer:reply({ status = 503, body = "" }, { status = 500, body = "<html>" }, { body = '{"QueueUrls":[]}' })
    local response = client(peer, { config = {} }):list_queues{}
    assert.equal(2, response.ResponseMetadata.RetryAttempts)
    local requests = peer:requests()
    assert.equal(3, #requests)
    assert.equal(requests[1].headers["amz-sdk-invocation-id"], requests[3].headers["amz-sdk-invocation-id"])
    assert.equal("attempt=3; max=3", requests[3].headers["amz-sdk-request"])
  end)

  it("says how often it was tried when that was not enough", function()
    peer:reply{ status = 503, body = "", times = 3 }
    local c = client(peer, { config = {} })
    local err = raised(c.list_queues, c, {})
    assert.equal("An error occurred (503) when calling the ListQueues operation (reached max retries: 2): "
      .. "Service Unavailable", tostring(err))
    assert.is_true(err.response.ResponseMetadata.MaxAttemptsReached)
  end)

  it("names every faulty parameter before anything is sent", function()
    local c = client(peer)
    local err = raised(c.send_message, c, { QueueURL = "u", MessageBody = 5 })
    assert.equal("ParamValidationError", err.kind)
    assert.matches('Missing required parameter in input: "QueueUrl"', err.message, 1, true)
    assert.matches('Unknown parameter in input: "QueueURL"', err.message, 1, true)
    assert.matches("Invalid type for parameter MessageBody, value: 5", err.message, 1, true)
    assert.same({}, peer:requests())
  end)

  it("wants its parameters in a table", function()
    local c = client(peer)
    assert.equal("TypeError", raised(c.list_queues, c, "q").kind)
    assert.equal("TypeError", raised(c.list_queues, { QueueNamePrefix = "q" }).kind)
  end)

  it("has no operation that is misspelt, and names the nearest", function()
    local err = raised(function()
      return client(peer).list_queue
    end)
    assert.equal("AttributeError", err.kind)
    assert.matches("did you mean 'list_queues'", err.message, 1, true)
  end)

  it("raises nothing through client.try", function()
    peer:reply({ status = 400, body = '{"__type":"AccessDenied","message":"no"}' },
      { body = '{"QueueUrls":["u"]}' })
    local c = client(peer)
    local response, err = c.try:list_queues{}
    assert.is_nil(response)
    assert.equal("AccessDenied", err.code)
    assert.same({ "u" }, c.try:list_queues{}.QueueUrls)
  end)

  for name, case in pairs{
    ["a server that refuses"] = { "EndpointConnectionError", { refuse = true } },
    ["a connection that is reset"] = { "ConnectionClosedError", {}, { reset = true } },
    ["a connection that ends within the body"] = { "ConnectionClosedError", {},
      { body = ("x"):rep(1000), cut = { after = 10, how = "reset" } } },
    ["a server that never answers"] = { "ReadTimeoutError", {}, { hang = true }, read_timeout = 0.3 },
    ["a certificate that nobody vouches for"] = { "SSLError", { tls = true }, { body = "{}" } },
  } do
    it("fails with " .. case[1] .. " because of " .. name, function()
      local bad = server.start(case[2])
      if case[3] then
        bad:reply(case[3])
      end
      local c = client(bad, { config = { retries = { total_max_attempts = 1 },
        read_timeout = case.read_timeout } })
      local err = raised(c.list_queues, c, {})
      assert.equal(case[1], err.kind)
      assert.matches(bad.url:gsub("%-", "%%-"), err.message)
      bad:stop()
    end)
  end

  for name, body in pairs{
    ["text that is no JSON"] = "<html>hello</html>",
    ["JSON that is cut off"] = '{"QueueUrls":["a',
    ["a list where the model has a structure"] = "[1,2]",
    ["a number where the model has a list"] = '{"QueueUrls":5}',
  } do
    it("refuses " .. name .. " as an answer", function()
      peer:reply{ body = body }
      local c = client(peer)
      assert.equal("ResponseParserError", raised(c.list_queues, c, {}).kind)
    end)
  end

  it("needs credentials, unless it is told not to sign", function()
    peer:reply{ body = '{"QueueUrls":[]}' }
    local session = aws.session{ _env = {}, _home = "/nonexistent", region_name = "us-east-1" }
    local c = session:client("sqs", { endpoint_url = peer.url })
    local err = raised(c.list_queues, c, {})
    assert.equal("NoCredentialsError", err.kind)
    assert.equal("Unable to locate credentials", err.message)
    assert.equal("Unable to locate credentials; luaws --explain, or session:explain(), tells where they were "
      .. "looked for", errors.shown(err))
    local unsigned = session:client("sqs", { endpoint_url = peer.url,
      config = { signature_version = aws.UNSIGNED } })
    unsigned:list_queues{}
    assert.is_nil(peer:requests()[1].headers.authorization)
  end)

  it("needs a region", function()
    local session = aws.session{ _env = {}, _home = "/nonexistent" }
    local err = raised(session.client, session, "ec2")
    assert.equal("NoRegionError", err.kind)
    assert.equal("You must specify a region.", err.message)
    assert.equal("You must specify a region. It may be region_name in code, AWS_REGION, or region in the "
      .. "profile.", errors.shown(err))
  end)

  it("prints no secret in any error", function()
    peer:reply{ status = 403, body = '{"__type":"InvalidSignatureException","message":"bad"}' }
    local c = client(peer)
    local err = raised(c.list_queues, c, {})
    assert.is_nil(aws.pretty.dump(err):find("the-secret", 1, true))
  end)

  it("cannot be made on a closed client", function()
    local c = client(peer)
    c:close()
    assert.equal("ValueError", raised(c.list_queues, c, {}).kind)
  end)

  it("refuses parameters that cannot be shown as it refuses others", function()
    local c = client(peer)
    local mute = setmetatable({}, { __tostring = function()
      error("no text")
    end })
    local cases = { { [mute] = "x" }, { QueueNamePrefix = mute }, { QueueNamePrefix = io.stdout } }
    for _, params in ipairs(cases) do
      assert.equal("ParamValidationError", raised(c.list_queues, c, params).kind)
    end
    assert.same({}, peer:requests())
  end)

  it("may be made by a finalizer while the same client reads an answer", function()
    -- The two once shared a parser.
    local entries, count = {}, 0
    for i = 1, 2000 do
      entries[i] = ("<Contents><Key>key %d</Key></Contents>"):format(i)
    end
    local many = "<ListBucketResult>" .. table.concat(entries) .. "</ListBucketResult>"
    local one = "<ListBucketResult><Contents><Key>one</Key></Contents></ListBucketResult>"
    peer:reply({ body = many, target = "many", always = true }, { body = one, target = "one", always = true })
    local c = client(peer, { service = "s3" })
    local function arm()
      setmetatable({}, { __gc = function()
        if count < 20 then
          count = count + 1
          assert.equal("one", c:list_objects_v2{ Bucket = "one" }.Contents[1].Key)
          arm()
        end
      end })
    end
    arm()
    repeat
      local contents = c:list_objects_v2{ Bucket = "many" }.Contents
      assert.same({ 2000, "key 2000" }, { #contents, contents[2000].Key })
    until count == 20
  end)
end)

describe("a streamed body", function()
  local peer, s3
  setup(function()
    peer = server.start()
    s3 = client(peer, { service = "s3" })
  end)
  before_each(function()
    peer:clear()
  end)
  teardown(function()
    peer:stop()
  end)

  local function get(reply)
    peer:reply(reply)
    return s3:get_object{ Bucket = "bucket", Key = "key" }.Body
  end

  it("is read in pieces of the size asked for", function()
    local body = get{ pieces = { "hel", "lo wor", "ld" }, chunked = true }
    assert.equal("hello", body:read(5))
    assert.equal(" worl", body:read(5))
    assert.equal("d", body:read(5))
    assert.is_nil(body:read(5))
    assert.equal("", body:read("a"))
  end)

  it("is read by lines, with or without a newline at the end", function()
    local lines = {}
    for line in get("one\ntwo\n\nfour"):lines() do
      lines[#lines + 1] = line
    end
    assert.same({ "one", "two", "", "four" }, lines)
  end)

  it("is read by chunks", function()
    local sizes = {}
    for chunk in get(("x"):rep(250)):chunks(100) do
      sizes[#sizes + 1] = #chunk
    end
    assert.same({ 100, 100, 50 }, sizes)
  end)

  it("is never read by tostring, and closes by itself at the end of its scope", function()
    do
      local body <close> = get("hello")
      assert.equal("luaws.body(open)", tostring(body))
      assert.equal("hello", body:read())
    end
    local body = get("hello")
    body:close()
    assert.has_error(function()
      body:read()
    end)
  end)

  it("that ends early is an error", function()
    local body = get{ body = ("x"):rep(1000), cut = { after = 100, how = "close" } }
    local err = raised(body.read, body)
    assert.equal("IncompleteReadError", err.kind)
  end)

  it("may be megabytes", function()
    local big = ("0123456789abcdef"):rep(1 << 18)
    assert.is_true(big == get(big):read("a"))
  end)

  it("keeps the connection for the next call once it is read", function()
    get("one"):read("a")
    assert.equal("two", get("two"):read("a"))
  end)
end)

describe("a request body", function()
  local peer, s3, path
  setup(function()
    peer = server.start()
    s3 = client(peer, { service = "s3", config = {} })
    path = os.tmpname()
    local file <close> = assert(io.open(path, "wb"))
    file:write("0123456789")
  end)
  before_each(function()
    peer:clear()
  end)
  teardown(function()
    peer:stop()
    os.remove(path)
  end)

  local function put(body, ...)
    peer:reply(... or { body = "" }, { body = "" })
    s3:put_object{ Bucket = "bucket", Key = "key", Body = body }
    local requests = peer:requests()
    return requests[#requests].body
  end

  it("may be a string with any bytes", function()
    assert.equal("a\0b\xff", put("a\0b\xff"))
  end)

  it("may be a file, from where it stands", function()
    local file <close> = assert(io.open(path, "rb"))
    file:seek("set", 4)
    assert.equal("456789", put(file))
  end)

  it("may be a range of a file", function()
    assert.equal("0123456789", put(aws.file(path)))
    assert.equal("234", put(aws.file(path, 2, 3)))
  end)

  it("is sent again from its start when the call is tried again", function()
    assert.equal("0123456789", put(aws.file(path), { status = 503, body = "" }))
    assert.equal(2, #peer:requests())
  end)

  it("is refused when there is no such file", function()
    local err = raised(put, aws.file(path .. ".missing"))
    assert.equal("IOError", err.kind)
    assert.matches("No such file", err.message)
  end)

  it("may be a function that gives chunks, when nobody needs to read it twice", function()
    local tls = server.start{ tls = true }
    local chunks = { "one ", "two ", "three" }
    tls:reply{ body = "" }
    local c = client(tls, { service = "s3", verify = tls.ca })
    local i = 0
    c:put_object{ Bucket = "bucket", Key = "key", Body = function()
      i = i + 1
      return chunks[i]
    end }
    -- Chunks of our own with a checksum behind them (checksum_spec.lua).
    assert.matches("^d\r\none two three\r\n0\r\n", tls:requests()[1].body)
    tls:stop()
  end)

  it("that is a function is read beforehand where its hash has to be signed", function()
    local plain <close> = server.start()
    local c = client(plain, { service = "s3" })
    local chunks, i = { "one ", "two ", "three" }, 0
    local function give()
      i = i + 1
      return chunks[i]
    end
    plain:reply({ body = "" })
    c:put_object{ Bucket = "bucket", Key = "key", Body = give }
    local request = plain:requests()[1]
    assert.same({ "one two three", "13", "6899ee404683a14e8c2a03149860df25d67d34d9cd4dae7350cbe91e4b3976be" },
      { request.body, request.headers["content-length"], request.headers["x-amz-content-sha256"] })
    local err = raised(c.put_object, c, { Bucket = "bucket", Key = "key", Body = function()
      error("disk on fire", 0)
    end })
    assert.equal("IOError", err.kind)
    assert.matches("disk on fire", err.message)
    assert.equal(1, #plain:requests())
  end)

  it("that is a function which fails ends the call with its error", function()
    local tls = server.start{ tls = true }
    local c = client(tls, { service = "s3", verify = tls.ca })
    for _, body in ipairs{ function() error("disk on fire", 0) end,
      function() return nil, "disk on fire" end } do -- as a file's read says it
      local err = raised(c.put_object, c, { Bucket = "bucket", Key = "key", Body = body })
      assert.same({ "IOError", "the function that gives the body failed: disk on fire" },
        { err.kind, err.message })
    end
    tls:stop()
  end)
end)
