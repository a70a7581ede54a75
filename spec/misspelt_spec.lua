-- What is easily written wrong is told before anything is sent, by name, and never just nil.
local aws = require("luaws")

local OPTS = {
  region_name = "us-east-1", endpoint_url = "http://127.0.0.1:1", aws_access_key_id = "a",
  aws_secret_access_key = "b",
}

describe("what is written wrong:", function()
  local s3 = aws.client("s3", OPTS)
  local ec2 = aws.resource("ec2", OPTS)
  local songs = aws.resource("dynamodb", OPTS):Table("songs")
  local objects = s3:get_paginator("list_objects_v2")
  local exists = s3:get_waiter("bucket_exists")
  local instance = ec2:Instance("i-1")
  local INSTANCES = "ec2.instancesCollection(ec2.ServiceResource(), ec2.Instance)"
  local NO_LIST = "is no list: write `for object in collection do`"
  local PAGES_NO_LIST = "pages of list_objects_v2 are no list: write `for page in pages do`, or use "
    .. "build_full_result()"

  local function answered_by(stage)
    local client = aws.client("s3", OPTS)
    client.meta.events:register(stage .. ".s3", function() return 5 end)
    client:list_buckets()
  end

  local function body()
    local client = aws.client("s3", OPTS)
    local stub = aws.stubber(client):activate()
    stub:add_response("get_object", { Body = "text" })
    return client:get_object{ Bucket = "b", Key = "k" }.Body
  end

  local cases = {
    { "a function of aws", function() return aws.clinet end, "aws has no 'clinet'; did you mean 'client'?" },
    { "a function of aws.async", function() return aws.async.Map end,
      "aws.async has no 'Map'; did you mean 'map'?" },
    { "a function of aws.dynamodb", function() return aws.dynamodb.attr end,
      "aws.dynamodb has no 'attr'; did you mean 'Attr'?" },
    { "an option of map", function() aws.async.map({}, print, { concurency = 1 }) end,
      "map: no 'concurency'; did you mean 'concurrency'?" },
    { "a field of client.meta", function() return s3.meta.region end,
      "client.meta has no 'region'; did you mean 'region_name'?" },
    { "a field of a resource's meta", function() return instance.meta.clint end,
      "meta has no 'clint'; did you mean 'client'?" },
    { "a function of aws.jmespath", function() return aws.jmespath.serch end,
      "aws.jmespath has no 'serch'; did you mean 'search'?" },
    { "a loop over a paginator", function() for page in objects do print(page) end end,
      "the paginator of list_objects_v2 is no row of pages: write `for page in paginator:paginate{...} do`" },
    { "a condition that is made with ==", function()
      songs:scan{ FilterExpression = aws.dynamodb.Attr("a") == 1 }
    end, "FilterExpression is false: a condition is made with a method, as in Attr(\"name\"):eq(value), not "
      .. "with ==" },
    { "a method of a paginator", function() objects:paginat{ Bucket = "b" } end,
      "paginator has no 'paginat'; did you mean 'paginate'?" },
    { "a method of a waiter", function() exists:waits{ Bucket = "b" } end,
      "waiter has no 'waits'; did you mean 'wait'?" },
    { "an object for its id", function() ec2.meta.client:describe_instances{ InstanceIds = { instance } } end,
      "Parameter validation failed:\nInvalid type for parameter InstanceIds[0], value: <luaws.resource>, "
        .. "type: table (a map), valid types: string" },
    { "a condition for a plain client", function()
      local condition = aws.dynamodb.Key("a"):eq(1)
      aws.client("dynamodb", OPTS):query{ TableName = "t", KeyConditionExpression = condition }
    end, "Parameter validation failed:\nInvalid type for parameter KeyConditionExpression, value: "
      .. "<luaws.dynamodb.condition>, type: table (a map), valid types: string" },
    { "what a handler of before-call answers", function() answered_by("before-call") end,
      "a handler of before-call.s3.ListBuckets answers with a table { status_code, headers, body }, not a "
        .. "number" },
    { "what a handler of before-send answers", function() answered_by("before-send") end,
      "a handler of before-send.s3.ListBuckets answers with a table { status_code, headers, body }, not a "
        .. "number" },
    { "what is to be read", function() body():read("x") end,
      'read takes a number of bytes, "a", "l" or "L", not x' },
    { "how much is to be read", function() body():read(-1) end,
      'read takes a number of bytes, "a", "l" or "L", not -1' },
    { "half a byte to be read", function() body():read(0.5) end,
      'read takes a number of bytes, "a", "l" or "L", not 0.5' },
    { "chunks of nothing", function() body():chunks(0) end,
      "chunks takes a positive number of bytes, not 0" },
    { "a file without a path", function() aws.file() end, "aws.file takes a path, not a nil" },
    { "a file's offset", function() aws.file("README.md", -1) end,
      "aws.file: the offset must be a number of bytes, not -1" },
    { "a file's length", function() aws.file("README.md", 0, "all") end,
      "aws.file: the length must be a number of bytes, not all" },
    { "a list of no table", function() aws.list("x") end, "aws.list takes a table, not a string" },
    { "a map of no table", function() aws.map("x") end, "aws.map takes a table, not a string" },
    { "an event that is no table", function() aws.event_writer():send("x") end,
      "send takes an event, a table, not a string" },
    { "a method of a stubber", function() aws.stubber(s3):add_respons() end,
      "stubber has no 'add_respons'; did you mean 'add_response'?" },
    { "a resource's identifier", function() ec2:Instance{ ID = "i-1" } end,
      "Unknown keyword argument: ID; did you mean 'id'?" },
    { "options of map that are no table", function() aws.async.map({}, print, 10) end,
      "map takes its options in a table, not a number" },
    { "sleep without seconds", function() aws.async.sleep() end,
      "sleep() takes a number of seconds, not a nil" },
    { "timeout without seconds", function() aws.async.timeout(print) end,
      "timeout() takes a number of seconds and a function, not a function and a nil" },
    { "the first of no tasks", function() aws.async.first{} end,
      "first() takes a sequence of tasks, which is not empty" },
    { "a level of the log", function() aws.set_stream_logger("luaws", "verbose") end,
      "set_stream_logger: the level is debug, info, warning, error or off, not verbose" },
    { "an event without a name", function() s3.meta.events:register(nil, print) end,
      "the name of an event is a string, not a nil" },
    { "a region's partition in place of options", function()
      aws.session():get_available_regions("s3", "aws")
    end, "get_available_regions takes the name of a service and a table of options, not a string and a "
      .. "string" },
    { "endpoints of no service", function() aws.session():resolve_endpoint() end,
      "resolve_endpoint takes the name of a service, not a nil" },
    { "a presigned table", function() s3:generate_presigned_url{ Params = {} } end,
      "generate_presigned_url takes the name of a method and a table, not a table" },
    { "a field of client.meta that is made when touched", function() return s3.meta.event end,
      "client.meta has no 'event'; did you mean 'events'?" },
    { "a parameter with its letters swapped", function() s3:list_objects_v2{ Bukcet = "b" } end,
      'Parameter validation failed:\nMissing required parameter in input: "Bucket"\n'
        .. 'Unknown parameter in input: "Bukcet", must be one of: Bucket, Delimiter, EncodingType, MaxKeys, '
        .. 'Prefix, ContinuationToken, FetchOwner, StartAfter, RequestPayer, ExpectedBucketOwner, '
        .. 'OptionalObjectAttributes (did you mean "Bucket"?)' },
    { "a paging option among the parameters", function() objects:paginate{ Bucket = "b", PageSize = 1 } end,
      "paginate: 'PageSize' belongs into PaginationConfig" },
    { "a paging option", function() objects:paginate { PaginationConfig = { Pagesize = 1 } } end,
      "PaginationConfig: no 'Pagesize'; did you mean 'PageSize'?" },
    { "paging options that are no table", function() objects:paginate { PaginationConfig = 5 } end,
      "PaginationConfig is a table, not a number" },
    { "parameters that are no table", function() objects:paginate("bucket") end,
      "paginate takes its parameters in one table, not a string" },
    { "paginate without its paginator", function() objects.paginate { Bucket = "b" } end,
      "paginate is a method: call it as paginator:paginate{...}" },
    { "pages in ipairs", function() return ipairs(objects:paginate {})(objects:paginate {}, 0) end,
      PAGES_NO_LIST },
    { "the length of pages", function() return #objects:paginate {} end, PAGES_NO_LIST },
    { "a method of pages", function() return objects:paginate {}.build_full_results end,
      "pages has no 'build_full_results'; did you mean 'build_full_result'?" },
    { "a waiter's option", function() exists:wait { WaiterConfig = { MaxAttempt = 1 } } end,
      "WaiterConfig: no 'MaxAttempt'; did you mean 'MaxAttempts'?" },
    { "a waiter's delay", function() exists:wait { WaiterConfig = { Delay = "1" } } end,
      "WaiterConfig: Delay must be a number that is not negative, not '1'" },
    { "a waiter's delay without an end", function() exists:wait { WaiterConfig = { Delay = 1 / 0 } } end,
      "WaiterConfig: Delay must be a number that is not negative, not inf" },
    { "wait without its waiter", function() exists.wait { Bucket = "b" } end,
      "wait is a method: call it as waiter:wait{...}" },
    { "wait with a string", function() exists:wait("bucket") end,
      "wait takes its parameters in one table, not a string" },
    { "a presigned method", function() s3:generate_presigned_url("get_objekt") end,
      "Client does not have method: get_objekt; did you mean 'get_object'?" },
    { "presigned parameters", function() s3:generate_presigned_url("get_object", { Key = "k" }) end,
      "generate_presigned_url: 'Key' belongs into Params" },
    { "a collection as a list", function() return #ec2.instances:all() end, INSTANCES .. " " .. NO_LIST },
    { "a collection in ipairs", function() return ipairs(ec2.instances:all())(ec2.instances:all(), 0) end,
      INSTANCES .. " " .. NO_LIST },
    { "a collection in pairs", function() pairs(ec2.instances:all()) end, INSTANCES .. " " .. NO_LIST },
    { "filter without its collection", function() ec2.instances.filter { Filters = {} } end,
      "filter is a method: call it as collection:filter(...)" },
    { "all without its collection", function() ec2.instances.all() end,
      "all is a method: call it as collection:all(...)" },
    { "all with parameters", function() return ec2.instances:all { Filters = {} } end,
      "all takes no parameters: write collection:filter{...}" },
    { "tags that are no table", function() instance:delete_tags("Name") end,
      "delete_tags takes its parameters in one table" },
    { "an object without its meta", function()
      local without = ec2:Instance("i-2")
      without.meta = nil
      return without:stop()
    end, "this ec2.Instance has lost its meta" },
    { "filter with a string", function() ec2.instances:filter("x") end,
      "filter takes its parameters in one table, not a string" },
    { "an attribute", function() instance.instance_typ = "t3.micro" end,
      "cannot set 'instance_typ' of ec2.Instance; did you mean 'instance_type', which cannot be set "
        .. "either?" },
    { "a condition", function() return aws.dynamodb.Attr("a").conains end,
      "Key, Attr or size() has no 'conains'; did you mean 'contains'?" },
    { "a key's condition", function() return aws.dynamodb.Key("a").ne end,
      "only an Attr has 'ne': Attr(\"name\"):ne(…)" },
    { "a method of a batch writer", function() return songs:batch_writer().put end,
      "a batch writer has no 'put'; did you mean 'put_item'?" },
  }

  for _, case in ipairs(cases) do
    it(case[1], function()
      local ok, err = pcall(case[2])
      assert.is_false(ok)
      assert.equal(case[3], tostring(err))
      assert.is_string(err.kind)
    end)
  end

  it("but notes of one's own on a resource are no mistake", function()
    instance.owner = "me"
    assert.equal("me", instance.owner)
  end)
end)
