--- Uploads: one PutObject below the threshold, from it on a multipart upload whose parts are sent at
--- once. A file goes from the disk to the socket in the core; what can only be read in order is kept in
--- memory part by part.
local async = require("luaws.async")
local config = require("luaws.transfer.config")
local meter = require("luaws.transfer.meter")
local multipart = require("luaws.transfer.multipart")

local upload = {}

local PUT_WITHOUT = { "ChecksumType", "MpuObjectSize" }
local CREATE_WITHOUT = { "MpuObjectSize", table.unpack(config.FULL_OBJECT_CHECKSUMS) }
local COMPLETE = { "ChecksumType", "MpuObjectSize", table.unpack(config.COMPLETE) }
table.move(config.FULL_OBJECT_CHECKSUMS, 1, #config.FULL_OBJECT_CHECKSUMS, #COMPLETE + 1, COMPLETE)

local function given_checksum(args)
  for _, name in ipairs(config.FULL_OBJECT_CHECKSUMS) do
    if args[name] then
      return name:gsub("^Checksum", "")
    end
  end
end

-- Sends one body, as an object or as a part of one.
local function send(job, method, params, length)
  local limiter, file = job.config.limiter, type(params.Body) == "userdata" and params.Body
  if file then
    job.meter:watch(file) -- the core keeps to its speed
  elseif limiter then
    limiter:consume(length)
  end
  local answer = job.client[method](job.client, params)
  job.meter:sent(file or params.Body, length)
  return answer
end

local function put(job, body, length)
  send(job, "put_object", config.without(job.args, PUT_WITHOUT, {
    Bucket = job.where.Bucket, Key = job.where.Key, Body = body,
  }), length)
end

local function send_part(job, id, number, body, length)
  local answer = send(job, "upload_part", config.pick(job.args, config.PART, {
    Bucket = job.where.Bucket, Key = job.where.Key, UploadId = id, PartNumber = number, Body = body,
  }), length)
  return multipart.part(number, answer, job.args.ChecksumAlgorithm)
end

local function in_parts(job, send_all)
  local algorithm = given_checksum(job.args)
  if algorithm then
    job.args.ChecksumType, job.args.ChecksumAlgorithm = "FULL_OBJECT", algorithm
  end
  multipart.run(job.client, job.where, config.without(job.args, CREATE_WITHOUT),
    config.pick(job.args, COMPLETE), send_all)
end

local function of_file(job)
  local source, size = job.source, job.source.size
  if size < job.config.multipart_threshold then
    return put(job, source:range(0, size, job.config.max_bandwidth or nil), size)
  end
  local part_size = config.part_size(job.config.multipart_chunksize, size)
  local at_once = math.min(job.config.concurrency, (size + part_size - 1) // part_size)
  local speed = job.config.max_bandwidth and math.max(1, job.config.max_bandwidth // at_once) or nil
  in_parts(job, function(id)
    return multipart.each(size, part_size, job.config.concurrency, function(number, first, length)
      return send_part(job, id, number, source:range(first, length, speed), length)
    end)
  end)
end

-- Reads part after part; as many are on their way as may be in memory.
local function send_stream(job, id, first_part, part_size)
  local limit = math.min(job.config.concurrency, job.config.max_in_memory_upload_chunks)
  local parts, running = {}, {}
  local _ <close> = setmetatable({}, { __close = function()
    for _, task in ipairs(running) do
      task:cancel()
    end
  end })
  local function finish_one()
    local done = async.first(running)
    for i, task in ipairs(running) do
      if task == done then
        table.remove(running, i)
        break
      end
    end
    local part = done:await()
    parts[part.PartNumber] = part
  end
  local number, body = 1, first_part
  while #body > 0 do
    running[#running + 1] = async.spawn(send_part, job, id, number, body, #body)
    if #running >= limit then
      finish_one()
    end
    number = number + 1
    body = job.source:take(part_size)
  end
  while #running > 0 do
    finish_one()
  end
  return parts
end

local function of_stream(job)
  local threshold = job.config.multipart_threshold
  local part_size = config.part_size(job.config.multipart_chunksize)
  local start = job.source:take(threshold)
  if #start < threshold then
    job.meter.total = #start
    return put(job, start, #start)
  end
  job.source:give_back(start)
  start = nil -- luacheck: ignore 311 (it may be large)
  in_parts(job, function(id)
    return send_stream(job, id, job.source:take(part_size), part_size)
  end)
end

--- Uploads what a source gives.
---@param client userdata
---@param source table of luaws.transfer.source
---@param opts table { Bucket, Key, ExtraArgs, Callback, Config }
function upload.run(client, source, opts)
  local job = {
    client = client, source = source, args = config.extra_args(opts.ExtraArgs, "upload"),
    where = { Bucket = opts.Bucket, Key = opts.Key }, config = config.resolve(opts.Config),
    meter = meter.new(opts.Callback, source.size),
  }
  if client.meta.config.request_checksum_calculation == "when_supported" and not given_checksum(job.args) then
    job.args.ChecksumAlgorithm = job.args.ChecksumAlgorithm or "CRC32"
  end
  local work = source.size and of_file or of_stream
  async.run(function()
    local _ <close> = source.close and setmetatable({}, { __close = source.close })
    job.meter:during(function()
      work(job)
    end)
  end)
end

return upload
