--- What a transfer is told by its caller: which arguments are allowed, and TransferConfig's settings.
local errors = require("luaws.errors")
local nearest = require("luaws.nearest")
local words = require("luaws.words")

local config = {}

local MiB = 1024 * 1024

local DEFAULTS = {
  multipart_threshold = 8 * MiB,
  multipart_chunksize = 8 * MiB,
  max_request_concurrency = 10,
  max_submission_concurrency = 5,
  max_request_queue_size = 1000,
  max_submission_queue_size = 1000,
  max_io_queue_size = 100,
  io_chunksize = 256 * 1024,
  num_download_attempts = 5,
  max_in_memory_upload_chunks = 10,
  max_in_memory_download_chunks = 10,
  max_bandwidth = false, -- none
  use_threads = true,
  preferred_transfer_client = "auto",
}
local ALIASES = { max_concurrency = "max_request_concurrency", max_io_queue = "max_io_queue_size" }
local CLIENTS = { auto = true, classic = true, crt = true }

local function names_of(...)
  local names = {}
  for _, list in ipairs{ ... } do
    for name in pairs(list) do
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

--- The keys of Config, sorted.
function config.names()
  return names_of(DEFAULTS, ALIASES)
end

local function check(name, value)
  local default = DEFAULTS[ALIASES[name] or name]
  if type(default) == "boolean" and name == "use_threads" then
    return value and true or false
  elseif type(default) == "string" then
    local wanted = type(value) == "string" and value:lower()
    if not CLIENTS[wanted] then
      errors.raise("ValueError", "%s must be auto, classic or crt, not %s", name, tostring(value))
    end
    return wanted
  end
  local whole = math.tointeger(value)
  if type(value) ~= "number" then
    errors.raise("TypeError", "%s must be a whole number, not a %s", name, type(value))
  elseif value <= 0 then
    errors.raise("ValueError", "Provided parameter %s of value %s must be greater than 0.", name,
      tostring(value))
  elseif not whole then
    errors.raise("TypeError", "%s must be a whole number, not %s", name, tostring(value))
  end
  return whole
end

-- Transfers with one of these share its bandwidth.
local Limiter = {}
local limiter_mt = { __name = "luaws.transfer.limiter", __index = Limiter }

--- Waits until so many bytes more may go.
function Limiter:consume(bytes)
  local now = require("luaws.core").monotonic()
  local turn = math.max(self._free, now)
  self._free = turn + bytes / self._rate
  if self._free - now > self._slack then
    require("luaws.async").sleep(self._free - now)
  end
end

local resolved_mt = { __name = "luaws.transfer.config" }

--- All settings, with what the caller did not say filled in. What was resolved once stays as it is.
---@param given table|nil keys of boto3's TransferConfig
---@return table
function config.resolve(given)
  if getmetatable(given) == resolved_mt then
    return given
  elseif given ~= nil and type(given) ~= "table" then
    errors.raise("TypeError", "Config must be a table, not a %s", type(given))
  end
  local all = setmetatable({}, resolved_mt)
  for name, value in pairs(DEFAULTS) do
    all[name] = value
  end
  for name, value in pairs(given or {}) do
    if DEFAULTS[name] == nil and not ALIASES[name] then
      errors.raise("TypeError", "Config has %s", nearest.message(tostring(name), config.names()))
    end
    all[ALIASES[name] or name] = check(name, value)
  end
  for alias, name in pairs(ALIASES) do -- where both are given, boto3's own name counts
    all[name] = given and given[alias] and check(alias, given[alias]) or all[name]
    all[alias] = all[name]
  end
  all.concurrency = all.use_threads and all.max_concurrency or 1
  if all.max_bandwidth then
    all.limiter = setmetatable({ _rate = all.max_bandwidth, _free = 0, _slack = 0.005 }, limiter_mt)
  end
  return all
end

local FULL_S = 0.5

--- How many of these are sent at once. Each has its share of the bandwidth until all are through, so that
--- the share of one that ends early is lost: with a limit there are no more than it takes half a second to
--- send.
---@param resolved table
---@param most integer
---@param bytes number of one of them
---@return integer
function config.at_once(resolved, most, bytes)
  if not resolved.max_bandwidth or bytes <= 0 then
    return most
  end
  return math.max(1, math.min(most, math.ceil(resolved.max_bandwidth * FULL_S / bytes)))
end

