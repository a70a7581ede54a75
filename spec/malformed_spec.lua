-- Answers that are none: whatever a server sends, over a real socket, there is a result or an error of ours,
-- in bounded memory, and the next call works. Parameters that are none: a clear error, and nothing is sent.
local aws = require("luaws")
local errors = require("luaws.errors")
local server = require("spec.support.server")

local DEEP <const> = 100000

local function deep(open, close, levels)
  return open:rep(levels) .. close:rep(levels)
end

-- One operation of each protocol, and the document that its members go into.
local PROTOCOLS = {
  { "json", "dynamodb", "get_item", { TableName = "t", Key = { a = { S = "x" } } } },
  { "rest-json", "lambda", "get_function", { FunctionName = "f" } },
  { "rest-xml", "s3", "list_object_versions", { Bucket = "b" } },
  { "query", "rds", "describe_db_instances", {} },
  { "ec2", "ec2", "describe_volumes", {} },
}

local WRAP = {
  ["rest-xml"] = "<ListVersionsResult>%s</ListVersionsResult>",
  query = "<DescribeDBInstancesResponse><DescribeDBInstancesResult>%s</DescribeDBInstancesResult>"
    .. "</DescribeDBInstancesResponse>",
  ec2 = "<DescribeVolumesResponse>%s</DescribeVolumesResponse>",
}

local REFUSED, READ = "ResponseParserError", "read"

-- What is sent, and what comes of it: an error of that kind, or the answer.
local DOCUMENTS = {
  json = {
    ["text that is no JSON"] = { "<html>", REFUSED },
    ["a document cut off"] = { '{"Item":{"a":{"S":"x', REFUSED },
    ["something after the document"] = { '{"Item":{}} x', REFUSED },
    ["a comma too many"] = { '{"Item":{},}', REFUSED },
    ["a list for a structure"] = { "[]", REFUSED },
    ["a number for a structure"] = { '{"Item":5}', REFUSED },
    ["a structure for a list"] = { '{"Item":{"a":{"L":{"x":1}}}}', REFUSED },
    ["a list for text"] = { '{"Item":{"a":{"S":["x"]}}}', REFUSED },
    ["text that is no base64"] = { '{"Item":{"a":{"B":"?"}}}', REFUSED },
    ["text for a number"] = { '{"ConsumedCapacity":{"CapacityUnits":"x"}}', REFUSED },
    ["nesting without end in a member"] = {
      '{"Item":{"a":' .. deep('{"M":{"a":', "}}", DEEP) .. "}}", REFUSED },
    ["nesting without end elsewhere"] = { '{"Other":' .. deep("[", "]", DEEP) .. "}", REFUSED },
    ["null for everything"] = { "null", READ, {} },
    ["null for a structure"] = { '{"Item":null,"ConsumedCapacity":null}', READ, {} },
    ["null for a list's item"] = { '{"Item":{"a":{"SS":["x",null]}}}', READ,
      { Item = { a = { SS = { "x", aws.null } } } } },
    ["members nobody knows"] = { '{"Other":[{"a":[null]}],"Item":{"a":{"S":"x"}}}', READ,
      { Item = { a = { S = "x" } } } },
    ["a member twice"] = { '{"Item":{"a":{"S":"1"}},"Item":{"b":{"S":"2"}}}', READ,
      { Item = { b = { S = "2" } } } },
    ["text that is no UTF-8"] = { '{"Item":{"a":{"S":"\xC3(\xFF"}}}', READ },
    ["a number beyond all bounds"] = { '{"ConsumedCapacity":{"CapacityUnits":1e999}}', READ,
      { ConsumedCapacity = { CapacityUnits = math.huge } } },
    ["an integer beyond all bounds"] = {
      '{"ConsumedCapacity":{"CapacityUnits":' .. ("9"):rep(400) .. "}}", READ },
  },
  xml = {
    ["nothing"] = { "", REFUSED, raw = true, read_by = "rest-xml" },
    ["text that is no XML"] = { "hello", REFUSED, raw = true },
    ["a document cut off"] = { "<a><b>x", REFUSED, raw = true },
    ["two documents"] = { "<a/><b/>", REFUSED, raw = true },
    ["an entity nobody knows"] = { "<Marker>&foo;</Marker>", REFUSED },
    ["a document type with entities in entities"] = { '<!DOCTYPE x [<!ENTITY a "bbbbbbbbbb"><!ENTITY b "'
      .. ("&a;"):rep(10) .. '"><!ENTITY c "' .. ("&b;"):rep(10) .. '">]><x><Marker>&c;</Marker></x>', REFUSED,
      raw = true },
    ["a document type with a file"] = {
      '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', REFUSED, raw = true },
    ["bytes that are no UTF-8"] = { "<Marker>\xFF</Marker>", REFUSED },
    ["a character that XML has not"] = { "<Marker>&#0;</Marker>", REFUSED },
    ["an attribute twice"] = { "<Marker a='1' a='2'/>", REFUSED },
    ["elements nobody knows"] = { "<Foo><Bar/>x</Foo>", READ },
    ["nesting without end elsewhere"] = { deep("<a>", "</a>", DEEP), READ },
    ["a name of a megabyte"] = { "<" .. ("a"):rep(1 << 20) .. "/>", READ },
    ["ten thousand attributes"] = { "<a" .. (" x"):rep(10000):gsub("()x", "x%1='y'") .. "/>", READ },
    ["comments of megabytes"] = { "<!--" .. ("a"):rep(4 << 20) .. "-->", READ },
  },
}

