--- session:sign_request: a signature for any HTTP request, for what is behind AWS auth and no AWS API.
local core = require("luaws.core")
local errors = require("luaws.errors")

local OPTIONS = {
  "service", "region", "algorithm", "presign", "expires", "time", "unsigned_payload", "double_encode",
  "normalize_path", "sign_body", "omit_session_token", "debug",
}
local KNOWN = {}
for _, name in ipairs(OPTIONS) do
  KNOWN[name] = true
end

-- The request with a bearer token in place of a signature.
local function with_token(session, request, opts)
  if opts.presign then
    errors.raise("UnsupportedSignatureVersionError", "Signature version(s) are not supported: bearer-query")
  end
  local found = session:get_auth_token{ signing_name = opts.service }
  local token = found and found.token
  if not token then
    errors.raise("NoAuthTokenError", "Unable to locate authorization token")
  end
  local signed = { method = request.method or "GET", url = request.url, headers = {}, body = request.body }
  for name, value in pairs(request.headers or {}) do
    if name:lower() ~= "authorization" then
      signed.headers[name] = value
    end
  end
  signed.headers.Authorization = "Bearer " .. token
  return signed
end

--- Signs a request with the session's credentials.
---@param session table
---@param request table { method = "GET", url, headers, body }; a header's value is a string or a sequence
---@param opts table { service, region, algorithm = "sigv4" (or "sigv4a", "bearer"),
---  presign, expires, time, unsigned_payload,
---  double_encode, normalize_path, sign_body, omit_session_token, debug }
---@return table a new request; with opts.debug also canonical_request and string_to_sign
local function sign_request(session, request, opts)
  opts = opts or {}
  if type(request) ~= "table" or type(request.url) ~= "string" then
    errors.raise("TypeError", "sign_request takes a request { method, url, headers, body }")
  end
  for name in pairs(opts) do
    if not KNOWN[name] then
      errors.raise("TypeError", "sign_request: %s", require("luaws.nearest").message(tostring(name), OPTIONS))
    end
  end
  local algorithm = opts.algorithm or "sigv4"
  if algorithm == "bearer" then
    return with_token(session, request, opts)
  elseif algorithm ~= "sigv4" and algorithm ~= "sigv4a" then
    errors.raise("UnsupportedSignatureVersionError", "Signature version(s) are not supported: %s", algorithm)
  end
  if not opts.service then
    errors.raise("ValueError", "sign_request needs opts.service, the name to sign for")
  end
  local credentials = session._core:credentials()
  if not credentials then
    errors.no_credentials()
  end
  local options = {}
  for name, value in pairs(opts) do
    options[name] = value
  end
  options.algorithm = algorithm
  options.region = opts.region or session.region_name
  if not options.region then
    errors.no_region("opts.region")
  end
  return core.sign(credentials, request, options)
end

return sign_request
