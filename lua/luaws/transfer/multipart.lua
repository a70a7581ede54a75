--- An upload in parts, that is completed or leaves nothing behind.
local async = require("luaws.async")

local multipart = {}

local LAST_ANSWERS_S = 5

--- Opens an upload, lets `send` send its parts and completes it. Whatever ends it earlier, an error,
--- Ctrl-C or a cancelled task, the upload is aborted.
---@param client userdata
---@param where table { Bucket, Key }
---@param create table parameters of CreateMultipartUpload beside those
---@param complete table and of CompleteMultipartUpload
---@param send function takes the upload id, returns the list of parts
---@return table response of CompleteMultipartUpload
function multipart.run(client, where, create, complete, send)
  local function params(more)
    more.Bucket, more.Key = where.Bucket, where.Key
    return more
  end
  local id
  local undo <close> = async.undo()
  async.shield(function() -- a request that is dropped may open an upload all the same
    id = client:create_multipart_upload(params(create)).UploadId
    undo:arm(function()
      client:abort_multipart_upload(params{ UploadId = id })
    end)
  end)
  local ok, result = pcall(function()
    complete.UploadId, complete.MultipartUpload = id, { Parts = send(id) }
    return client:complete_multipart_upload(params(complete))
  end)
  if not ok then
    undo:run() -- here and not when leaving: other tasks can go on meanwhile
    error(result, 0)
  end
  undo:drop()
  return result
end

--- Ends the tasks that send parts, before the upload is aborted: those whose answer is all that is missing
--- get a moment, since a part that the service finishes after that may stay behind.
---@param tasks table task → function that says whether that is so
function multipart.give_up(tasks)
  local left = {}
  for task, awaits_answer in pairs(tasks) do
    if awaits_answer() then
      left[#left + 1] = task
    else
      task:cancel()
    end
  end
  pcall(async.timeout, LAST_ANSWERS_S, function()
    for _, task in ipairs(left) do
      pcall(task.await, task)
    end
  end)
  for _, task in ipairs(left) do
    task:cancel()
  end
end

--- Calls fn(number, first byte, length) for every part of so many bytes, several at once.
---@return table what it returned, in order
function multipart.each(size, part_size, concurrency, fn)
  local numbers = {}
  for i = 1, math.max(1, (size + part_size - 1) // part_size) do
    numbers[i] = i
  end
  return async.map(numbers, function(number)
    local first = (number - 1) * part_size
    return fn(number, first, math.min(part_size, size - first))
  end, { concurrency = concurrency })
end

--- The same for parts that the service gets: where one of them fails, the others are given up as above.
---@param awaits_answer function takes a part's number: whether the service has all of it
function multipart.send_each(size, part_size, concurrency, fn, awaits_answer)
  local running, over = {}, false
  return multipart.each(size, part_size, concurrency, function(number, ...)
    if over then
      return nil
    end
    local task = async.spawn(fn, number, ...)
    local _ <close> = setmetatable({}, { __close = function()
      task:cancel()
    end })
    running[task] = function()
      return awaits_answer(number)
    end
    local ok, part = pcall(task.await, task)
    running[task] = nil
    if ok then
      return part
    elseif not over then
      over = true
      multipart.give_up(running)
      error(part, 0)
    end
  end)
end

--- What completing needs to know of a part.
---@param number integer
---@param answer table response of UploadPart, or CopyPartResult
---@param algorithm string|nil
function multipart.part(number, answer, algorithm)
  local part = { ETag = answer.ETag, PartNumber = number }
  if algorithm then
    local member = "Checksum" .. algorithm:upper()
    part[member] = answer[member]
  end
  return part
end

return multipart
