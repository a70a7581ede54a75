--- Copies from object to object: CopyObject below the threshold, from it on UploadPartCopy of ranges,
--- each on the condition that the source is still the same.
local async = require("luaws.async")
local config = require("luaws.transfer.config")
local core = require("luaws.core")
local errors = require("luaws.errors")
local meter = require("luaws.transfer.meter")
local multipart = require("luaws.transfer.multipart")

local copy = {}

-- Arguments of the copy → of HeadObject on its source.
local HEAD = {
  CopySourceIfMatch = "IfMatch",
  CopySourceIfModifiedSince = "IfModifiedSince",
  CopySourceIfNoneMatch = "IfNoneMatch",
  CopySourceIfUnmodifiedSince = "IfUnmodifiedSince",
  CopySourceSSECustomerKey = "SSECustomerKey",
  CopySourceSSECustomerAlgorithm = "SSECustomerAlgorithm",
  CopySourceSSECustomerKeyMD5 = "SSECustomerKeyMD5",
  RequestPayer = "RequestPayer",
  ExpectedBucketOwner = "ExpectedBucketOwner",
}
local SOURCE = {
  "CopySourceIfMatch", "CopySourceIfModifiedSince", "CopySourceIfNoneMatch", "CopySourceIfUnmodifiedSince",
  "CopySourceSSECustomerKey", "CopySourceSSECustomerAlgorithm", "CopySourceSSECustomerKeyMD5",
}
local CREATE_WITHOUT = { "MetadataDirective", "TaggingDirective", table.unpack(SOURCE) }
local PART = table.move(config.COMPLETE, 1, #config.COMPLETE, #SOURCE + 1, { table.unpack(SOURCE) })

local function head_source(job, client)
  local params = config.without(job.source, {})
  for name, value in pairs(job.args) do
    if HEAD[name] then
      params[HEAD[name]] = value
    end
  end
  return client:head_object(params)
end

local function copy_part(job, id, etag, number, first, length)
  local ok, answer = pcall(job.client.upload_part_copy, job.client, config.pick(job.args, PART, {
    Bucket = job.where.Bucket, Key = job.where.Key, UploadId = id, PartNumber = number,
    CopySource = job.source,
    CopySourceRange = ("bytes=%d-%d"):format(first, first + length - 1),
    CopySourceIfMatch = etag or job.args.CopySourceIfMatch,
  }))
  if not ok then
    if errors.is_error(answer) and answer.code == "PreconditionFailed" then
      errors.raise("S3CopyFailedError",
        "Contents of stored object \"%s\" in bucket \"%s\" did not match expected ETag.", job.source.Key,
        job.source.Bucket)
    end
    error(answer, 0)
  end
  job.meter:add(length)
  return multipart.part(number, answer.CopyPartResult, job.args.ChecksumAlgorithm)
end

local function copy_all(job, source_client)
  local head = head_source(job, source_client)
  local size = head.ContentLength or 0
  job.meter.total = size
  if size < job.config.multipart_threshold then
    job.client:copy_object(config.without(job.args, {}, {
      Bucket = job.where.Bucket, Key = job.where.Key, CopySource = job.source,
    }))
    return job.meter:add(size)
  end
  local part_size = config.part_size(job.config.multipart_chunksize, size)
  multipart.run(job.client, job.where, config.without(job.args, CREATE_WITHOUT),
    config.pick(job.args, config.COMPLETE), function(id)
      return multipart.send_each(size, part_size, job.config.concurrency, function(...)
        return copy_part(job, id, head.ETag, ...)
      end, function()
        return true
      end)
    end)
end

--- Copies an object.
---@param client userdata
---@param source table { Bucket, Key, VersionId }
---@param opts table { Bucket, Key, ExtraArgs, Callback, Config, SourceClient }
function copy.run(client, source, opts)
  local args = config.extra_args(opts.ExtraArgs, "copy")
  if type(source) ~= "table" then
    errors.raise("TypeError", "CopySource must be a table { Bucket = …, Key = … }, not %s (a %s)",
      tostring(source), type(source))
  end
  config.check_bucket(source.Bucket)
  if opts.SourceClient ~= nil and not pcall(core.client_class, opts.SourceClient) then
    errors.raise("TypeError", "SourceClient must be a client, not a %s", type(opts.SourceClient))
  end
  local job = {
    client = client, source = source, args = args, where = { Bucket = opts.Bucket, Key = opts.Key },
    config = config.resolve(opts.Config), meter = meter.new(opts.Callback),
  }
  async.run(function()
    copy_all(job, opts.SourceClient or client)
  end)
end

return copy
