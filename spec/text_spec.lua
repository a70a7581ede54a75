-- Text among parameters: what is no UTF-8, or cannot be written in XML, is refused by its path before
-- anything is sent. Blobs may hold anything.
local aws = require("luaws")
local server = require("spec.support.server")

local OBJECTS = "s3.delete_objects"

describe("text in parameters", function()
  local peer
  setup(function()
    peer = server.start()
  end)
  before_each(function()
    peer:clear()
    peer:reply{ body = "", always = true }
  end)
  teardown(function()
    peer:stop()
  end)

  local function call(name, params, config)
    local service, method = name:match("^(.*)%.(.*)$")
    config = config or {}
    config.s3 = { addressing_style = "path" }
    config.inject_host_prefix = false
    local client = aws.session{ _env = {}, _home = "/nowhere" }:client(service, { region_name = "us-east-1",
      endpoint_url = peer.url, aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret",
      config = config })
    return client.try[method](client.try, params)
  end

  local function object(key)
    return { Bucket = "bkt", Delete = { Objects = { { Key = "fine" }, { Key = key } } } }
  end

  -- { operation, parameters, what is said of them }, for every protocol and place.
  local WRONG = {
    { "dynamodb.put_item", { TableName = "t", Item = { a = { S = "x\xFF" } } },
      "Item.a.S: byte 2 (0xFF) is no UTF-8" },
    { "dynamodb.put_item", { TableName = "t", Item = { ["k\xFE"] = { S = "x" } } },
      "Item (key: ?): byte 2 (0xFE) is no UTF-8" },
    { "lambda.create_alias", { FunctionName = "f", Name = "n", FunctionVersion = "1", Description = "\xC3" },
      "Description: byte 1 (0xC3) is no UTF-8" },
    { "lambda.get_function", { FunctionName = "12345678\x80" }, "FunctionName: byte 9 (0x80) is no UTF-8" },
    { "lambda.list_functions", { Marker = "\xED\xA0\x80" }, "Marker: byte 1 (0xED) is no UTF-8" },
    { "lambda.invoke", { FunctionName = "f", ClientContext = "\xF5" },
      "ClientContext: byte 1 (0xF5) is no UTF-8" },
    { "sns.publish", { Message = "\xC0\x80" }, "Message: byte 1 (0xC0) is no UTF-8" },
    { "sns.publish", { Message = "m", MessageAttributes = { ["\xFF"] = { DataType = "String" } } },
      "MessageAttributes (key: ?): byte 1 (0xFF) is no UTF-8" },
    { "ec2.create_tags", { Resources = { "a", "b\xF0\x9F\x98" }, Tags = {} },
      "Resources[1]: byte 2 (0xF0) is no UTF-8" },
    { OBJECTS, object("\xFF"), "Delete.Objects[1].Key: byte 1 (0xFF) is no UTF-8" },
    { "s3.get_object", { Bucket = "bkt", Key = "\xFF" }, "Key: byte 1 (0xFF) is no UTF-8" },
    { "s3.put_object", { Bucket = "bkt", Key = "k", CacheControl = "\xFF" },
      "CacheControl: byte 1 (0xFF) is no UTF-8" },
    { "s3.put_bucket_policy", { Bucket = "bkt", Policy = "12\xFF" }, "Policy: byte 3 (0xFF) is no UTF-8" },
    { "bedrock-runtime.converse", { modelId = "m", additionalModelRequestFields = { a = { "x", "\xFF" } } },
      "additionalModelRequestFields.a[1]: byte 1 (0xFF) is no UTF-8" },
    { "bedrock-runtime.converse", { modelId = "m", additionalModelRequestFields = { ["\xFF"] = 1 } },
      "additionalModelRequestFields (key: ?): byte 1 (0xFF) is no UTF-8" },
    { OBJECTS, object("a\1"),
      "Delete.Objects[1].Key: byte 2 (0x01) begins a character that XML cannot hold" },
    { OBJECTS, object("\0"),
      "Delete.Objects[1].Key: byte 1 (0x00) begins a character that XML cannot hold" },
    { OBJECTS, object("\u{FFFE}"),
      "Delete.Objects[1].Key: byte 1 (0xEF) begins a character that XML cannot hold" },
  }

  for _, config in ipairs{ {}, { parameter_validation = false } } do
    local how = config.parameter_validation == false and ", even where parameters are not validated" or ""
    it("is refused where it would arrive as something else" .. how, function()
      for _, case in ipairs(WRONG) do
        local ok, err = call(case[1], case[2], { parameter_validation = config.parameter_validation })
        assert.is_nil(ok)
        assert.same({ "ParamValidationError", "Parameter validation failed:\nInvalid text for parameter "
          .. case[3] }, { err.kind, tostring(err) })
      end
      assert.same({}, peer:requests())
    end)
  end

  it("is sent where it can be", function()
    assert.truthy(call("s3.get_object", { Bucket = "bkt", Key = "a\1\u{FFFE}é" }))
    assert.equal("/bkt/a%01%EF%BF%BE%C3%A9", peer:last().target)
    call(OBJECTS, object("\t\n\r é\u{10FFFF}\u{FFFD}"))
    assert.matches("<Key>\t&#10;&#13; é\u{10FFFF}\u{FFFD}</Key>", peer:last().body, 1, true)
    call("s3.put_bucket_policy", { Bucket = "bkt", Policy = "a\1" })
    assert.equal("a\1", peer:last().body)
    call("sns.publish", { Message = "\1\0" })
    assert.matches("Message=%01%00", peer:last().body, 1, true)
    call("dynamodb.put_item", { TableName = "t", Item = { a = { S = "\0\1\u{FFFF}" } } })
    assert.matches([[{"S":"\u0000\u0001]] .. "\u{FFFF}\"}", peer:last().body, 1, true)
  end)

  it("has nothing to do with blobs", function()
    call("s3.put_object", { Bucket = "bkt", Key = "k", Body = "\xFF\0" })
    assert.equal("\xFF\0", peer:last().body)
    call("dynamodb.put_item", { TableName = "t", Item = { a = { B = "\xFF" } } })
    assert.matches('{"B":"/w=="}', peer:last().body, 1, true)
  end)

  it("is told with the other faults of the parameters", function()
    local _, err = call("sqs.send_message", { QueueUrl = "\xFF", Nothing = 1 })
    assert.matches('Missing required parameter in input: "MessageBody"', err.message, 1, true)
    assert.matches("Invalid text for parameter QueueUrl: byte 1 (0xFF) is no UTF-8", err.message, 1, true)
    assert.matches('Unknown parameter in input: "Nothing"', err.message, 1, true)
  end)
end)
