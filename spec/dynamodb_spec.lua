-- DynamoDB through resources: plain Lua values in and out.
local moto = require("spec.support.moto")
local aws = require("luaws")
local ddb = aws.dynamodb
local json = require("luaws.jmespath.json")
local number = require("luaws.dynamodb.number")

local Key, Attr = ddb.Key, ddb.Attr
local OPTS = {
  region_name = "us-east-1", endpoint_url = moto.url, aws_access_key_id = "a", aws_secret_access_key = "b",
}

local function new_table(dynamodb, name)
  return dynamodb:create_table {
    TableName = name, BillingMode = "PAY_PER_REQUEST",
    KeySchema = {
      { AttributeName = "id", KeyType = "HASH" }, { AttributeName = "at", KeyType = "RANGE" },
    },
    AttributeDefinitions = {
      { AttributeName = "id", AttributeType = "S" }, { AttributeName = "at", AttributeType = "N" },
    },
  }
end

local function error_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local function list_of(set)
  local list = {}
  for value in set:values() do
    list[#list + 1] = value
  end
  return list
end

-- An AttributeValue in which equal numbers have equal texts and sets are in order.
local function canonical(value)
  local kind, inner = next(value)
  if kind == "N" then
    return { N = number.key(ddb.number(inner)) }
  elseif kind == "L" or kind == "M" then
    local copy = {}
    for key, item in pairs(inner) do
      copy[key] = canonical(item)
    end
    return { [kind] = copy }
  elseif kind:find("S$") and kind ~= "S" then
    local copy = {}
    for i, item in ipairs(inner) do
      copy[i] = kind == "NS" and number.key(ddb.number(item)) or item
    end
    table.sort(copy)
    return { [kind] = copy }
  end
  return value
end

describe("dynamodb values", function()
  it("are what boto3 makes of random items, there and back", function()
    for line in io.lines("spec/fixtures/dynamodb/items.jsonl") do
      local _, item = json.decode(line)
      local plain = ddb.deserialize { M = item }
      assert.same(canonical { M = item }, canonical(ddb.serialize(plain)))
      assert.equal(item.id.S, plain.id)
    end
  end)

  it("become AttributeValues and come back", function()
    local cases = {
      { "text", { S = "text" } },
      { "", { S = "" } },
      { true, { BOOL = true } },
      { false, { BOOL = false } },
      { aws.null, { NULL = true } },
      { 1, { N = "1" } },
      { 0.1, { N = "0.1" } },
      { ddb.number("9223372036854775808"), { N = "9223372036854775808" } },
      { ddb.binary("\0\255"), { B = "\0\255" } },
      { ddb.set { "a", "b" }, { SS = { "a", "b" } } },
      { ddb.set { 1, 2.5 }, { NS = { "1", "2.5" } } },
      { ddb.set { ddb.binary("x") }, { BS = { "x" } } },
      { { 1, { "a" } }, { L = { { N = "1" }, { L = { { S = "a" } } } } } },
      { { a = { b = aws.null } }, { M = { a = { M = { b = { NULL = true } } } } } },
    }
    for _, case in ipairs(cases) do
      local made = ddb.serialize(case[1])
      assert.same(case[2], made)
      assert.same(case[1], ddb.deserialize(made))
    end
  end)

  it("tell an empty list from an empty map by __jsontype, any other being a map", function()
    assert.same({ L = {} }, ddb.serialize(aws.list {}))
    assert.same({ M = {} }, ddb.serialize(aws.map {}))
    assert.same({ M = {} }, ddb.serialize({}))
    assert.equal("array", getmetatable(ddb.deserialize { L = {} }).__jsontype)
    assert.equal("object", getmetatable(ddb.deserialize { M = {} }).__jsontype)
  end)

  it("are refused by name when DynamoDB has nothing for them", function()
    local itself = {}
    itself.again = itself
    local cases = {
      { { a = { 1, b = 2 } }, "item.a: this table has both string keys and places of a list" },
      { { a = { { [1] = 1, [3] = 3 } } }, "item.a[0]: this list has gaps" },
      { { a = { [1.5] = 1 } }, "item.a: the key 1.5" },
      { { a = { [true] = 1 } }, "item.a: the key true" },
      { { a = aws.list { b = 1 } }, "item.a: a list has no string keys" },
      { { a = aws.map { 1 } }, "item.a: a map has string keys only" },
      { { a = { b = print } }, "item.a.b: a function cannot be" },
      { { a = Attr("x") }, "item.a: a luaws.dynamodb.Attr cannot be" },
      { { a = "\255" }, "item.a: this string is no UTF-8 text" },
      { { 1 / 0 }, "item[0]: Infinity and NaN not supported" },
      { { 0 / 0 }, "item[0]: Infinity and NaN not supported" },
      { { 1e200 }, "item[0]: out of the range of DynamoDB's numbers: 1E+200" },
      { ddb.set {}, "item: DynamoDB has no empty sets" },
      { itself, "nested too deep, or in itself" },
    }
    for _, case in ipairs(cases) do
      local err = error_of(ddb.serialize, case[1], "item")
      assert.is_truthy(err.message:find(case[2], 1, true), err.message)
    end
  end)

  it("of unknown types are an error that says which", function()
    local err = error_of(ddb.deserialize, { M = { a = { L = { { XX = "1" } } } } }, "Item")
    assert.equal("TypeError", err.kind)
    assert.equal("Item.a[0]: DynamoDB type XX is not supported", err.message)
    assert.is_truthy(error_of(ddb.deserialize, {}).message:find("this has none", 1, true))
  end)

  it("that are none of DynamoDB's are an error that says where and why", function()
    for _, case in ipairs {
      { { M = { a = { N = 5 } } }, "Item.a: N takes a string, not a number" },
      { { L = { { S = true } } }, "Item[0]: S takes a string, not a boolean" },
      { { L = "x" }, "Item: L takes a table, not a string" },
      { { M = { a = { SS = "x" } } }, "Item.a: SS takes a table, not a string" },
      { { NS = { "1", 2 } }, "Item: a set takes strings, not a number" },
      { { BS = { {} } }, "Item: a set takes strings, not a table" },
      { { BOOL = "true" }, "Item: BOOL takes a boolean, not a string" },
      { { S = "a", N = "1" }, "Item: an AttributeValue has one member, and this has more" },
    } do
      local err = error_of(ddb.deserialize, case[1], "Item")
      assert.same({ "TypeError", case[2] }, { err.kind, err.message })
    end
  end)
end)

describe("dynamodb numbers", function()
  -- text, what it is read as, and its digits and exponent, as Python's decimal module has them
  it("are integers, doubles or number objects, whichever holds them exactly", function()
    for line in io.lines("spec/fixtures/dynamodb/numbers.tsv") do
      local text, kind, key = line:match("^(.-)\t(.-)\t(.*)$")
      local ok, value = pcall(ddb.deserialize, { N = text })
      assert.equal(kind, not ok and "error" or math.type(value) or "number", text)
      if ok then
        assert.equal(key, number.key(value), text)
        assert.equal(key, number.key(ddb.deserialize(ddb.serialize(value))), text)
        assert.equal(key, number.key(ddb.number(text)), text)
      end
    end
  end)

  it("are written as short as they are exact", function()
    local cases = {
      { 0.1, "0.1" }, { 5.0, "5" }, { -0.0, "0" }, { 1e22, "1E+22" }, { 1e-7, "1E-7" }, { 2.5e-7, "2.5E-7" },
      { 0.1 + 0.2, "0.30000000000000004" }, { 123456.789, "123456.789" }, { 2 ^ 53, "9007199254740992" },
      { 2 ^ 62 + 1024, "4611686018427388928" }, { math.maxinteger, "9223372036854775807" },
      { math.mininteger, "-9223372036854775808" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], ddb.serialize(case[1]).N)
      assert.is_true(ddb.deserialize { N = case[2] } == case[1], case[2])
    end
    assert.is_true(ddb.deserialize(ddb.serialize(2.0 ^ 63)) == 2.0 ^ 63)
  end)

  it("that are objects keep their digits, compare, and refuse what is none", function()
    local pi = ddb.number("3.1415926535897932384626433832795028842")
    assert.equal("3.1415926535897932384626433832795028842", pi.digits)
    assert.equal(pi.digits, tostring(pi))
    assert.equal(math.pi, pi:to_number())
    assert.is_true(ddb.number("1.50") == ddb.number("15E-1"))
    assert.equal("1.50", ddb.number("1.50").digits)
    assert.is_true(pi > 3 and pi < 3.2 and 3 <= pi and pi >= pi)
    assert.is_false(pi < pi)
    assert.is_true(ddb.number("-2") < ddb.number("-1") and ddb.number("-1E+50") < ddb.number("1E-50"))
    assert.is_true(ddb.number("9223372036854775808") > math.maxinteger)
    assert.is_true(ddb.number("10") > ddb.number("9") and ddb.number(0) < ddb.number(0.5))
    assert.equal("7", ddb.number(7).digits)
    assert.is_truthy(error_of(function() return pi < "4" end).message:find("compared with a number", 1, true))
    for _, text in ipairs { "", ".", "1e", "0x10", "1_000", "nan", "inf", "1 2", ("9"):rep(39), "1E127" } do
      assert.equal("ValueError", error_of(ddb.number, text).kind, text)
    end
    assert.equal("TypeError", error_of(ddb.number, {}).kind)
    assert.equal("TypeError", error_of(ddb.number, 1 / 0).kind)
  end)
end)

describe("dynamodb sets", function()
  it("hold each value once and tell what is in them", function()
    local set = ddb.set { 1, 2, 1.0, ddb.number("2.0"), 3 }
    assert.equal(3, #set)
    assert.same({ 1, 2, 3 }, list_of(set))
    assert.is_true(set:contains(3.0) and set:contains(ddb.number("1.00")))
    assert.is_false(set:contains("1") or set:contains(4) or set:contains(nil) or set:contains({}))
    assert.is_true(ddb.set { ddb.binary("a") }:contains(ddb.binary("a")))
    assert.is_true(ddb.set { "a", "b" } == ddb.set { "b", "a" })
    assert.is_false(ddb.set { "a" } == ddb.set { "b" } or ddb.set { "1" } == ddb.set { 1 })
    assert.equal('set{ "a" }', tostring(ddb.set { "a" }))
  end)

  it("can grow and shrink", function()
    local set = ddb.set():add("a"):add("b"):add("c"):remove("b"):remove("x")
    assert.same({ "a", "c" }, list_of(set))
    assert.is_true(set:contains("c"))
    assert.same({ "a" }, list_of(set:remove("c")))
    local copy = ddb.set(set):add("z")
    assert.equal(1, #set)
    assert.equal(2, #copy)
  end)

  it("hold values of one type, which strings, numbers and binaries are", function()
    for _, values in ipairs { { "a", 1 }, { true }, { {} }, { a = "b" }, { "a", nil, "c" } } do
      assert.equal("TypeError", error_of(ddb.set, values).kind)
    end
    assert.equal("TypeError", error_of(ddb.set, "abc").kind)
  end)
end)

describe("dynamodb resources", function()
  local dynamodb, table_one

  before_each(function()
    moto.reset()
    dynamodb = aws.resource("dynamodb", OPTS)
    table_one = new_table(dynamodb, "one")
  end)

  local function numbered(count)
    for i = 1, count do
      table_one:put_item { Item = { id = "a", at = i, third = i % 3 } }
    end
  end

  it("keep items as they are", function()
    local item = {
      id = "a", at = 1, float = 0.1, yes = true, no = false, nothing = aws.null, bytes = ddb.binary("\0\255"),
      strings = ddb.set { "x", "y" }, numbers = ddb.set { 1, 2.5 }, list = { 1, "two", { three = { 3 } } },
      big = ddb.number("9223372036854775808"), max = math.maxinteger, empty = "", none = {},
      no_list = aws.list {}, ["odd.name"] = { ["é"] = "日" },
    }
    table_one:put_item { Item = item }
    assert.same(item, table_one:get_item { Key = { id = "a", at = 1 } }.Item)
    assert.is_nil(table_one:get_item { Key = { id = "b", at = 1 } }.Item)
    local plain = aws.client("dynamodb", OPTS):get_item { TableName = "one",
      Key = { id = { S = "a" }, at = { N = "1" } } }
    assert.same({ N = "0.1" }, plain.Item.float)
  end)

  it("query and scan with conditions", function()
    numbered(9)
    local answer = table_one:query {
      KeyConditionExpression = Key("id"):eq("a") & Key("at"):between(3, 8),
      FilterExpression = Attr("third"):is_in { 0, 1 },
      ProjectionExpression = "#at", ExpressionAttributeNames = { ["#at"] = "at" },
    }
    assert.same({ { at = 3 }, { at = 4 }, { at = 6 }, { at = 7 } }, answer.Items)
    assert.equal(6, table_one:scan { FilterExpression = ~Attr("third"):eq(0) & Attr("id"):exists() }.Count)
  end)

  it("number the filter first, leave out the caller's placeholders, and his tables as they are", function()
    local seen
    dynamodb.meta.client.meta.events:register("before-call.dynamodb.Query", function(event)
      seen = require("cjson").decode(event.request.body)
      return { parsed = { Items = {} } }
    end)
    local params = {
      KeyConditionExpression = Key("id"):eq("a"), FilterExpression = Attr("b"):gt(1),
      ExpressionAttributeNames = { ["#n0"] = "mine", ["#m"] = "m" },
      ExpressionAttributeValues = { [":v1"] = "mine", [":w"] = { 1 } },
    }
    table_one:query(params)
    assert.equal("#n1 > :v0", seen.FilterExpression)
    assert.equal("#n2 = :v2", seen.KeyConditionExpression)
    assert.same({ ["#n0"] = "mine", ["#n1"] = "b", ["#n2"] = "id", ["#m"] = "m" },
      seen.ExpressionAttributeNames)
    assert.same({ [":v0"] = { N = "1" }, [":v1"] = { S = "mine" }, [":v2"] = { S = "a" },
      [":w"] = { L = { { N = "1" } } } }, seen.ExpressionAttributeValues)
    assert.same({ ["#n0"] = "mine", ["#m"] = "m" }, params.ExpressionAttributeNames)
    assert.same({ [":v1"] = "mine", [":w"] = { 1 } }, params.ExpressionAttributeValues)
    assert.is_true(ddb.is_condition(params.FilterExpression))
  end)

  it("update, delete and put under conditions", function()
    numbered(2)
    local updated = table_one:update_item {
      Key = { id = "a", at = 1 }, UpdateExpression = "SET third = third + :n, tags = :tags",
      ConditionExpression = Attr("third"):eq(1), ReturnValues = "ALL_NEW",
      ExpressionAttributeValues = { [":n"] = 10, [":tags"] = { "a", { b = aws.null } } },
    }
    assert.same({ id = "a", at = 1, third = 11, tags = { "a", { b = aws.null } } }, updated.Attributes)
    local err = error_of(table_one.put_item, table_one,
      { Item = { id = "a", at = 1 }, ConditionExpression = Attr("id"):not_exists() })
    assert.equal("ConditionalCheckFailedException", err.code)
    local deleted = table_one:delete_item {
      Key = { id = "a", at = 2 }, ConditionExpression = Attr("id"):size():gt(0) & Attr("third"):eq(2),
      ReturnValues = "ALL_OLD",
    }
    assert.same({ id = "a", at = 2, third = 2 }, deleted.Attributes)
  end)

  it("convert in every operation of the client behind them", function()
    local client = table_one.meta.client
    client:transact_write_items { TransactItems = {
      { Put = { TableName = "one", Item = { id = "t", at = 1 },
        ConditionExpression = Attr("id"):not_exists() } },
      { Update = { TableName = "one", Key = { id = "t", at = 2 }, UpdateExpression = "SET l = :l",
        ExpressionAttributeValues = { [":l"] = { 1, 2 } } } },
    } }
    local both = { { id = "t", at = 1 }, { id = "t", at = 2, l = { 1, 2 } } }
    local got = client:transact_get_items { TransactItems = {
      { Get = { TableName = "one", Key = { id = "t", at = 2 } } },
    } }
    assert.same({ { Item = both[2] } }, got.Responses)
    local batch = client:batch_get_item { RequestItems = { one = { Keys = {
      { id = "t", at = 1 }, { id = "t", at = 2 },
    } } } }
    assert.same(both, batch.Responses.one)
    local statement = client:execute_statement {
      Statement = "SELECT * FROM one WHERE id = ?", Parameters = { "t" },
    }
    assert.same(both, statement.Items)
    client:batch_write_item { RequestItems = { one = {
      { DeleteRequest = { Key = { id = "t", at = 1 } } }, { PutRequest = { Item = { id = "u", at = 0.5 } } },
    } } }
    local key = { id = "u", at = 0.5 }
    assert.same(key, client:get_item { TableName = "one", Key = key }.Item)
  end)

  it("page by their own values", function()
    numbered(7)
    local client = dynamodb.meta.client
    local counts, last = {}, {}
    local pages = client:get_paginator("query"):paginate {
      TableName = "one", KeyConditionExpression = Key("id"):eq("a"), PaginationConfig = { PageSize = 3 },
    }
    for page in pages do
      counts[#counts + 1] = #page.Items
      last[#last + 1] = page.LastEvaluatedKey
    end
    assert.same({ 3, 3, 1 }, counts)
    assert.same({ { id = "a", at = 3 }, { id = "a", at = 6 } }, last)
    client:get_waiter("table_exists"):wait { TableName = "one" }
  end)

  it("go on where a resume token of any key says", function()
    local keys = { "text", ddb.binary("\0\255"), ddb.number("12345678901234567890.5"), 7, 0.5 }
    local client = dynamodb.meta.client
    local starts = {}
    client.meta.events:register("before-call.dynamodb.Scan", function(event)
      starts[#starts + 1] = require("cjson").decode(event.request.body).ExclusiveStartKey or "none"
      local key = ddb.serialize(keys[math.min(#starts, #keys)])
      return { parsed = { Items = { { id = key } }, LastEvaluatedKey = { id = key } } }
    end)
    local paginator, token = client:get_paginator("scan"), nil
    for i, key in ipairs(keys) do
      local pages = paginator:paginate { TableName = "one",
        PaginationConfig = { MaxItems = 1, StartingToken = token } }
      assert.same({ { id = key } }, pages:build_full_result().Items)
      token = pages.resume_token
      assert.equal("string", type(token), i)
    end
    assert.same({ "none", { id = { S = "text" } }, { id = { B = "AP8=" } },
      { id = { N = "12345678901234567890.5" } }, { id = { N = "7" } } }, starts)
  end)

  it("say it when a service sends values of a type that nobody knows", function()
    dynamodb.meta.client.meta.events:register("before-send.dynamodb.GetItem", function()
      return { status_code = 200, body = '{"Item":{"id":{"XX":"1"}}}' }
    end)
    local err = error_of(table_one.get_item, table_one, { Key = { id = "a", at = 1 } })
    assert.equal("TypeError", err.kind)
    assert.is_truthy(err.message:find("^Item.id: an AttributeValue has one member"), err.message)
  end)

  it("name the place of a bad value before anything is sent", function()
    local err = error_of(table_one.put_item, table_one, { Item = { id = "a", x = { y = { 1, z = 2 } } } })
    assert.equal("TypeError", err.kind)
    assert.equal("Item.x.y: this table has both string keys and places of a list", err.message)
    err = error_of(table_one.put_item, table_one, { Item = { id = "a", [1] = 1 } })
    assert.equal("Item: the key 1 is not a string", err.message)
    err = error_of(table_one.query, table_one, { KeyConditionExpression = Key("id") })
    assert.equal("DynamoDBNeedsConditionError", err.kind)
    err = error_of(table_one.query, table_one, { KeyConditionExpression = Attr("id"):eq("a") })
    assert.equal("DynamoDBNeedsKeyConditionError", err.kind)
    err = error_of(table_one.put_item, table_one, { Item = "text" })
    assert.equal("ParamValidationError", err.kind)
    for _, value in ipairs { ddb.set { "a" }, ddb.number("1"), ddb.binary("a"), Attr("a"):eq(1) } do
      err = error_of(table_one.put_item, table_one, { Item = value })
      assert.same({ "TypeError", "Item must be a plain table, not a " .. getmetatable(value).__name },
        { err.kind, err.message })
    end
  end)

  it("leave plain clients as they are", function()
    local client = aws.client("dynamodb", OPTS)
    client:put_item { TableName = "one", Item = { id = { S = "p" }, at = { N = "1" } } }
    assert.same({ id = "p", at = 1 }, table_one:get_item { Key = { id = "p", at = 1 } }.Item)
    assert.equal("ParamValidationError", error_of(client.put_item, client,
      { TableName = "one", Item = { id = "p", at = 1 } }).kind)
  end)
end)
