--- Downloads: HeadObject tells size and ETag, or a listing that the object is a small one; below the
--- threshold one GetObject, from it on ranges of the object, several at once, each on the condition that it
--- is still the same object. A range whose connection breaks goes on where it broke off. What came is
--- compared with the checksum that S3 tells: that of one answer by the client, that of ranges in the end.
local async = require("luaws.async")
local config = require("luaws.transfer.config")
local errors = require("luaws.errors")
local meter = require("luaws.transfer.meter")
local multipart = require("luaws.transfer.multipart")
local verify = require("luaws.transfer.verify")

local download = {}

-- What may be told of a body that broke off and is not the network's: another attempt would not help.
local FINAL = { IOError = true, FlexibleChecksumError = true, ValueError = true, KeyboardInterrupt = true,
  CancelledError = true }

local function may_retry(err)
  return errors.is_error(err) and not FINAL[err.kind]
end

local function range_text(first, last)
  return ("bytes=%d-%s"):format(first, last and ("%d"):format(last) or "")
end

-- The answer must be the range that was asked for.
local function check_range(job, answer, first, last)
  local asked = ("%d-%d"):format(first, last or job.size - 1)
  local got = answer.ContentRange and answer.ContentRange:match("^bytes%s+(%d+%-%d+)/") or answer.ContentRange
  if not got and answer.ContentLength then
    got = answer.ResponseMetadata.HTTPStatusCode == 206 and asked or ("0-%d"):format(answer.ContentLength - 1)
  end
  if got and got ~= asked then
    errors.raise("S3ValidationError", "Requested range: `%s` does not match content range in response: `%s`",
      asked, got)
  end
end

local function has_checksum(answer)
  for _, name in ipairs(config.FULL_OBJECT_CHECKSUMS) do
    if answer[name] and not answer[name]:find("-", 1, true) then
      return true
    end
  end
  return false
end

-- Asks for the bytes from `first` on. Returns the answer, or nil and an error after which it may be asked
-- again.
local function open(job, first, last, etag)
  local params = config.without(job.args, {}, job.where)
  local ranged = first > 0 or job.ranged
  if ranged then
    params.Range, params.IfMatch = range_text(first, last), etag
  end
  local ok, answer = pcall(job.client.get_object, job.client, params)
  if ok then
    if ranged then
      check_range(job, answer, first, last)
    end
    return answer
  elseif errors.is_error(answer) and answer.code == "PreconditionFailed" then
    errors.raise("S3DownloadFailedError",
      "Contents of stored object \"%s\" in bucket \"%s\" did not match expected ETag.", job.where.Key,
      job.where.Bucket)
  elseif errors.is_error(answer) and answer.kind == "ReadTimeoutError" then
    return nil, answer
  end
  error(answer, 0)
end

-- Saves the body from offset `at` to `stop` (nil: to its end), and adds it to the sum. Returns how far it
-- came, and why not further.
local function drain(job, body, at, stop, sum)
  local chunk, limiter = job.config.io_chunksize, job.config.limiter
  while not stop or at < stop do
    local n, err = job.sink:save(body, at, stop and math.min(chunk, stop - at) or chunk, sum)
    at = at + n
    if n > 0 then
      job.meter:add(n)
      if limiter then
        limiter:consume(n)
      end
    end
    if err then
      return at, err
    elseif n == 0 then
      return at, stop and errors.new("IncompleteReadError", ("%d bytes are missing"):format(stop - at)) or nil
    end
  end
  local ok, more = pcall(body.read, body, 1) -- its end, where checksums are compared
  if not ok then
    return at, more
  elseif more then
    errors.raise("S3ValidationError", "the answer is longer than it said")
  end
  return at
end

