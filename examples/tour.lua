-- A tour of luaws. With no AWS account configured it runs against a throw-away AWS on this machine:
--   scripts/run examples/tour.lua
local aws = require "luaws"

-- The default session finds credentials and region as every AWS tool does.
local sts = aws.client("sts")
print("account", sts:get_caller_identity().Account)

-- A session of your own, with a profile or a region. Clients cost kilobytes: make as many as you like.
local session = aws.session{ region_name = "eu-west-1" }
local ec2 = session:client("ec2")
local image = ec2:describe_images{ Owners = { "amazon" }, MaxResults = 10 }.Images[1]
ec2:run_instances{ ImageId = image.ImageId, MinCount = 2, MaxCount = 2, InstanceType = "t3.micro" }

-- Responses are plain tables, walked by hand …
for _, reservation in ipairs(ec2:describe_instances().Reservations) do
  for _, instance in ipairs(reservation.Instances) do
    print("instance", instance.InstanceId, instance.InstanceType, instance.State.Name)
  end
end

-- … and resources turn them into objects. A waiter knows when something has happened.
for instance in session:resource("ec2").instances:all() do
  instance:stop()
  instance:wait_until_stopped()
  print("stopped", instance, instance.state.Name)
end

-- S3: a bucket as a resource, objects put, listed and read as streams.
local bucket = aws.resource("s3"):create_bucket{ Bucket = "luaws-tour-bucket" }
for _, name in ipairs{ "a.txt", "b.txt", "c/d.txt" } do
  bucket:put_object{ Key = name, Body = "first line of " .. name .. "\nsecond line\n" }
end
for summary in bucket.objects:filter{ Prefix = "" } do
  local body <close> = summary:Object():get().Body
  print("object", summary.key, summary.size, body:read("l"))
end

-- Under every resource there is a client, with every operation of the service.
local s3 = bucket.meta.client
print("keys", s3:list_objects_v2{ Bucket = bucket.name }.KeyCount)

-- Paginators follow the markers; `search` picks values out of all pages with JMESPath.
local pages = s3:get_paginator("list_objects_v2"):paginate{
  Bucket = bucket.name, PaginationConfig = { PageSize = 2 },
}
for key in pages:search("Contents[].Key") do
  print("page by page", key)
end

-- DynamoDB and SQS.
local dynamodb = aws.client("dynamodb")
dynamodb:create_table{
  TableName = "tour", BillingMode = "PAY_PER_REQUEST",
  KeySchema = { { AttributeName = "id", KeyType = "HASH" } },
  AttributeDefinitions = { { AttributeName = "id", AttributeType = "S" } },
}
dynamodb:get_waiter("table_exists"):wait{ TableName = "tour" }
dynamodb:put_item{ TableName = "tour", Item = { id = { S = "one" }, count = { N = "42" } } }
print("item", dynamodb:get_item{ TableName = "tour", Key = { id = { S = "one" } } }.Item.count.N)

local queue = aws.resource("sqs"):create_queue{ QueueName = "tour" }
queue:send_message{ MessageBody = "hello from Lua" }
for _, message in ipairs(queue:receive_messages{ WaitTimeSeconds = 1 }) do
  print("message", message.body)
  message:delete()
end

-- Errors are tables: what kind, which code, what the service said.
local ok, err = pcall(s3.get_object, s3, { Bucket = bucket.name, Key = "missing" })
print("error", ok, err.code, err:is("NoSuchKey"), err)

-- A URL that lets somebody else fetch one object for five minutes.
local url = s3:generate_presigned_url("get_object", {
  Params = { Bucket = bucket.name, Key = "a.txt" }, ExpiresIn = 300,
})
print("presigned", url:match("^[^?]+"), url:find("X-Amz-Signature", 1, true) ~= nil)

-- Ten calls at once, no threads, results in order.
local numbers = {}
for i = 1, 10 do
  numbers[i] = i
end
local sizes = aws.async.map(numbers, function(i)
  s3:put_object{ Bucket = bucket.name, Key = "parallel/" .. i, Body = ("x"):rep(i) }
  return s3:head_object{ Bucket = bucket.name, Key = "parallel/" .. i }.ContentLength
end, { concurrency = 10 })
print("sizes", table.concat(sizes, " "))

-- Leave nothing behind.
bucket.objects:delete()
bucket:delete()
dynamodb:delete_table{ TableName = "tour" }
queue:delete()
