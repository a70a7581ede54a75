-- What the README promises: every row of its table from boto3 to luaws runs, and what it and the pages under
-- docs/ name is there.
local aws = require("luaws")
local machine = require("spec.support.machine")
local merged = require("spec.support.merged")
local moto = require("spec.support.moto")
local raised = require("spec.support.raised")

local KEYS = {
  aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret", region_name = "us-east-1",
}

local function options(more)
  return merged(KEYS, more)
end

local function on_moto(name, more)
  return aws.client(name, options{ endpoint_url = moto.url, config = more })
end

local function resource_on_moto(name)
  return aws.resource(name, options{ endpoint_url = moto.url })
end

-- ---- the README's table ----

-- Its right column, each with a function that does what stands there.
local ROWS = {}

ROWS['`local aws = require "luaws"`'] = function()
  assert.equal(aws, require "luaws")
  assert.matches("^%d+%.%d+%.%d+$", aws.version)
end

ROWS['`aws.session{ profile_name = "dev" }`'] = function()
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write("[profile dev]\nregion = eu-central-1\n")
  file:close()
  local session = aws.session{ profile_name = "dev", _env = { AWS_CONFIG_FILE = path }, _home = "/nowhere" }
  assert.same({ "dev", "eu-central-1", { "dev" } },
    { session.profile_name, session.region_name, session.available_profiles })
  os.remove(path)
end

ROWS['`aws.client("ec2", { region_name = "eu-west-1" })`'] = function()
  assert.equal("eu-west-1", aws.client("ec2", { region_name = "eu-west-1" }).meta.region_name)
end

local function some_instances(count)
  local client = on_moto("ec2")
  local image = client:describe_images{ Owners = { "amazon" } }.Images[1].ImageId
  return client:run_instances{ ImageId = image, MinCount = count, MaxCount = count }.Instances
end