--- The same settings for one of so many transfers at once: of the bandwidth it has its share.
---@param resolved table
---@param count integer
function config.share(resolved, count)
  if not resolved.max_bandwidth or count <= 1 then
    return resolved
  end
  local one = setmetatable({}, resolved_mt)
  for name, value in pairs(resolved) do
    one[name] = value
  end
  one.max_bandwidth = math.max(1, resolved.max_bandwidth // count)
  return one
end

-- ---- ExtraArgs ----

local function joined(...)
  local all = {}
  for _, list in ipairs{ ... } do
    table.move(list, 1, #list, #all + 1, all)
  end
  return all
end

local SHARED = words[[
  ACL CacheControl ChecksumAlgorithm ContentDisposition ContentEncoding ContentLanguage ContentType
  ExpectedBucketOwner Expires GrantFullControl GrantRead GrantReadACP GrantWriteACP Metadata
  ObjectLockLegalHoldStatus ObjectLockMode ObjectLockRetainUntilDate RequestPayer ServerSideEncryption
  StorageClass SSECustomerAlgorithm SSECustomerKey SSECustomerKeyMD5 SSEKMSKeyId SSEKMSEncryptionContext
  Tagging WebsiteRedirectLocation
]]

--- Checksums of a whole object that a caller may know beforehand.
config.FULL_OBJECT_CHECKSUMS = words[[
  ChecksumCRC32 ChecksumCRC32C ChecksumCRC64NVME ChecksumMD5 ChecksumSHA1 ChecksumSHA256 ChecksumSHA512
  ChecksumXXHASH3 ChecksumXXHASH64 ChecksumXXHASH128
]]

--- What ExtraArgs may hold, by kind of transfer.
config.ALLOWED = {
  download = words[[
    ChecksumMode VersionId SSECustomerAlgorithm SSECustomerKey SSECustomerKeyMD5 RequestPayer
    ExpectedBucketOwner
  ]],
  upload = joined(SHARED, { "ChecksumType", "MpuObjectSize" }, config.FULL_OBJECT_CHECKSUMS),
  copy = joined(SHARED, words[[
    CopySourceIfMatch CopySourceIfModifiedSince CopySourceIfNoneMatch CopySourceIfUnmodifiedSince
    CopySourceSSECustomerAlgorithm CopySourceSSECustomerKey CopySourceSSECustomerKeyMD5 MetadataDirective
    TaggingDirective
  ]]),
}

--- Which of them each part of a multipart transfer gets, and its completion.
config.PART = words[[
  ChecksumAlgorithm SSECustomerKey SSECustomerAlgorithm SSECustomerKeyMD5 RequestPayer ExpectedBucketOwner
]]
config.COMPLETE = words[[
  SSECustomerKey SSECustomerAlgorithm SSECustomerKeyMD5 RequestPayer ExpectedBucketOwner
]]

--- A copy of ExtraArgs, every name of which is allowed in this kind of transfer.
---@param given table|nil
---@param kind string "upload", "download" or "copy"
---@return table
function config.extra_args(given, kind)
  if given ~= nil and type(given) ~= "table" then
    errors.raise("TypeError", "ExtraArgs must be a table, not a %s", type(given))
  end
  local known, copy = {}, {}
  for _, name in ipairs(config.ALLOWED[kind]) do
    known[name] = true
  end
  for name, value in pairs(given or {}) do
    if not known[name] then
      local near = nearest.find(tostring(name), config.ALLOWED[kind])
      local hint = near[1] and (". Did you mean '%s'?"):format(near[1]) or ""
      errors.raise("ValueError", "Invalid extra_args key '%s', must be one of: %s%s", tostring(name),
        table.concat(config.ALLOWED[kind], ", "), hint)
    end
    copy[name] = value
  end
  return copy
end

--- Those of args that are named, and what else is to be in the same call.
---@param args table
---@param names table a sequence
---@param more table|nil
---@return table
function config.pick(args, names, more)
  local picked = {}
  for _, name in ipairs(names) do
    picked[name] = args[name]
  end
  for name, value in pairs(more or {}) do
    picked[name] = value
  end
  return picked
end

--- All of args but those that are named, and what else is to be in the same call.
function config.without(args, names, more)
  local left = {}
  for name, value in pairs(args) do
    left[name] = value
  end
  for _, name in ipairs(names) do
    left[name] = nil
  end
  for name, value in pairs(more or {}) do
    left[name] = value
  end
  return left
end

local OBJECT_LAMBDA = "^arn:aws.*:s3%-object%-lambda:[a-z0-9-]+:" .. ("%d"):rep(12) .. ":accesspoint[/:][%w-]"

--- Transfers do not work through S3 Object Lambda, which rewrites what goes by.
function config.check_bucket(bucket)
  if type(bucket) == "string" and bucket:find(OBJECT_LAMBDA) then
    errors.raise("ValueError",
      "Transfers do not support S3 Object Lambda resources. Call the operations instead.")
  end
end

-- ---- sizes ----

local MAX_PARTS, MIN_PART, MAX_PART = 10000, 5 * MiB, 5 * 1024 * MiB

--- A size of parts that S3 takes: doubled until there are no more than 10,000 of them, and within its
--- limits.
---@param size integer|nil of the whole, where it is known
function config.part_size(chunk, size)
  while size and (size + chunk - 1) // chunk > MAX_PARTS do
    chunk = chunk * 2
  end
  return math.min(math.max(chunk, MIN_PART), MAX_PART)
end

return config
