--- Uploads: one PutObject below the threshold, from it on a multipart upload whose parts are sent at
--- once. A file goes from the disk to the socket in the core; what can only be read in order is kept in
--- memory part by part.
local async = require("luaws.async")
local config = require("luaws.transfer.config")
local meter = require("luaws.transfer.meter")
local multipart = require("luaws.transfer.multipart")

local upload = {}

local MAX_HELD_BYTES = 1024 * 1024 * 1024

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
  job.meter:watch(params.Body)
  local answer = job.client[method](job.client, params)
  job.meter:sent(params.Body, length)
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

-- What each of so many parts at once may have of the bandwidth.
local function share(job, at_once)
  local speed = job.config.max_bandwidth
  return speed and math.max(1, speed // at_once) or nil
end

local function of_file(job)
  local source, size = job.source, job.source.size
  if size < job.config.multipart_threshold then
    return put(job, source:range(0, size, job.config.max_bandwidth or nil), size)
  end
  local part_size = config.part_size(job.config.multipart_chunksize, size)
  local most = math.min(job.config.concurrency, (size + part_size - 1) // part_size)
  local at_once = config.at_once(job.config, most, part_size)
  local speed = share(job, at_once)
  local waiting = {} -- number → whether all of that part is sent
  in_parts(job, function(id)
    return multipart.send_each(size, part_size, at_once, function(number, first, length)
      local body = source:range(first, length, speed)
      waiting[number] = function()
        return body:sent() >= length
      end
      local part = send_part(job, id, number, body, length)
      waiting[number] = nil
      return part
    end, function(number)
      return waiting[number] ~= nil and waiting[number]()
    end)
  end)
end

-- Reads part after part, and holds as many as are on their way: what does not go into memory into
-- temporary files, which are not to fill a disk either.
local function send_stream(job, id, part_size)
  local limit = math.min(job.config.concurrency, job.config.max_in_memory_upload_chunks,
    math.max(2, MAX_HELD_BYTES // part_size))
  local at_once = config.at_once(job.config, limit, part_size)
  local parts, running, waiting, number = {}, {}, {}, 0
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
    waiting[done] = nil
    local ok, part = pcall(done.await, done)
    if not ok then
      multipart.give_up(waiting)
      error(part, 0)
    end
    parts[part.PartNumber] = part
  end
  while true do
    local body = job.source:take(part_size, share(job, at_once))
    if #body == 0 then
      body:close()
      break
    end
    if #running >= at_once then -- this one was read meanwhile
      local ok, err = pcall(finish_one)
      if not ok then
        body:close()
        error(err, 0)
      end
    end
    number = number + 1
    local length = #body
    local task = async.spawn(function(part_number)
      local _ <close> = body
      return send_part(job, id, part_number, body, length)
    end, number)
    running[#running + 1] = task
    waiting[task] = function()
      return body:sent() >= length
    end
    if #running >= limit then
      finish_one()
    end
  end
  while #running > 0 do
    finish_one()
  end
  return parts
end

local function of_stream(job)
  local threshold = job.config.multipart_threshold
  local start = job.source:take(threshold, job.config.max_bandwidth or nil)
  if #start < threshold then
    local _ <close> = start
    job.meter.total = #start
    return put(job, start, #start)
  end
  job.source:give_back(start)
  in_parts(job, function(id)
    return send_stream(job, id, config.part_size(job.config.multipart_chunksize))
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