-- Gets the bytes from `first` to `last` (nil: all). `answer`, when given, is the first attempt's.
local function receive(job, first, last, answer)
  local at, etag, failure = first, job.ranged and job.etag or nil, nil
  local sum = job.verifier and job.verifier:range_sum(first)
  for _ = 1, job.config.num_download_attempts do
    if not answer then
      answer, failure = open(job, at, last, etag)
    end
    if answer then
      local body <close> = answer.Body
      local length = answer.ContentLength
      if not job.ranged and at == 0 then
        job.size = length or job.size -- of another object, when it was replaced meanwhile
      end
      at, failure = drain(job, body, at, last and last + 1 or length and at + length, sum)
      if not failure then
        if sum then
          job.verifier:keep(first, sum)
        end
        return at
      elseif not may_retry(failure) then
        error(failure, 0)
      end
      etag = etag or answer.ETag
      if not job.sink.in_order and (not etag or has_checksum(answer)) then
        job.meter:add(first - at) -- what is compared with a checksum, or may have changed, comes whole
        at, sum = first, sum and job.verifier:range_sum(first)
      end
    end
    answer = nil
  end
  error(errors.new("RetriesExceededError", "Max Retries Exceeded", { last_exception = failure }), 0)
end

local function last_of(first, length)
  return first + length - 1
end

-- Asks for some parts ahead; their bodies wait at the connection until it is their turn.
local function receive_in_order(job, part_size)
  local count = (job.size + part_size - 1) // part_size
  local ahead = math.min(job.config.concurrency, job.config.max_in_memory_download_chunks)
  local tasks = {}
  local _ <close> = setmetatable({}, { __close = function()
    for _, task in pairs(tasks) do
      if task:done() then
        local ok, answer = pcall(task.await, task)
        if ok and answer then
          answer.Body:close()
        end
      else
        task:cancel()
      end
    end
  end })
  local asked = 0
  for number = 1, count do
    while asked < math.min(count, number + ahead - 1) do
      asked = asked + 1
      local first = (asked - 1) * part_size
      local last = asked < count and last_of(first, part_size) or nil
      tasks[asked] = async.spawn(open, job, first, last, job.etag)
    end
    local first = (number - 1) * part_size
    local answer = tasks[number]:await()
    tasks[number] = nil
    receive(job, first, number < count and last_of(first, part_size) or nil, answer)
  end
end

local function receive_all(job)
  if job.size < job.config.multipart_threshold then
    return receive(job, 0)
  end
  job.ranged = true
  local part_size = job.config.multipart_chunksize
  if job.sink.in_order then
    receive_in_order(job, part_size)
  else
    multipart.each(job.size, part_size, job.config.concurrency, function(_, first, length)
      receive(job, first, first + length < job.size and last_of(first, length) or nil)
    end)
  end
  if job.verifier then
    job.verifier:check()
  end
  return job.size
end

-- What an object is. A large one is asked for: its listing may be of long ago, or of another version, and not
-- every service writes ETags in both places the same way.
local function learn(job, listed)
  if listed and listed.size < job.config.multipart_threshold then
    job.size, job.meter.total = listed.size, listed.size
  else
    local head = job.client:head_object(config.without(job.args, {}, {
      Bucket = job.where.Bucket, Key = job.where.Key, ChecksumMode = verify.mode(job),
    }))
    job.size, job.etag, job.meter.total = head.ContentLength or 0, head.ETag, head.ContentLength
    if job.size >= job.config.multipart_threshold then
      job.verifier = verify.new(job, head)
    end
  end
end

--- Downloads an object.
---@param client userdata
---@param open_sink function makes the sink, once it is known that there is something to get
---@param opts table { Bucket, Key, ExtraArgs, Callback, Config, Listed }; Listed = { size }, of a listing
function download.run(client, open_sink, opts)
  local job = {
    client = client, args = config.extra_args(opts.ExtraArgs, "download"),
    where = { Bucket = opts.Bucket, Key = opts.Key }, config = config.resolve(opts.Config),
    meter = meter.new(opts.Callback),
  }
  async.run(function()
    learn(job, opts.Listed)
    job.sink = open_sink()
    local _ <close> = setmetatable({}, { __close = function()
      job.sink:close()
    end })
    local size = job.meter:during(function()
      return receive_all(job)
    end)
    job.sink:finish(size)
  end)
end

return download
