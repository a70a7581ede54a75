--- What luaws raises: a table with kind (botocore's exception name), message, perhaps advice (where the
--- culprit stands, and what to do), and for what a service answered also code, operation_name and response.
--- The table itself is raised, so no "file:line:" gets in front of the text. Never put a secret in a message
--- or a field.
local errors = {}

local Error = {}
local error_mt = { __name = "luaws.error", __index = Error }

-- Which kind is a case of which, where that is not simply BotoCoreError: `except ConnectionError`
-- in Python is err:is("ConnectionError") here.
local PARENTS = {
  ClientError = {},
  EventStreamError = { "ClientError" },
  Boto3Error = {},
  DynamoDBNeedsConditionError = { "Boto3Error" },
  DynamoDBNeedsKeyConditionError = { "Boto3Error" },
  DynamoDBOperationNotSupportedError = { "Boto3Error" },
  InvalidCrtTransferConfigError = { "Boto3Error" },
  NoVersionFound = { "Boto3Error" },
  ResourceLoadException = { "Boto3Error" },
  ResourceNotExistsError = { "Boto3Error", "DataNotFoundError" },
  S3TransferFailedError = { "Boto3Error" },
  UnknownAPIVersionError = { "Boto3Error", "DataNotFoundError" },
  RetriesExceededError = {},
  S3UploadFailedError = {},
  S3CopyFailedError = {},
  S3DownloadFailedError = {},
  S3ValidationError = {},
  TransferNotDoneError = {},
  InvalidSubscriberMethodError = {},
  CancelledError = {},
  FatalError = { "CancelledError" },
  UndefinedModelAttributeError = {},
  MissingServiceIdError = { "UndefinedModelAttributeError" },

  EndpointVariantError = { "BaseEndpointResolverError" },
  NoRegionError = { "BaseEndpointResolverError" },
  UnknownEndpointError = { "BaseEndpointResolverError", "ValueError" },
  UnknownFIPSEndpointError = { "BaseEndpointResolverError" },
  EndpointResolutionError = { "EndpointProviderError" },
  UnknownEndpointResolutionBuiltInName = { "EndpointProviderError" },
  UnknownServiceError = { "DataNotFoundError" },

  HTTPClientError = { "BotoCoreError" },
  ConnectionError = { "BotoCoreError" },
  ConnectionClosedError = { "HTTPClientError" },
  ConnectTimeoutError = { "ConnectionError" },
  EndpointConnectionError = { "ConnectionError" },
  ProxyConnectionError = { "ConnectionError" },
  ReadTimeoutError = { "HTTPClientError" },
  ResponseStreamingError = { "HTTPClientError" },
  SSLError = { "ConnectionError" },

  InfiniteLoopConfigError = { "InvalidConfigError" },
  InvalidMaxRetryAttemptsError = { "InvalidRetryConfigurationError" },
  InvalidRetryModeError = { "InvalidRetryConfigurationError" },
  LoginAuthorizationCodeError = { "LoginError" },
  LoginInsufficientPermissions = { "LoginError" },
  LoginRefreshRequired = { "LoginError" },
  LoginTokenLoadError = { "LoginError" },
  SSOTokenLoadError = { "SSOError" },
  UnauthorizedSSOTokenError = { "SSOError" },
  StubAssertionError = { "StubResponseError", "AssertionError" },
  UnStubbedResponseError = { "StubResponseError" },
  AliasConflictParameterError = { "ValidationError" },
  InvalidRegionError = { "ValidationError", "ValueError" },
  RangeError = { "ValidationError" },
  UnknownKeyError = { "ValidationError" },
  UnknownParameterError = { "ValidationError" },

  JMESPathError = { "ValueError" },
  EmptyExpressionError = { "JMESPathError" },
  JMESPathTypeError = { "JMESPathError" },
  ParseError = { "JMESPathError" },
  UnknownFunctionError = { "JMESPathError" },
  ArityError = { "ParseError" },
  IncompleteExpressionError = { "ParseError" },
  LexerError = { "ParseError" },
  VariadictArityError = { "ArityError" },

  -- Python's own, raised for a wrong argument to a method or by Ctrl-C.
  AssertionError = {},
  AttributeError = {},
  KeyError = {},
  KeyboardInterrupt = {},
  NotImplementedError = {},
  RuntimeError = {},
  TypeError = {},
  ValueError = {},
}
local OTHERS = { "BotoCoreError" }
PARENTS.BotoCoreError = {}

