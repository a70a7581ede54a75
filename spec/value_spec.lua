-- Values between Lua and the wire: nothing is rounded, lost or mistaken for something else.
local aws = require("luaws")
local server = require("spec.support.server")

describe("a value", function()
  local peer, dynamodb, bedrock
  setup(function()
    peer = server.start()
    local opts = { region_name = "us-east-1", endpoint_url = peer.url, aws_access_key_id = "a",
      aws_secret_access_key = "b" }
    dynamodb, bedrock = aws.client("dynamodb", opts), aws.client("bedrock-runtime", opts)
  end)
  before_each(function()
    peer:clear()
  end)
  teardown(function()
    peer:stop()
  end)

  local function table_of(json)
    peer:reply{ body = '{"Table":' .. json .. "}" }
    return dynamodb:describe_table{ TableName = "t" }.Table
  end

  it("that is an integer keeps all its 64 bits", function()
    for _, n in ipairs{ 0, -1, 9007199254740993, math.maxinteger, math.mininteger } do
      local got = table_of(('{"ItemCount":%d}'):format(n)).ItemCount
      assert.equal("integer", math.type(got))
      assert.equal(n, got)
    end
  end)

  it("that is a timestamp is a number of seconds, whole where it is whole", function()
    local t = table_of('{"CreationDateTime":1700000000}')
    assert.equal("integer", math.type(t.CreationDateTime))
    assert.equal(1700000000.25, table_of('{"CreationDateTime":1700000000.25}').CreationDateTime)
    assert.equal(1700000000, table_of('{"CreationDateTime":"2023-11-14T22:13:20Z"}').CreationDateTime)
  end)

  it("that is a blob is plain bytes both ways", function()
    peer:reply{ body = '{"Item":{"b":{"B":"AP8="},"bs":{"BS":["AA==","gA=="]}}}' }
    local item = dynamodb:get_item{ TableName = "t", Key = { k = { B = "\0\xff" } } }.Item
    assert.equal("\0\xff", item.b.B)
    assert.same({ "\0", "\x80" }, item.bs.BS)
    assert.equal('{"TableName":"t","Key":{"k":{"B":"AP8="}}}', peer:requests()[1].body)
  end)

  it("that is an empty table is a list or a map as the model says", function()
    peer:reply{ body = "{}" }
    dynamodb:put_item{ TableName = "t", Item = { l = { L = {} }, m = { M = {} } } }
    local body = peer:requests()[1].body
    assert.matches('"l":{"L":[]}', body, 1, true)
    assert.matches('"m":{"M":{}}', body, 1, true)
  end)

  local function converse(document, answer)
    local tool_use = '{"toolUseId":"i","name":"n","input":' .. answer .. "}"
    peer:reply{ body = '{"output":{"message":{"role":"assistant","content":[{"toolUse":' .. tool_use
      .. '}]}},"stopReason":"tool_use","usage":{},"metrics":{}}' }
    local response = bedrock:converse{ modelId = "m", toolConfig = {
      tools = { { toolSpec = { name = "n", inputSchema = { json = document } } } },
    } }
    local requests = peer:requests()
    return response.output.message.content[1].toolUse.input, requests[#requests].body
  end

  it("without a model goes as it is, and what is empty says what it is", function()
    local document = { n = 1, f = 0.5, b = true, null = aws.null, list = aws.list{}, map = aws.map{} }
    local got, body = converse(document, '{"n":1,"f":0.5,"list":[],"map":{},"null":null,"mixed":[1,null,{}]}')
    for _, piece in ipairs{ '"n":1', '"f":0.5', '"b":true', '"null":null', '"list":[]', '"map":{}' } do
      assert.matches(piece, body, 1, true)
    end
    assert.equal("integer", math.type(got.n))
    assert.equal(0.5, got.f)
    assert.equal("array", getmetatable(got.list).__jsontype)
    assert.equal("object", getmetatable(got.map).__jsontype)
    assert.equal(aws.null, got.null)
    assert.equal(3, #got.mixed)
    assert.equal(aws.null, got.mixed[2])
    local _, again = converse(got, "{}")
    assert.matches('"list":[]', again, 1, true)
    assert.matches('"map":{}', again, 1, true)
  end)

  it("is refused where it is of the wrong kind, by its path", function()
    for _, case in ipairs{
      { { TableName = "t", Key = { k = { S = 1 } } }, "Key.k.S, value: 1, type: integer" },
      { { TableName = "t", Key = { 1, 2 } }, "Key" },
      { { TableName = "t", Key = { k = { L = { a = 1 } } } }, "Key.k.L" },
      { { TableName = "t", Key = { k = { SS = { "a", b = "c" } } } }, "Key.k.SS" },
      { { TableName = "t", Key = { k = { M = { { S = "x" }, b = { S = "y" } } } } }, "Key.k.M" },
      { { TableName = "t", Key = {}, ConsistentRead = "yes" }, "ConsistentRead" },
      { { TableName = print, Key = {} }, "TableName" },
    } do
      local ok, err = pcall(dynamodb.get_item, dynamodb, case[1])
      assert.is_false(ok)
      assert.equal("ParamValidationError", err.kind)
      assert.matches(case[2], err.message, 1, true)
    end
    assert.same({}, peer:requests())
  end)

  it("that holds itself is refused, not followed for ever", function()
    local loop = { M = {} }
    loop.M.a = loop
    local ok, err = pcall(dynamodb.put_item, dynamodb, { TableName = "t", Item = { a = loop } })
    assert.is_false(ok)
    assert.equal("ParamValidationError", err.kind)
  end)

  it("is not changed by being sent", function()
    peer:reply{ body = "{}" }
    local params = { TableName = "t", Item = { a = { L = { { N = "1" } } } } }
    dynamodb:put_item(params)
    assert.same({ TableName = "t", Item = { a = { L = { { N = "1" } } } } }, params)
  end)
end)
