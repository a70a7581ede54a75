--- What S3's model does not say: names of buckets, parameters that are written in another form than they
--- are sent in, errors inside good answers, and buckets in other regions.
---
--- Most calls meet none of this: each handler says when it is to be asked (events.when).
local core = require("luaws.core")
local errors = require("luaws.errors")
local events = require("luaws.events")

local s3 = { methods = {} }

-- ---- names of buckets ----

local BUCKET_RULE = "^[a-zA-Z0-9.\\-_]{1,255}$"
local ARN_RULE = "^arn:(aws).*:(s3|s3-object-lambda):[a-z\\-0-9]*:[0-9]{12}:accesspoint[/:]"
  .. "[a-zA-Z0-9\\-.]{1,63}$|^arn:(aws).*:s3-outposts:[a-z\\-0-9]+:[0-9]{12}:outpost[/:]"
  .. "[a-zA-Z0-9\\-]{1,63}[/:]accesspoint[/:][a-zA-Z0-9\\-]{1,63}$"

local function is_access_point(name)
  local service, account, point =
    name:match("^arn:aws.*:(s3[%a-]*):[a-z0-9-]*:(%d+):accesspoint[/:]([%w.-]+)$")
  if service then
    return (service == "s3" or service == "s3-object-lambda") and #account == 12 and #point <= 63
  end
  local outpost
  account, outpost, point =
    name:match("^arn:aws.*:s3%-outposts:[a-z0-9-]+:(%d+):outpost[/:]([%w-]+)[/:]accesspoint[/:]([%w-]+)$")
  return account ~= nil and #account == 12 and #outpost <= 63 and #point <= 63
end

local function is_arn(name)
  return name:find("^arn:[^:]*:[^:]*:[^:]*:[^:]*:.") ~= nil
end

local function check_bucket(name)
  if #name <= 255 and name:find("^[%w._-]+$") or is_access_point(name) then
    return
  end
  errors.raise("ParamValidationError", "%s", ("Parameter validation failed:\n"
    .. "Invalid bucket name \"%s\": Bucket name must match the regex \"%s\" or be an ARN matching the regex "
    .. "\"%s\""):format(name, BUCKET_RULE, ARN_RULE))
end

-- client → { bucket = region }: what answers from the wrong region have told.
local regions = setmetatable({}, { __mode = "k" })

local function bucket_param(event)
  local bucket = event.params.Bucket
  if type(bucket) ~= "string" then
    return
  end
  check_bucket(bucket)
  local builtins = event.context.endpoint_builtins
  if not builtins and is_arn(bucket) then
    builtins = { ["AWS::S3::ForcePathStyle"] = false }
  end
  local known = regions[event.client]
  if known and known[bucket] then
    builtins = builtins or {}
    builtins["AWS::Region"] = known[bucket]
  end
  event.context.endpoint_builtins = builtins
end

--- Answered from anywhere, but only under a name that does not take the request to another region.
local function location_param(event)
  event.context.endpoint_builtins = { ["AWS::S3::ForcePathStyle"] = true }
end

-- ---- buckets in other regions ----

local REDIRECTS = { [301] = true, [302] = true, [307] = true }

local function is_wrong_region(event, status, code, body)
  local operation = event.operation_name
  if REDIRECTS[status] or code == "PermanentRedirect" then
    return true
  elseif operation == "HeadObject" or operation == "HeadBucket" then
    return status == 400
      and (operation == "HeadObject" or event.response.headers["x-amz-bucket-region"] ~= nil)
  end
  return code == "AuthorizationHeaderMalformed" and body:find("<Region>", 1, true) ~= nil
    or code == "IllegalLocationConstraintException" and operation ~= "CreateBucket"
end