ROWS["`client:describe_instances{ InstanceIds = {...} }`"] = function()
  local id = some_instances(2)[1].InstanceId
  local client = on_moto("ec2")
  local response = client:describe_instances{ InstanceIds = { id } }
  assert.equal(id, response.Reservations[1].Instances[1].InstanceId)
  assert.equal(1, #response.Reservations)
end

ROWS["`response.Reservations[1]`"] = ROWS["`client:describe_instances{ InstanceIds = {...} }`"]

ROWS["`for i in ec2.instances:all() do`"] = function()
  some_instances(3)
  local seen = 0
  for i in resource_on_moto("ec2").instances:all() do
    assert.matches("^ec2%.Instance%(id='i%-%x+'%)$", tostring(i))
    seen = seen + 1
  end
  assert.equal(3, seen)
end

ROWS["`ec2.instances:filter{ Filters = {...} }:limit(5)`"] = function()
  some_instances(6)
  local running = { { Name = "instance-state-name", Values = { "running" } } }
  local seen = 0
  for i in resource_on_moto("ec2").instances:filter{ Filters = running }:limit(5) do
    assert.equal("running", i.state.Name)
    seen = seen + 1
  end
  assert.equal(5, seen)
end

local function bucket_b()
  local bucket = resource_on_moto("s3"):Bucket("bucket")
  bucket:create()
  return bucket
end

ROWS['`s3:Bucket("b"):Object("k")`'] = function()
  local object = resource_on_moto("s3"):Bucket("b"):Object("k")
  assert.equal("s3.Object(bucket_name='b', key='k')", tostring(object))
end

ROWS['`s3:upload_file("f", "b", "k", { ExtraArgs = {...} })`'] = function()
  bucket_b()
  local s3 = on_moto("s3")
  s3:upload_file("README.md", "bucket", "k", { ExtraArgs = { ContentType = "text/markdown" } })
  assert.equal("text/markdown", s3:head_object{ Bucket = "bucket", Key = "k" }.ContentType)
end

ROWS['`response.Body:read("a")`, `:lines()`, `:chunks(n)`, `<close>`'] = function()
  bucket_b():put_object{ Key = "k", Body = "one\ntwo\n" }
  local s3 = on_moto("s3")
  local function get()
    return s3:get_object{ Bucket = "bucket", Key = "k" }.Body
  end
  assert.equal("one\ntwo\n", get():read("a"))
  local lines, chunks = {}, {}
  for line in get():lines() do
    lines[#lines + 1] = line
  end
  for chunk in get():chunks(5) do
    chunks[#chunks + 1] = chunk
  end
  assert.same({ { "one", "two" }, { "one\nt", "wo\n" } }, { lines, chunks })
  local kept
  do
    local body <close> = get()
    kept = body
  end
  assert.equal("the body is closed", raised(kept.read, kept).message)
  assert.is_false(pcall(function() return kept.events() end)) -- it is no stream of events
end

ROWS['`client:get_paginator("list_objects_v2"):paginate{ Bucket = "b" }`'] = function()
  local bucket = bucket_b()
  for i = 1, 5 do
    bucket:put_object{ Key = "k" .. i, Body = "" }
  end
  local client = on_moto("s3")
  local pages = client:get_paginator("list_objects_v2"):paginate{ Bucket = "bucket", PaginationConfig = {
    PageSize = 2, MaxItems = 3 } }
  for _ = 1, 2 do -- twice the same
    local sizes = {}
    for page in pages do
      sizes[#sizes + 1] = #page.Contents
    end
    assert.same({ 2, 1 }, sizes)
  end
  assert.equal("Contents", pages.result_keys[1])
  assert.equal(3, #pages:build_full_result().Contents)
  local rest = client:get_paginator("list_objects_v2"):paginate{ Bucket = "bucket", PaginationConfig = {
    StartingToken = pages.resume_token } }
  local keys = {}
  for key in rest:search("Contents[].Key") do
    keys[#keys + 1] = key
  end
  assert.same({ "k4", "k5" }, keys)
end

ROWS['`client:get_waiter("instance_running"):wait{...}`'] = function()
  local id = some_instances(1)[1].InstanceId
  on_moto("ec2"):get_waiter("instance_running"):wait{ InstanceIds = { id }, WaiterConfig = { Delay = 0 } }
  local err = raised(function()
    on_moto("ec2"):get_waiter("instance_running"):wait{ InstanceIds = { "i-1234567890abcdef0" },
      WaiterConfig = { Delay = 0, MaxAttempts = 2 } }
  end)
  assert.equal("WaiterError", err.kind)
end

ROWS["`for event in response.Payload:events() do`"] = function()
  local s3 = aws.client("s3", options())
  local stub <close> = aws.stubber(s3):activate()
  local canned = { { Records = { Payload = "1,2" } }, { End = {} } }
  stub:add_response("select_object_content", { Payload = canned })
  local response = s3:select_object_content{ Bucket = "bucket", Key = "k", Expression = "select 1",
    ExpressionType = "SQL", InputSerialization = { CSV = {} }, OutputSerialization = { CSV = {} } }
  local events = {}
  for event in response.Payload:events() do
    events[#events + 1] = event
  end
  assert.same(canned, events)
end

local function songs()
  return resource_on_moto("dynamodb"):create_table{ TableName = "songs", BillingMode = "PAY_PER_REQUEST",
    KeySchema = { { AttributeName = "id", KeyType = "HASH" } },
    AttributeDefinitions = { { AttributeName = "id", AttributeType = "S" } } }
end

ROWS['`Key("id"):eq("a") & Attr("n"):gt(2)`, of `aws.dynamodb`'] = function()
  local Key, Attr = aws.dynamodb.Key, aws.dynamodb.Attr
  local table = songs()
  table:put_item{ Item = { id = "a", n = 3 } }
  local found = table:scan{ FilterExpression = Key("id"):eq("a") & Attr("n"):gt(2) }
  assert.same({ { id = "a", n = 3 } }, found.Items)
  assert.same({}, table:scan{ FilterExpression = ~(Key("id"):eq("a") | Attr("n"):gt(2)) }.Items)
end

ROWS["`local batch <close> = table:batch_writer()`"] = function()
  local table = songs()
  do
    local batch <close> = table:batch_writer()
    for i = 1, 30 do
      batch:put_item{ Item = { id = "i" .. i } }
    end
  end
  assert.equal(30, table:scan().Count)
end

ROWS["`aws.stubber(client)`"] = function()
  local client = aws.client("sts", options())
  local stub <close> = aws.stubber(client):activate()
  stub:add_response("get_caller_identity", { Account = "1" })
  assert.equal("1", client:get_caller_identity().Account)
end

ROWS['`if err:is("NoSuchKey")` after `pcall`'] = function()
  bucket_b()
  local client = on_moto("s3")
  local err = raised(client.get_object, client, { Bucket = "bucket", Key = "none" })
  assert.is_true(err:is("NoSuchKey"))
  assert.is_true(err:is(client.exceptions.NoSuchKey))
  assert.is_false(err:is("NoSuchBucket"))
end

ROWS['`err.kind == "ClientError"`, `err.code`, `err.message`, `err.response`'] = function()
  local client = on_moto("s3")
  local err = raised(client.get_object, client, { Bucket = "none", Key = "none" })
  assert.same({ "ClientError", "NoSuchBucket", "The specified bucket does not exist", 404, "GetObject" },
    { err.kind, err.code, err.message, err.response.ResponseMetadata.HTTPStatusCode, err.operation_name })
  assert.equal("NoSuchBucket", err.response.Error.Code)
  assert.equal("An error occurred (NoSuchBucket) when calling the GetObject operation: The specified bucket "
    .. "does not exist", tostring(err))
end

ROWS['`config = { retries = { mode = "adaptive" } }`'] = function()
  local client = aws.client("s3", options{ config = { retries = { mode = "adaptive" } } })
  assert.equal("adaptive", client.meta.config.retries.mode)
end

ROWS["`config = { signature_version = aws.UNSIGNED }`"] = function()
  assert.equal("unsigned", aws.UNSIGNED)
  local client = on_moto("s3", { signature_version = aws.UNSIGNED })
  local headers
  client.meta.events:register("before-send.s3", function(event)
    headers = event.request.headers
  end)
  client:list_buckets()
  assert.is_nil(headers.authorization)
  assert.is_string(headers["USER-agent"])
end

ROWS["`lex:start_conversation{ requestEventStream = aws.event_writer(), … }`"] = function()
  local lex = aws.client("lexv2-runtime", options())
  local stub <close> = aws.stubber(lex):activate()
  local canned = { { HeartbeatEvent = { eventId = "1" } } }
  stub:add_response("start_conversation", { responseEventStream = canned })
  local writer <close> = aws.event_writer()
  writer:send{ TextInputEvent = { text = "hello" } }
  local stream <close> = lex:start_conversation{ botId = "BOTIDXXXXX", botAliasId = "TSTALIASID",
    localeId = "en_US", sessionId = "11", requestEventStream = writer }.responseEventStream
  assert.equal("1", stream:events()().HeartbeatEvent.eventId)
end

ROWS["`aws.cloudfront_signer(key_id, pem):generate_presigned_url(url, { date_less_than = ... })`"] =
function()
  local signer = aws.cloudfront_signer("K1", function() return "signature" end)
  assert.equal("https://d1.cloudfront.net/a?Expires=2000000000&Signature=c2lnbmF0dXJl&Key-Pair-Id=K1",
    signer:generate_presigned_url("https://d1.cloudfront.net/a", { date_less_than = 2000000000 }))
end

ROWS['`client.meta.events:register("before-send.s3", f)`'] = function()
  local client = aws.client("s3", options())
  local seen
  local function f(event)
    seen = { event.request.method, event.request.url, event.event_name }
    return { status_code = 200, headers = {}, body = "<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name>"
      .. "</Bucket></Buckets></ListAllMyBucketsResult>" }
  end
  client.meta.events:register("before-send.s3", f)
  assert.same({ { Name = "b" } }, client:list_buckets().Buckets)
  assert.same({ "GET", "https://s3.amazonaws.com/", "before-send.s3.ListBuckets" }, seen)
  client.meta.events:unregister("before-send.s3", f)
end

ROWS["`aws.async.map(list, fn, { concurrency = 10 })`"] = function()
  bucket_b()
  local s3 = on_moto("s3")
  local sizes = aws.async.map({ 3, 1, 2 }, function(n)
    s3:put_object{ Bucket = "bucket", Key = "k" .. n, Body = ("x"):rep(n) }
    return s3:head_object{ Bucket = "bucket", Key = "k" .. n }.ContentLength
  end, { concurrency = 10 })
  assert.same({ 3, 1, 2 }, sizes)
end

describe("the README's table from boto3 to luaws", function()
  before_each(moto.reset)
  local readme <close> = assert(io.open("README.md"))
  local listed = readme:read("a"):match("## From boto3 to luaws\n.-\n\n")
  local count = 0
  for right in listed:gmatch("\n| [^\n]- | ([^\n|]-) |%f[\n]") do
    if ROWS[right] then
      count = count + 1
      it("says " .. right, ROWS[right])
    elseif right ~= "luaws" then
      it("says " .. right, function()
        error("nothing here does it")
      end)
    end
  end

  it("has no row less than there are here", function()
    local rows = 0
    for _ in pairs(ROWS) do
      rows = rows + 1
    end
    assert.equal(rows, count)
  end)
end)

-- ---- what pages name ----

local function exists(path)
  return os.rename(path, path) ~= nil
end

local function pages()
  local list = { "README.md" }
  for path in io.popen("ls docs/*.md"):lines() do
    list[#list + 1] = path
  end
  return list
end

describe("the README and the pages under docs/", function()
  it("link to pages and headings that are there", function()
    local missing, count = {}, 0
    for _, path in ipairs(pages()) do
      local folder = path:match("^(.*/)") or ""
      for target, anchor in machine.read(path):gmatch("%]%(([^)#:]*)#?([^):]*)%)") do
        count = count + 1
        local page = target == "" and path or folder .. target
        local heading = anchor ~= "" and exists(page)
          and (machine.read(page):lower():gsub("[^%w%s#-]", "")):find(
            "\n#+ " .. anchor:gsub("-", "[ -]") .. "\n")
        if not exists(page) or anchor ~= "" and not heading then
          missing[#missing + 1] = path .. ": " .. target .. "#" .. anchor
        end
      end
    end
    assert.same({}, missing)
    assert.is_true(count > 10)
  end)

  it("name files and folders of the source that are there", function()
    local tree = machine.read("README.md"):match("## The source\n\n```\n(.-)```")
    local missing, parent, listed = {}, "", {}
    for indent, path in tree:gmatch("%f[^\n\0]( *)([%w/]+/) +%a") do
      parent = indent == "" and path or parent
      local whole = indent == "" and path or parent .. path
      listed[whole] = true
      missing[#missing + 1] = not exists(whole) and whole or nil
    end
    assert.same({}, missing)
    for path in io.popen("ls -d src/*/"):lines() do
      assert.is_true(listed[path], path .. " is not in the tour of the source")
    end
    for _, page in ipairs(pages()) do
      for path in machine.read(page):gmatch("`([%l]+/[%w_./*-]+)`") do
        if path:find("^[a-z]+/") and exists(path:match("^[a-z]+")) and not path:find("^build") then
          local found = io.popen("ls -d " .. path:gsub("NAME", "*") .. " 2>/dev/null"):read("l")
          assert.is_string(found, page .. " names " .. path)
        end
      end
    end
  end)

  it("name scripts that are there", function()
    for _, page in ipairs(pages()) do
      for path in machine.read(page):gmatch("scripts/[%w-]+") do
        local there = exists(path) or exists(path .. ".py") or path:find("%-$") ~= nil -- scripts/walk-*
        assert.is_true(there, page .. " names " .. path)
      end
    end
  end)
end)