local function family(protocol)
  return protocol:find("json") and "json" or "xml"
end

local function document(protocol, case)
  local wrap = not case.raw and WRAP[protocol]
  return wrap and wrap:gsub("%%s", function() return case[1] end) or case[1]
end

local function client_of(service, peer)
  return aws.client(service, { region_name = "us-east-1", endpoint_url = peer.url, aws_access_key_id = "a",
    aws_secret_access_key = "b", config = { retries = { total_max_attempts = 1 }, read_timeout = 30,
      s3 = { addressing_style = "path" } } })
end

describe("an answer in", function()
  local peer
  setup(function()
    peer = server.start()
  end)
  teardown(function()
    peer:stop()
  end)

  local function client(service)
    return client_of(service, peer)
  end

  for _, protocol in ipairs(PROTOCOLS) do
    local name, service, method, params = table.unpack(protocol)
    for what, case in pairs(DOCUMENTS[family(name)]) do
      -- The members of the cases are DynamoDB's.
      if name ~= "rest-json" or case[2] == REFUSED and not what:find(" for ") and not what:find("base64")
          and not what:find("in a member") then
        it(("%s may be %s"):format(name, what), function()
          peer:reply({ body = document(name, case) }, { status = 400, body = document(name, case) },
            { body = family(name) == "json" and "{}" or document(name, { "" }) })
          local c <close> = client(service)
          local answer, err = c.try[method](c.try, params)
          if case[2] == READ or case.read_by == name then
            assert(answer, tostring(err))
            answer.ResponseMetadata = nil
            assert.same(case[3] or answer, answer)
          elseif name == "rest-xml" then
            -- What S3 breaks off may be asked for again: it counts as an error of the server's.
            assert.truthy(err and (err:is(REFUSED) or err:is("500")), tostring(err))
          else
            assert.truthy(err and err:is(case[2]), tostring(err))
          end
          -- As the body of an error it says nothing, but stays one.
          answer, err = c.try[method](c.try, params)
          assert.is_nil(answer)
          assert.equal("ClientError", err.kind)
          assert.is_true(#err.code > 0)
          assert(c.try[method](c.try, params))
        end)
      end
    end
  end
end)

-- The response's head and its framing.
local OK = "HTTP/1.1 200 OK\r\n"
local CHUNKED = OK .. "Transfer-Encoding: chunked\r\n\r\n"
local HEADS = {
  ["no HTTP"] = { "garbage\r\n\r\n", "ConnectionClosedError" },
  ["no status"] = { "HTTP/1.1 abc OK\r\n\r\n", "ConnectionClosedError" },
  ["a status of four digits"] = { "HTTP/1.1 1000 OK\r\nContent-Length: 0\r\n\r\n", "ConnectionClosedError" },
  ["an unknown status"] = { "HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n", "ClientError" },
  ["nothing but continuations"] = { ("HTTP/1.1 100 Continue\r\n\r\n"):rep(10000), "ConnectionClosedError" },
  ["thirty thousand headers of one name"] = {
    OK .. ("x:y\r\n"):rep(30000) .. "Content-Length: 2\r\n\r\n{}" },
  ["a million headers of one name"] = { OK .. ("x:y\r\n"):rep(1000000) .. "Content-Length: 2\r\n\r\n{}",
    "HTTPClientError" },
  ["a header of megabytes"] = { OK .. "x: " .. ("y"):rep(3 << 20) .. "\r\nContent-Length: 2\r\n\r\n{}",
    "HTTPClientError" },
  ["a header without a name"] = { OK .. ": x\r\nContent-Length: 2\r\n\r\n{}" },
  ["a header with a zero byte"] = { OK .. "a: b\0c\r\nContent-Length: 2\r\n\r\n{}", "ConnectionClosedError" },
  ["a header that is no text"] = { OK .. "a: \xFF\xFE\r\nContent-Length: 2\r\n\r\n{}" },
  ["a negative length"] = { OK .. "Content-Length: -5\r\n\r\n{}", "ConnectionClosedError" },
  ["a length of exabytes"] = { OK .. "Content-Length: 9000000000000000000\r\n\r\n{}",
    "ConnectionClosedError" },
  ["a body that is too short"] = { OK .. "Content-Length: 100\r\n\r\n{}", "ConnectionClosedError" },
  ["a body that is too long"] = { OK .. "Content-Length: 2\r\n\r\n{}" .. ("x"):rep(1000) },
  ["a chunk without a size"] = { CHUNKED .. "zz\r\n{}\r\n", "ConnectionClosedError" },
  ["a chunk of exabytes"] = { CHUNKED .. "7fffffffffffffff\r\n{}\r\n", "ConnectionClosedError" },
  ["a chunk larger than numbers go"] = { CHUNKED .. ("f"):rep(100) .. "\r\n{}\r\n",
    "ConnectionClosedError" },
  ["no last chunk"] = { CHUNKED .. "2\r\n{}\r\n", "ConnectionClosedError" },
  ["ten thousand trailers"] = { CHUNKED .. "2\r\n{}\r\n0\r\n" .. ("x: y\r\n"):rep(10000) .. "\r\n" },
}

describe("a response with", function()
  local peer
  setup(function()
    peer = server.start()
  end)
  teardown(function()
    peer:stop()
  end)

  local function client(service)
    return client_of(service or "sqs", peer)
  end

  -- The largest this process has been since the last time it was told to forget.
  local function forget_peak()
    local file <close> = assert(io.open("/proc/self/clear_refs", "w"))
    file:write("5")
  end
  local function peak_mb()
    for line in io.lines("/proc/self/status") do
      local kb = line:match("^VmHWM:%s+(%d+)")
      if kb then
        return tonumber(kb) // 1024
      end
    end
  end

  for what, case in pairs(HEADS) do
    it(what .. (case[2] and " fails" or " is read"), function()
      peer:reply({ raw = case[1], then_ = "close" }, "{}")
      local c <close> = client()
      forget_peak()
      local before = peak_mb()
      local answer, err = c.try:list_queues{}
      local grown = peak_mb() - before
      if case[2] then
        assert.is_nil(answer)
        assert.equal(case[2], err.kind, tostring(err))
      else
        assert(answer, tostring(err))
      end
      assert.is_true(grown < 64, ("it took %d MB"):format(grown))
      assert(c:list_queues{})
    end)
  end

  it("the wrong encoding is not decoded", function()
    local gzip = "\x1F\x8B\8\0\0\0\0\0\0\3\xAB\xAE\5\0\x43\xBF\xA6\xA3\2\0\0\0"
    peer:reply({ headers = { ["Content-Encoding"] = "gzip" }, body = gzip },
      { headers = { ["Content-Encoding"] = "gzip" }, body = gzip })
    local err = select(2, pcall(client().list_queues, client(), {}))
    assert.equal("ResponseParserError", err.kind)
    assert.equal(gzip, client("s3"):get_object{ Bucket = "b", Key = "k" }.Body:read("a"))
  end)

  it("a hundred megabytes takes few times that", function()
    local filling = ("x"):rep(100 << 20)
    local sources = {
      { "dynamodb", "get_item", { TableName = "t", Key = { a = { S = "x" } } },
        { '{"Item":{"a":{"S":"', '"}}}' }, function(answer) return answer.Item.a.S end },
      { "s3", "list_object_versions", { Bucket = "b" },
        { "<ListVersionsResult><Prefix>", "</Prefix></ListVersionsResult>" },
        function(answer) return answer.Prefix end },
    }
    for _, source in ipairs(sources) do
      local service, method, params, around, pick = table.unpack(source)
      peer:reply{ body = around[1] .. filling .. around[2] }
      collectgarbage()
      local c <close> = client(service)
      forget_peak()
      local before = peak_mb()
      local text = pick(c[method](c, params))
      local grown = peak_mb() - before
      assert.equal(#filling, #text)
      assert.is_true(grown < 800, ("it took %d MB"):format(grown))
    end
  end)

  it("frames of an event stream that lie is an error", function()
    local function frame(total, headers, body)
      return (">I4I4I4"):pack(total, headers, 0) .. (body or "")
    end
    local cases = { frame(0, 0), frame(15, 0), frame(0xFFFFFFFF, 0), frame(100, 0xFFFFFFFF), frame(64, 48),
      "\0\0\0", frame(24, 8, ("x"):rep(12)) }
    for i, case in ipairs(cases) do
      peer:reply{ body = case }
      local c <close> = client("s3")
      local ok, err = pcall(function()
        local answer = c:select_object_content{ Bucket = "b", Key = "k", ExpressionType = "SQL",
          Expression = "x", InputSerialization = {}, OutputSerialization = {} }
        for _ in answer.Payload:events() do
          error("an event came of it")
        end
      end)
      assert.is_false(ok, "case " .. i)
      assert.is_true(errors.is_error(err), tostring(err))
    end
  end)
end)

describe("parameters", function()
  local client
  setup(function()
    -- Nothing listens there: nothing of this is to be sent.
    client = function(service, validate)
      return aws.client(service, { region_name = "us-east-1", endpoint_url = "http://127.0.0.1:1",
        aws_access_key_id = "a", aws_secret_access_key = "b",
        config = { parameter_validation = validate, retries = { total_max_attempts = 1 } } })
    end
  end)

  local function refused(service, method, params, validate)
    local c <close> = client(service, validate)
    local answer, err = c.try[method](c.try, params)
    assert.is_nil(answer)
    return err
  end

  local function converse(value)
    return refused("bedrock-runtime", "converse", { modelId = "m", additionalModelRequestFields = value })
  end

  it("that hold themselves are refused, however many ways lead back", function()
    local once, thrice, free = {}, {}, {}
    once.L = { once }
    thrice.L = { thrice, thrice, thrice }
    free.a, free.b = free, free
    for _, value in ipairs{ once, thrice } do
      local err = refused("dynamodb", "put_item", { TableName = "t", Item = { a = value } })
      assert.equal("ParamValidationError", err.kind)
      assert.matches("nested deeper than 128 levels, or holds itself", err.message, 1, true)
    end
    assert.matches("holds itself", converse(free).message, 1, true)
    assert.matches("function", converse({ a = { b = print } }).message, 1, true)
    -- Full of both; which of them is met first is chance.
    local message = converse(package.loaded).message
    assert.is_truthy(message:find("function", 1, true) or message:find("holds itself", 1, true), message)
  end)

  it("that are nested deeper than there is a need for are refused", function()
    local value, list = { S = "x" }, {}
    for _ = 1, 10000 do
      value, list = { L = { value } }, { list }
    end
    local err = refused("dynamodb", "put_item", { TableName = "t", Item = { a = value } })
    assert.matches("nested deeper", err.message, 1, true)
    assert.is_true(#err.message < 500)
    assert.matches("nested deeper", converse(list).message, 1, true)
    err = refused("dynamodb", "put_item", { TableName = "t", Item = { a = value } }, false)
    assert.is_true(errors.is_error(err))
    err = refused("bedrock-runtime", "converse",
      { modelId = "m", additionalModelRequestFields = list }, false)
    assert.is_true(errors.is_error(err) and err.kind ~= "EndpointConnectionError")
  end)

  it("of no model are refused when items and names are in one table, or a key is no text", function()
    for _, value in ipairs{ { 1, 2, a = 3 }, { "x", ["1"] = "y" }, { a = { b = { "x", c = 1 } } } } do
      assert.matches("Items and names in one table: document parameter additionalModelRequestFields",
        converse(value).message, 1, true)
    end
    local task = coroutine.create(print)
    for key, type_name in pairs{ [{}] = "table", [print] = "function", [task] = "thread" } do
      assert.matches("Invalid key in document parameter additionalModelRequestFields, type: " .. type_name,
        converse{ [key] = 1 }.message, 1, true)
    end
  end)

  it("that look like a list and have more in them are no list", function()
    local far, named = { { S = "a" } }, { { S = "a" } }
    local marked = setmetatable({ a = { S = "x" } }, { __jsontype = "array" })
    far[1 << 40] = { S = "b" }
    named["1"] = { S = "b" }
    for _, list in ipairs{ far, named, marked } do
      local err = refused("dynamodb", "put_item", { TableName = "t", Item = { a = { L = list } } })
      assert.equal("ParamValidationError", err.kind)
      assert.matches("table (a list)", err.message, 1, true)
    end
  end)

  it("run nothing of the script's that could fail", function()
    local function fail()
      error("a metamethod ran")
    end
    local mt = { __index = fail, __len = fail, __pairs = fail, __tostring = fail, __name = 5, __eq = fail,
      __call = fail, __concat = fail, __close = fail }
    local function value(t)
      return setmetatable(t, mt)
    end
    local c <close> = client("dynamodb")
    local item = value{ a = value{ L = value{ value{ S = "x" } } } }
    local answer, err = c.try:put_item(value{ TableName = "t", Item = item })
    assert.is_nil(answer)
    assert.equal("EndpointConnectionError", err.kind)
    item = { a = { S = value{}, N = value{ 1 } } }
    err = refused("dynamodb", "put_item", { TableName = value{}, Item = item })
    assert.equal("ParamValidationError", err.kind)
  end)

  it("with a key that makes a URL no one takes are refused", function()
    local err = refused("s3", "get_object", { Bucket = "bucket", Key = ("x"):rep(9000000) })
    assert.equal("ValueError", err.kind)
    assert.is_true(#err.message < 500)
  end)
end)
