-- luaws bench/cases.lua CASE URL TIMES [PATH]: luaws' side of the benchmark. Prints what one operation cost.
-- PATH: the CAs of the case tls, the file of json_alone.
local case, url, times, path = arg[1], arg[2], tonumber(arg[3]), arg[4]
local aws = require "luaws"

local function client(name, more)
  local opts = { endpoint_url = url .. "/" .. name }
  for key, value in pairs(more or {}) do
    opts[key] = value
  end
  return aws.client(name, opts)
end

local function report(fields)
  local parts = {}
  for name, value in pairs(fields) do
    parts[#parts + 1] = ('"%s": %.3f'):format(name, value)
  end
  print("{" .. table.concat(parts, ", ") .. "}")
end

--- What an operation costs, once it has warmed up.
local function measure(fn)
  for i = 1, times // 10 + 1 do
    fn(i)
  end
  collectgarbage()
  local began, began_at = os.clock(), require("luaws.core").monotonic()
  for i = 1, times do
    fn(i)
  end
  report{ cpu_us = (os.clock() - began) * 1e6 / times,
    wall_us = (require("luaws.core").monotonic() - began_at) * 1e6 / times }
end

--- The memory of this process, in KiB.
local function resident_kib()
  collectgarbage()
  collectgarbage()
  for line in io.lines("/proc/self/status") do
    local kib = line:match("^VmRSS:%s+(%d+)")
    if kib then
      return tonumber(kib)
    end
  end
end

--- What each of many clients takes, every one in a session of its own.
local function measure_memory(fn)
  local kept = { fn() }
  local before = resident_kib()
  for i = 1, times do
    kept[i + 1] = fn()
  end
  report{ kib = (resident_kib() - before) / times }
  return kept
end

local CASES = {}

function CASES.call()
  local sqs = client("sqs")
  measure(function()
    assert(sqs:get_queue_url{ QueueName = "orders" }.QueueUrl)
  end)
end

function CASES.tls()
  local sqs = client("sqs", { verify = path })
  assert(sqs:get_queue_url{ QueueName = "orders" }.QueueUrl)
end

function CASES.describe_instances()
  local ec2 = client("ec2")
  measure(function()
    assert(#ec2:describe_instances{}.Reservations == 1000)
  end)
end

function CASES.list_objects()
  local s3 = client("s3", { config = { s3 = { addressing_style = "path" } } })
  measure(function()
    assert(#s3:list_objects_v2{ Bucket = "bench" }.Contents == 1000)
  end)
end

function CASES.query()
  local dynamodb = client("dynamodb")
  measure(function()
    local page = dynamodb:query{ TableName = "orders", KeyConditionExpression = "pk = :pk",
      ExpressionAttributeValues = { [":pk"] = { S = "customer#1" } } }
    assert(#page.Items == page.Count)
  end)
end

function CASES.concurrent()
  local sqs = client("sqs", { config = { max_pool_connections = 64 } })
  local numbers = {}
  for i = 1, 64 do
    numbers[i] = i
  end
  local function call()
    return assert(sqs:get_queue_url{ QueueName = "orders" }.QueueUrl)
  end
  aws.async.map(numbers, call, { concurrency = 64 })
  for i = 1, times do
    numbers[i] = i
  end
  times = 1
  local began, began_at = os.clock(), require("luaws.core").monotonic()
  local results = aws.async.map(numbers, call, { concurrency = 64 })
  report{ cpu_us = (os.clock() - began) * 1e6 / #results,
    wall_us = (require("luaws.core").monotonic() - began_at) * 1e6 / #results }
end

function CASES.get_object()
  local s3 = client("s3", { config = { s3 = { addressing_style = "path" } } })
  measure(function()
    local length = 0
    for chunk in s3:get_object{ Bucket = "bench", Key = "body" }.Body:chunks() do
      length = length + #chunk
    end
    assert(length == 32 << 20)
  end)
end

function CASES.client()
  local session = aws.session{ region_name = "eu-west-1" }
  measure(function()
    session:client("ec2")
  end)
end

function CASES.presign()
  local s3 = aws.client("s3")
  measure(function(i)
    s3:generate_presigned_url("get_object", { Params = { Bucket = "bench", Key = "reports/" .. i } })
  end)
end

function CASES.memory_client()
  measure_memory(function()
    return aws.session{ region_name = "eu-west-1" }:client("ec2")
  end)
end

function CASES.memory_presign()
  measure_memory(function()
    local s3 = aws.session{ region_name = "eu-west-1" }:client("s3")
    s3:generate_presigned_url("get_object", { Params = { Bucket = "bench", Key = "report" } })
    return s3
  end)
end

function CASES.json_alone()
  local cjson = require "cjson"
  local file <close> = assert(io.open(path))
  local text = file:read("a")
  measure(function()
    assert(cjson.decode(text))
  end)
end

CASES[case]()