local function region_of(event, bucket, body)
  local region = event.response.headers["x-amz-bucket-region"] or body:match("<Region>([^<]*)</Region>")
  if not region and event.operation_name ~= "HeadBucket" then -- which would say no more if asked again
    local head, err = event.client.try:head_bucket{ Bucket = bucket }
    head = head or err.response
    if not head then
      error(err, 0)
    end
    region = head.ResponseMetadata.HTTPHeaders["x-amz-bucket-region"]
  end
  if region and not (region:find("^[%w-]+$") and #region <= 63) then
    errors.raise("InvalidRegionError", "Provided region_name '%s' doesn't match a supported format.", region)
  end
  return region
end

--- Sends the call once more, to the region that the bucket is in.
local function redirect(event)
  local status = event.call:status()
  if not status or status < 300 then
    return
  end
  local bucket, context = event.params.Bucket, event.context
  if type(bucket) ~= "string" or is_arn(bucket) or context.redirected then
    return
  end
  local body = event.call:response_body(4096) or ""
  if not is_wrong_region(event, status, body:match("<Code>([^<]*)</Code>"), body) then
    return
  end
  local region = region_of(event, bucket, body)
  if not region then
    return
  end
  local known = regions[event.client] or {}
  known[bucket] = region
  core.client_unguard(event.client)
  regions[event.client] = known
  context.redirected = true
  context.endpoint_builtins = context.endpoint_builtins or {}
  context.endpoint_builtins["AWS::Region"] = region
  event.call:move()
  return 0
end

-- ---- errors in answers with status 200 ----

local function answers_xml(model)
  return model.output ~= nil and not model.streams and model.name ~= "GetBucketPolicy"
end

--- A copy may fail after the answer has begun: that is an error of the server, to be tried again.
local function embedded_error(event)
  if answers_xml(event.model) and event.call:is_error_document() then
    event.response_dict.status_code = 500
  end
end

-- ---- parameters in another form ----

local function copy_source(event)
  local source = event.params.CopySource
  if type(source) == "table" then
    for _, name in ipairs{ "Bucket", "Key" } do
      if source[name] == nil then
        errors.raise("ParamValidationError", "Parameter validation failed:\nMissing required parameter: '%s'",
          name)
      end
    end
    local middle = is_access_point(source.Bucket) and "/object/" or "/"
    local quoted = core.percent_encode(source.Bucket .. middle .. source.Key, "/")
    event.params.CopySource = source.VersionId and quoted .. "?versionId=" .. source.VersionId or quoted
  elseif type(source) == "string" then
    local name, version = source:match("^(.-)(%?versionId=%S+)$")
    event.params.CopySource = core.percent_encode(name or source, "/") .. (version or "")
  end
end

local function ascii_metadata(event)
  local metadata = event.params.Metadata
  if type(metadata) ~= "table" then
    return
  end
  for key, value in pairs(metadata) do
    if type(key) == "string" and type(value) == "string" and (key .. value):find("[\x80-\xFF]") then
      errors.raise("ParamValidationError", "%s", ("Parameter validation failed:\n"
        .. "Non ascii characters found in S3 metadata for key \"%s\", value: \"%s\".  \n"
        .. "S3 metadata can only contain ASCII characters. "):format(key, value))
    end
  end
end

local function customer_key(prefix)
  local key_name, md5_name = prefix .. "Key", prefix .. "KeyMD5"
  return function(event)
    local params = event.params
    local key = params[key_name]
    if type(key) == "string" and params[md5_name] == nil then
      params[key_name] = core.base64_encode(key)
      params[md5_name] = core.base64_encode(core.md5(key))
    end
  end
end

-- ---- lists: keys may hold what XML cannot ----

local function ask_encoded(event)
  if event.params.EncodingType == nil then
    event.params.EncodingType = "url"
    event.context.encoding_type_auto_set = true
  end
end

local function decode(text)
  -- Two plain searches: a class of characters takes half as long as reading the XML did.
  if text and (text:find("%", 1, true) or text:find("+", 1, true)) then
    return core.percent_decode((text:gsub("+", " ")))
  end
  return text
end

local function decode_list(names, lists)
  return function(event)
    local parsed = event.parsed
    if parsed.EncodingType ~= "url" or not event.context.encoding_type_auto_set then
      return
    end
    for _, name in ipairs(names) do
      parsed[name] = decode(parsed[name])
    end
    for list, name in pairs(lists) do
      for _, item in ipairs(parsed[list] or {}) do
        item[name] = decode(item[name])
      end
    end
  end
end

-- ---- answers ----

--- The region is the text of the root element.
local function bucket_location(event)
  local response = event.response_dict
  if response.status_code < 300 then
    event.customized_response_dict.LocationConstraint =
      response.body:match("<LocationConstraint[^>]*>([^<]+)</")
  end
end

--- Whoever stored the object may have written anything into this header.
local function expires(event)
  local value = event.call:response_header("expires")
  if value then
    event.customized_response_dict.ExpiresString = value
    if not core.parse_timestamp(value) then
      event.response_dict.headers.expires = nil
    end
  end
end

-- ---- forms ----

--- What a browser needs to upload to a bucket by a form; see luaws.presign.
---@param bucket string|table the name, or all arguments in one table
---@param ... any Key, Fields, Conditions, ExpiresIn = 3600
---@return table { url, fields }
function s3.methods.generate_presigned_post(self, bucket, ...)
  return require("luaws.presign").post(self, bucket, ...)
end

-- ---- transfers ----

for _, name in ipairs{ "upload_file", "upload_fileobj", "download_file", "download_fileobj", "copy" } do
  s3.methods[name] = function(...)
    return require("luaws.transfer")[name](...)
  end
end

-- ---- where it all hangs ----

local METADATA = events.when({ param = "Metadata" }, ascii_metadata)
local KEYS = events.when({ param = "SSECustomerKey" }, customer_key("SSECustomer"))
local COPY_KEYS =
  events.when({ param = "CopySourceSSECustomerKey" }, customer_key("CopySourceSSECustomer"))
local HANDLERS = {
  { "before-parameter-build.s3", events.when({ odd_name = "Bucket" }, bucket_param) },
  { "before-parameter-build.s3.GetBucketLocation", events.when({ param = "Bucket" }, location_param) },
  { "needs-retry.s3", events.when({ failed = true }, redirect) },
  { "before-parse.s3.GetBucketLocation", bucket_location },
  { "before-parse.s3.GetObject", events.when({ header = "expires" }, expires) },
  { "before-parse.s3.HeadObject", events.when({ header = "expires" }, expires) },
  { "after-call.s3.ListObjects", decode_list({ "Delimiter", "Marker", "NextMarker" },
    { Contents = "Key", CommonPrefixes = "Prefix" }) },
  { "after-call.s3.ListObjectsV2", decode_list({ "Delimiter", "Prefix", "StartAfter" },
    { Contents = "Key", CommonPrefixes = "Prefix" }) },
  { "after-call.s3.ListObjectVersions", decode_list({ "KeyMarker", "NextKeyMarker", "Prefix", "Delimiter" },
    { Versions = "Key", DeleteMarkers = "Key", CommonPrefixes = "Prefix" }) },
}
for handler, operations in pairs{
  [ask_encoded] = { "ListObjects", "ListObjectsV2", "ListObjectVersions" },
  [copy_source] = { "CopyObject", "UploadPartCopy" },
  [METADATA] = { "CopyObject", "PutObject", "CreateMultipartUpload" },
  [KEYS] = { "HeadObject", "GetObject", "PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart",
    "UploadPartCopy", "CompleteMultipartUpload", "SelectObjectContent" },
  [COPY_KEYS] = { "CopyObject", "UploadPartCopy" },
} do
  for _, operation in ipairs(operations) do
    HANDLERS[#HANDLERS + 1] = { "before-parameter-build.s3." .. operation, handler }
  end
end

function s3.register(emitter)
  for _, entry in ipairs(HANDLERS) do
    emitter:register(entry[1], entry[2])
  end
  emitter:register_first("before-parse.s3.*",
    events.when({ error_document = true, operation = answers_xml }, embedded_error))
end

return s3
