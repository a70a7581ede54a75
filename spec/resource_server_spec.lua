-- Resources, pages and waiters over a real client, against moto.
local moto = require("spec.support.moto")
local aws = require("luaws")

local OPTS = {
  region_name = "us-east-1", endpoint_url = moto.url, aws_access_key_id = "a", aws_secret_access_key = "b",
}

local function open(name)
  return aws.resource(name, OPTS)
end

local function sorted(iterator, field)
  local out = {}
  for object in iterator do
    out[#out + 1] = object[field]
  end
  table.sort(out)
  return out
end

describe("resources against moto", function()
  before_each(moto.reset)

  local function bucket_with(count)
    local bucket = open("s3"):create_bucket { Bucket = "bucket" }
    for i = 1, count do
      bucket:put_object { Key = ("k%d"):format(i), Body = ("x"):rep(i) }
    end
    return bucket
  end

  it("walk through a bucket, page by page", function()
    local bucket = bucket_with(5)
    assert.equal("s3.Bucket(name='bucket')", tostring(bucket))
    assert.same({ "k1", "k2", "k3", "k4", "k5" }, sorted(bucket.objects:page_size(2), "key"))
    assert.same({ "k1", "k2", "k3" }, sorted(bucket.objects:limit(3), "key"))
    assert.same({ 1, 2, 3, 4, 5 }, sorted(bucket.objects:all(), "size"))
    assert.same({}, sorted(bucket.objects:filter { Prefix = "z" }, "key"))
  end)

  it("read, write and wait for an object", function()
    local object = bucket_with(0):Object("key")
    object:put { Body = "text" }
    assert.equal(4, object.content_length)
    object:put { Body = "longer" }
    assert.equal(6, object.content_length)
    assert.equal("longer", object:get().Body:read("a"))
    object:wait_until_exists()
    object:delete()
    object:wait_until_not_exists { WaiterConfig = { MaxAttempts = 1 } }
    local _, err = pcall(object.load, object)
    assert.equal("404", err.code)
  end)

  it("delete all objects of a bucket in batches", function()
    local bucket = bucket_with(5)
    local answers = bucket.objects:page_size(2):delete()
    assert.equal(3, #answers)
    assert.equal(2, #answers[1].Deleted)
    assert.same({}, sorted(bucket.objects:all(), "key"))
    assert.same({}, bucket.objects:delete())
  end)

  it("run instances and follow their references", function()
    local ec2 = open("ec2")
    local image = ec2.meta.client:describe_images { Owners = { "amazon" } }.Images[1].ImageId
    local instances = ec2:create_instances { ImageId = image, MinCount = 2, MaxCount = 2 }
    assert.equal(2, #instances)
    local instance = instances[1]
    instance:wait_until_running { WaiterConfig = { Delay = 0 } }
    instance:reload()
    assert.equal("running", instance.state.Name)
    assert.equal(instance.vpc_id, instance.vpc.id)
    assert.equal(image, instance.image.id)
    assert.is_true(ec2:Instance(instance.id) == instance)
    local states = { Name = "instance-state-name", Values = { "running" } }
    assert.equal(2, #sorted(ec2.instances:filter { Filters = { states } }, "id"))
    ec2.instances:filter { InstanceIds = { instance.id } }:stop()
    assert.equal(1, #sorted(ec2.instances:filter { Filters = { states } }, "id"))
    assert.equal("ec2.Instance(id='" .. instance.id .. "')", tostring(instance))
  end)

  it("send and receive messages of a queue", function()
    local queue = open("sqs"):create_queue { QueueName = "q" }
    queue:send_message { MessageBody = "hello" }
    local messages = queue:receive_messages { MaxNumberOfMessages = 5 }
    assert.equal("hello", messages[1].body)
    assert.equal(queue, messages[1]:Queue())
    messages[1]:delete()
    assert.equal("0", queue.attributes.ApproximateNumberOfMessages)
    assert.same({}, queue:receive_messages())
  end)

  it("list what other services have", function()
    local iam, sns, cloudwatch = open("iam"), open("sns"), open("cloudwatch")
    iam:create_user { UserName = "u" }
    sns:create_topic { Name = "t" }
    cloudwatch.meta.client:put_metric_data {
      Namespace = "n", MetricData = { { MetricName = "m", Value = 1 } },
    }
    assert.same({ "u" }, sorted(iam.users:all(), "name"))
    assert.equal("arn:aws:iam::123456789012:user/u", iam:User("u").arn)
    assert.same({ "arn:aws:sns:us-east-1:123456789012:t" }, sorted(sns.topics:all(), "arn"))
    assert.same({ "m" }, sorted(cloudwatch.metrics:all(), "name"))
  end)

  it("page with a plain client and go on from a resume token", function()
    bucket_with(5)
    local s3 = aws.client("s3", OPTS)
    local paginator = s3:get_paginator("list_objects_v2")
    local pages = paginator:paginate { Bucket = "bucket", PaginationConfig = { PageSize = 2, MaxItems = 3 } }
    local first = pages:build_full_result()
    assert.equal(3, #first.Contents)
    local rest = paginator:paginate {
      Bucket = "bucket", PaginationConfig = { PageSize = 2, StartingToken = first.NextToken },
    }
    local keys = {}
    for key in rest:search("Contents[].Key") do
      keys[#keys + 1] = key
    end
    assert.same({ "k4", "k5" }, keys)
    assert.is_true(s3:can_paginate("list_objects_v2"))
    assert.same({ "bucket_exists", "bucket_not_exists", "object_exists", "object_not_exists" },
      s3.waiter_names)
  end)

  it("load once for all tasks that ask at the same time, and fail for each of them", function()
    local object = bucket_with(1):Object("k1")
    local heads = 0
    object.meta.client.meta.events:register("before-send.s3.HeadObject", function()
      heads = heads + 1
    end)
    local sizes = aws.async.map({ 1, 2, 3 }, function() return object.content_length end)
    assert.same({ 1, 1, 1, heads = 1 }, { sizes[1], sizes[2], sizes[3], heads = heads })
    local gone = object:Bucket():Object("gone")
    local codes = aws.async.map({ 1, 2 }, function()
      return select(2, pcall(function() return gone.content_length end)).code
    end)
    assert.same({ "404", "404", heads = 2 }, { codes[1], codes[2], heads = heads })
  end)

  it("load for the others when the task that asked first is cancelled", function()
    local object = bucket_with(1):Object("k1")
    local size = aws.async.run(function()
      local first = aws.async.spawn(function() return object.content_length end)
      local second = aws.async.spawn(function() return object.content_length end)
      aws.async.sleep(0)
      first:cancel()
      return second:await()
    end)
    assert.equal(1, size)
  end)

  it("wait for a load that is under way already", function()
    local bucket = bucket_with(1)
    local later
    bucket.meta.client.meta.events:register("before-send.s3.ListBuckets", function()
      later = aws.async.spawn(function() return bucket.creation_date end)
      aws.async.sleep(0) -- it asks while the answer is not there
    end)
    local dates = aws.async.run(function() return { bucket.creation_date, later:await() } end)
    assert.is_number(dates[1])
    assert.equal(dates[1], dates[2])
  end)

  it("give what was loaded for it to a task that comes after another one's action", function()
    local object = bucket_with(1):Object("k1")
    object.meta.client.meta.events:register("before-send.s3.DeleteObject", function()
      return { status_code = 204, headers = {}, body = "" } -- at once
    end)
    local sizes = aws.async.map({ 1, 2 }, function(i)
      local size = object.content_length
      if i == 1 then
        object:delete()
        assert.is_nil(object.meta.data)
      end
      return size
    end)
    assert.same({ 1, 1 }, sizes)
  end)

  it("work in tasks", function()
    local bucket = bucket_with(4)
    local counts = aws.async.map({ 1, 2, 3, 4 }, function(limit)
      return #sorted(bucket.objects:page_size(1):limit(limit), "key")
    end)
    assert.same({ 1, 2, 3, 4 }, counts)
  end)
end)
