--- Whether what a download got in ranges is the object. S3 tells no checksum of a range, but one of the
--- object: of all its bytes ("FULL_OBJECT"), or of the checksums of its parts ("COMPOSITE", with their count
--- behind it). The CRCs among them can be put together from those of ranges, which the core computes as the
--- bytes pass.
---
--- An object may have been uploaded in parts of any sizes, which S3 does not tell unless it is asked. What is
--- as it would be with parts like our ranges needs no question; what is not certain is no error.
local config = require("luaws.transfer.config")
local core = require("luaws.core")
local errors = require("luaws.errors")
local multipart = require("luaws.transfer.multipart")

local verify = {}

local CRCS = { "CRC64NVME", "CRC32C", "CRC32" }
local MADE <const> = "--ol-s3" -- ends the alias of an access point of S3 Object Lambda

--- The ChecksumMode to ask HeadObject with: as GetObject is asked, unless the caller says otherwise, or what
--- comes is made by S3 Object Lambda and not the object whose checksum is told.
---@param job table { client, args, where }
---@return string|nil
function verify.mode(job)
  local checks = job.client.meta.config.response_checksum_validation ~= "when_required"
    and job.where.Bucket:sub(-#MADE) ~= MADE
  return job.args.ChecksumMode or checks and "ENABLED" or nil
end

-- What HeadObject tells of a part; nil where it does not.
local function ask_for_part(job, number)
  local ok, head = pcall(job.client.head_object, job.client, config.without(job.args, {}, {
    Bucket = job.where.Bucket, Key = job.where.Key, IfMatch = job.etag, PartNumber = number,
    ChecksumMode = "ENABLED",
  }))
  if ok then
    return head
  elseif not errors.is_error(head) or errors.is_interruption(head) then
    error(head, 0)
  end
end

-- The size of so many parts of the same size, of which the last may be smaller; nil where it is not known.
local function part_size(job, count)
  local function fits(size)
    return size > 0 and (job.size + size - 1) // size == count
  end
  local range = job.config.multipart_chunksize
  if fits(range) then
    return range
  end
  local part = ask_for_part(job, 1)
  return part and part.ContentLength and fits(part.ContentLength) and part.ContentLength or nil
end

local Verifier = {}
local verifier_mt = { __name = "luaws.transfer.verifier", __index = Verifier }

--- What compares the ranges of an object with the checksum that HeadObject told; nil where it was not asked
--- for, is no CRC, or it is not known of what it is.
---@param job table { client, args, where, config, size, etag }
---@param head table
---@return table|nil
function verify.new(job, head)
  if verify.mode(job) ~= "ENABLED" or not job.etag then -- without an ETag ranges may be of different objects
    return nil
  end
  for _, algorithm in ipairs(CRCS) do
    local member = "Checksum" .. algorithm
    local value = head[member]
    local count = value and math.tointeger(tonumber(value:match("%-(%d+)$")))
    -- Some servers tell a composite without its count, but not that it is of all bytes.
    local is_whole = value and not count and head.ChecksumType == "FULL_OBJECT"
    local size = count and part_size(job, count)
    if is_whole or size then
      local self = { _job = job, _algorithm = algorithm, _member = member, _value = value, _count = count,
        _part_size = size, _early = {} }
      self._sum = core.range_sum(algorithm, 0, size)
      return setmetatable(self, verifier_mt)
    end
  end
end

--- What sums up a range from this offset on.
---@param first integer
---@return userdata
function Verifier:range_sum(first)
  return core.range_sum(self._algorithm, first, self._part_size)
end

--- Keeps it, when the range is whole.
---@param first integer
---@param sum userdata
function Verifier:keep(first, sum)
  local early = self._early
  early[first] = sum
  local at = self._sum:at()
  while early[at] do
    self._sum:join(early[at])
    early[at] = nil
    at = self._sum:at()
  end
end

-- Whether the parts have the sizes that they were taken to have, and the checksum of one of them is another,
-- or not told: then the bytes are others for certain.
function Verifier:_is_certain(crcs)
  local job, bytes = self._job, #crcs // self._count
  local as_thought, alike = true, 0
  multipart.each(job.size, self._part_size, job.config.concurrency, function(number, _, length)
    local part = as_thought and ask_for_part(job, number)
    as_thought = as_thought and part and part.ContentLength == length
    local crc = crcs:sub((number - 1) * bytes + 1, number * bytes)
    if part and part[self._member] == core.base64_encode(crc) then
      alike = alike + 1
    end
  end)
  return as_thought and alike < self._count
end

--- Raises when what came is something else, once all ranges are kept.
function Verifier:check()
  local crcs = self._sum:crcs()
  local value = self._count and ("%s-%d"):format(core.checksum(self._algorithm, crcs), self._count)
    or core.base64_encode(crcs)
  if value ~= self._value and (not self._count or self:_is_certain(crcs)) then
    errors.raise("FlexibleChecksumError", "Expected checksum %s did not match calculated checksum: %s",
      self._value, value)
  end
end

return verify
