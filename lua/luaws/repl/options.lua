--- Names that no model of AWS's has: methods and fields of luaws's own objects, and what its functions take.
--- What a table may hold is { options = keys, inside = { key = the same again, or { names = values } } }.
local words = require("luaws.words")

local options = {}

options.SESSION_METHODS = words[[
  client explain get_auth_token get_available_partitions get_available_regions get_available_resources
  get_available_services get_component get_config_variable get_credentials get_default_client_config
  get_partition_for_region resolve_endpoint resource set_config_variable
  set_default_client_config sign_request
]]
options.SESSION_FIELDS = words "available_profiles events full_config profile_name region_name"
options.CLIENT_METHODS = words "can_paginate close generate_presigned_url get_paginator get_waiter"
options.CLIENT_FIELDS = words "exceptions meta try waiter_names"
options.META_FIELDS = words[[
  api_version config endpoint_url events method_to_api_mapping partition region_name service_model
  service_name
]]

--- Of what a response holds that is none of the model's: methods, by kind of thing.
options.BODY_METHODS = { body = words "chunks close lines read", events = words "close events" }
options.RESPONSE_METADATA = words "HTTPHeaders HTTPStatusCode RequestId RetryAttempts"

options.SESSION = { options = words[[
  aws_access_key_id aws_account_id aws_secret_access_key aws_session_token credential_cache data_path
  mfa_prompt profile_name region_name
]] }

local RETRIES = {
  options = words "max_attempts mode total_max_attempts",
  inside = { mode = { names = words "adaptive legacy standard" } },
}
local S3 = {
  options = words[[
    addressing_style disable_s3_express_session_auth payload_signing_enabled us_east_1_regional_endpoint
    use_accelerate_endpoint use_arn_region use_dualstack_endpoint
  ]],
  inside = { addressing_style = { names = words "auto path virtual" } },
}

options.CONFIG = {
  options = words[[
    account_id_endpoint_mode auth_scheme_preference client_cert client_context_params
    connect_timeout defaults_mode disable_request_compression endpoint_discovery_enabled
    ignore_configured_endpoint_urls inject_host_prefix max_pool_connections parameter_validation
    proxies proxies_config read_timeout region_name request_checksum_calculation
    request_min_compression_size_bytes response_checksum_validation retries s3
    s3_disable_express_session_auth signature_version sigv4a_signing_region_set tcp_keepalive
    use_dualstack_endpoint use_fips_endpoint user_agent user_agent_appid user_agent_extra
  ]],
  inside = {
    retries = RETRIES, s3 = S3,
    proxies_config = { options = words "proxy_ca_bundle proxy_client_cert proxy_use_forwarding_for_https" },
    defaults_mode = { names = words "auto cross-region in-region legacy mobile standard" },
    request_checksum_calculation = { names = words "when_required when_supported" },
    response_checksum_validation = { names = words "when_required when_supported" },
  },
}

options.CLIENT = {
  options = words[[
    api_version aws_access_key_id aws_account_id aws_secret_access_key aws_session_token config endpoint_url
    region_name use_ssl verify
  ]],
  inside = { config = options.CONFIG },
}

--- What paginate and wait take beside the operation's parameters.
options.PAGINATE = { PaginationConfig = words "MaxItems PageSize StartingToken" }
options.WAIT = { WaiterConfig = words "Delay MaxAttempts" }

--- generate_presigned_url's table; params is what the operation takes.
function options.presign(params)
  return { options = words "ExpiresIn HttpMethod Params", inside = { Params = params } }
end

local TRANSFERS = {
  upload_file = "upload", upload_fileobj = "upload", download_file = "download",
  download_fileobj = "download", copy = "copy",
}

--- The table of options of an S3 transfer; nil for a method that is none.
---@param method string
function options.transfer(method)
  local kind = TRANSFERS[method]
  if not kind then
    return nil
  end
  local config = require("luaws.transfer.config")
  return {
    options = words "Callback Config ExtraArgs",
    inside = { ExtraArgs = { options = config.ALLOWED[kind] }, Config = { options = config.names() } },
  }
end

return options
