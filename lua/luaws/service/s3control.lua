--- S3 Control: ARNs of Outposts tell the account.
local core = require("luaws.core")
local errors = require("luaws.errors")

local s3control = {}

local function outpost_parts(arn)
  local service, region, account, resource = arn:match("^arn:[^:]*:([^:]*):([^:]*):([^:]*):(.+)$")
  if not service then
    return nil
  end
  local parts = { service = service, region = region, account = account }
  for part in (resource .. "/"):gmatch("([^/:]*)[/:]") do
    parts[#parts + 1] = part
  end
  return parts
end

local function refuse(arn, message)
  errors.raise("UnsupportedS3ControlArnError", "S3 ARN \"%s\" provided is invalid for this operation. %s",
    arn, message)
end

local function take_arn(event, name, kind)
  local arn = event.params[name]
  local parts = type(arn) == "string" and outpost_parts(arn)
  if not parts then
    return
  end
  if parts.region:find("^fips%-") or parts.region:find("fips%-$") then
    refuse(arn, "Invalid ARN, FIPS region not allowed in ARN.")
  end
  local s3 = core.client_config(event.client).s3
  if type(s3) == "table" and s3.use_accelerate_endpoint then
    errors.raise("UnsupportedS3ControlConfigurationError", "Unsupported configuration when using S3 Control: "
      .. "S3 control client does not support accelerate endpoints")
  end
  if parts.service ~= "s3-outposts" or #parts ~= 4 or parts[1] ~= "outpost" or parts[3] ~= kind then
    refuse(arn, ("The %s parameter does not support the provided ARN"):format(name))
  end
  local account = event.params.AccountId
  if account ~= nil and account ~= parts.account then
    refuse(arn, ("Account ID in arn does not match the AccountId parameter provided: \"%s\""):format(account))
  end
  event.params.AccountId = parts.account
end

local function handle_arns(event)
  local operation = event.operation_name
  if operation == "CreateBucket" or operation == "ListRegionalBuckets" then
    return
  end
  if operation ~= "CreateAccessPoint" then
    take_arn(event, "Name", "accesspoint")
  end
  take_arn(event, "Bucket", "bucket")
end

function s3control.register(emitter)
  emitter:register("before-parameter-build.s3-control", handle_arns)
end

return s3control