local function kind_is(kind, name)
  if kind == name then
    return true
  end
  for _, parent in ipairs(PARENTS[kind] or OTHERS) do
    if kind_is(parent, name) then
      return true
    end
  end
  return false
end

--- True when x names this error: its kind or a more general one ("ConnectionError" for an
--- EndpointConnectionError), its code, its modeled shape, or an entry of client.exceptions.
---@param x string|table
---@return boolean
function Error:is(x)
  if not errors.is_error(self) then
    errors.raise("TypeError", "is is a method: call it as err:is(...)")
  end
  if type(x) == "table" then
    local name, code = rawget(x, "name"), rawget(x, "code")
    return name ~= nil and self:is(name) or code ~= nil and self:is(code)
  end
  if x == nil then
    return false
  end
  return x == self.code or x == self.shape or kind_is(self.kind, x)
end

local function retry_info(response)
  local metadata = type(response) == "table" and response.ResponseMetadata
  if type(metadata) == "table" and metadata.MaxAttemptsReached and metadata.RetryAttempts then
    return (" (reached max retries: %d)"):format(metadata.RetryAttempts)
  end
  return ""
end

--- The line botocore prints.
function error_mt.__tostring(err)
  local message = rawget(err, "message")
  if err.operation_name and (err.code or err.response) then
    return ("An error occurred (%s) when calling the %s operation%s: %s"):format(
      err.code or "Unknown", err.operation_name, retry_info(err.response), message or "Unknown")
  end
  return message and tostring(message) or tostring(err.kind)
end

--- What a program shows of an error that ends it: that line, and what luaws advises.
function error_mt.__shown(err)
  return tostring(err) .. (rawget(err, "advice") or "")
end

function error_mt.__concat(a, b)
  return tostring(a) .. tostring(b)
end

--- A new error table; the fields of `fields` are taken over (code, operation_name, response,
--- shape: the modeled name, advice: what to do, and whatever else the kind carries).
---@param kind string
---@param message string
---@param fields table|nil
---@return table
function errors.new(kind, message, fields)
  local err = {}
  for name, value in pairs(fields or {}) do
    err[name] = value
  end
  err.kind, err.message = kind, message
  return setmetatable(err, error_mt)
end

--- Raises an error whose message is made as by string.format.
---@param kind string
---@param fmt string
function errors.raise(kind, fmt, ...)
  local message = select("#", ...) > 0 and fmt:format(...) or fmt
  error(errors.new(kind, message), 0)
end

-- ADVICE: the same words as in the core (src/credentials/credentials.c, src/endpoint/regions.c).

--- Raises what a call without credentials ends in.
function errors.no_credentials()
  error(errors.new("NoCredentialsError", "Unable to locate credentials", {
    advice = "; luaws --explain, or session:explain(), tells where they were looked for" }), 0)
end

--- Raises what a call without a region ends in.
---@param places string|nil where else than anywhere it may be given
function errors.no_region(places)
  error(errors.new("NoRegionError", "You must specify a region.", {
    advice = (" It may be %sregion_name in code, AWS_REGION, or region in the profile."):format(
      places and places .. ", " or "") }), 0)
end

--- What a service answered: code and message come from response.Error.
---@param operation_name string
---@param response table the parsed response, with Error and ResponseMetadata
---@param fields table|nil as for new; may override kind
---@return table
function errors.client_error(operation_name, response, fields)
  local detail = type(response.Error) == "table" and response.Error or {}
  local err = errors.new("ClientError", detail.Message or "Unknown", fields)
  err.kind = fields and fields.kind or err.kind
  err.code = detail.Code or "Unknown"
  err.operation_name, err.response = operation_name, response
  return err
end

--- True for an error table made here or by the core.
---@param value any
---@return boolean
function errors.is_error(value)
  return type(value) == "table" and getmetatable(value) == error_mt
end

--- What a program shows of anything that was raised.
---@param err any
---@return string
function errors.shown(err)
  return errors.is_error(err) and error_mt.__shown(err) or tostring(err)
end

--- True for what Ctrl-C raises, which nobody but the script itself may keep from ending it.
---@param value any
---@return boolean
function errors.is_interruption(value)
  return errors.is_error(value) and value.kind == "KeyboardInterrupt"
end

--- The metatable, for the bindings, which make the same tables.
errors.metatable = error_mt

return errors
