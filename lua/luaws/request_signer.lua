--- What handlers of before-call and before-sign get as `request_signer`: how the client signs, and URLs that
--- are signed for other requests than the call's own. A copy between regions needs one, for instance.
local core = require("luaws.core")
local errors = require("luaws.errors")
local nearest = require("luaws.nearest")

local request_signer = {}

local OPTIONS = { "expires_in", "region_name", "signing_name" }
local SUFFIX <const> = "-query"

-- The versions that can be put into a URL, as core.sign wants to be told of them.
local VERSIONS = {
  ["v4-query"] = { algorithm = "sigv4" }, ["s3v4-query"] = { algorithm = "sigv4", as_s3 = true },
  ["v4a-query"] = { algorithm = "sigv4a" }, ["s3v4a-query"] = { algorithm = "sigv4a", as_s3 = true },
}

local UNSIGNED = { none = true, unsigned = true }

local function as_query(version)
  return (UNSIGNED[version] or version:sub(-#SUFFIX) == SUFFIX) and version or version .. SUFFIX
end

-- ---- a request that is signed and not sent, with the methods of a call that hooks.run needs ----

local Unsent = {}
local unsent_mt = { __name = "luaws.unsent", __index = Unsent }

function Unsent:operation_name()
  return self._operation
end

function Unsent:context()
  return self._context
end

function Unsent.is_presign()
  return true
end

function Unsent:signer()
  return self._version, self._name, self._region, self._configured
end

function Unsent:set_signature_version(version)
  self._version = as_query(version)
end

function Unsent:request()
  return self._method, self._url, self._headers
end

function Unsent:request_body()
  return self._body
end

function Unsent:set_method(method)
  self._method = method
end

function Unsent:set_url(url)
  self._url = url
end

function Unsent:set_body(body)
  self._body = body
end

-- The table that request() gave is changed already.
function Unsent.set_header() end

local function check_request(request)
  if type(request) ~= "table" or type(request.url) ~= "string" then
    errors.raise("TypeError", "generate_presigned_url takes a request { method, url, headers, body }")
  end
  local headers = request.headers
  if headers ~= nil and type(headers) ~= "table" then
    errors.raise("TypeError", "the headers of a request are a table, not a %s", type(headers))
  end
end

local function new_unsent(signer, request, operation_name, opts)
  local unsent = { _operation = operation_name, _context = request.context or {},
    _method = request.method or "GET", _url = request.url, _body = request.body, _headers = {} }
  for name, value in pairs(request.headers or {}) do
    unsent._headers[name] = value
  end
  unsent._version, unsent._name, unsent._region, unsent._configured = core.client_signer(signer._client)
  -- With the call's own table goes what its operation and its endpoint say of signatures.
  if unsent._context == signer._context then
    unsent._version, unsent._name, unsent._region = signer._call:signer()
  elseif opts.signing_name then
    unsent._name = opts.signing_name
  end
  unsent._region = opts.region_name or unsent._region
  unsent._version = as_query(unsent._version)
  return setmetatable(unsent, unsent_mt)
end

-- What a form would say stands in the URL.
local function move_form(client, unsent)
  local protocol = core.client_info(client).protocol
  if protocol ~= "query" and protocol ~= "ec2" or (unsent._body or "") == "" then
    return
  end
  unsent._url = unsent._url .. (unsent._url:find("?", 1, true) and "&" or "?") .. unsent._body
  unsent._body = nil
  for name in pairs(unsent._headers) do
    if name:lower() == "content-type" then
      unsent._headers[name] = nil
    end
  end
end

-- ---- the signer ----

local RequestSigner = {}
local signer_mt = { __name = "luaws.request_signer" }
local no_such = nearest.no_such("request_signer", setmetatable({ region_name = true, signature_version = true,
  signing_name = true }, { __index = RequestSigner }))

function signer_mt:__index(name)
  if name ~= "region_name" then -- which a client may be without
    return RequestSigner[name] or no_such(self, name)
  end
end

--- A URL that is signed as this client signs. Whoever listens to choose-signer and before-sign of the
--- operation is asked, too.
---@param request table { method = "GET", url, headers, body, context }: event.request, or a table like it.
---  With the call's own context it is signed as the call is, otherwise as the client signs by default.
---@param operation_name string "CopySnapshot"
---@param opts table|nil { expires_in = 3600, region_name, signing_name }
---@return string
function RequestSigner:generate_presigned_url(request, operation_name, opts)
  check_request(request)
  if type(operation_name) ~= "string" then
    errors.raise("TypeError", "generate_presigned_url takes a request and the name of an operation, not a %s",
      type(operation_name))
  end
  opts = opts or {}
  nearest.check_options("generate_presigned_url", opts, OPTIONS)
  local client = self._client
  local expires = require("luaws.presign").seconds(opts.expires_in, "expires_in")
  local unsent = new_unsent(self, request, operation_name, opts)
  require("luaws.hooks").ask_signers(client, unsent)
  local version, _, region = unsent:signer()
  if UNSIGNED[version] then
    return unsent._url
  end
  local form = VERSIONS[version]
  if not form then
    errors.raise("UnsupportedSignatureVersionError", "Signature version(s) are not supported: %s", version)
  end
  if region == "" then
    errors.no_region("region_name in the options")
  end
  local credentials = core.client_credentials(client)
  if not credentials then
    errors.no_credentials()
  end
  move_form(client, unsent)
  return core.sign(credentials, { method = unsent._method, url = unsent._url, headers = unsent._headers,
    body = unsent._body }, { service = unsent._name, region = region, presign = true,
    algorithm = form.algorithm, expires = expires,
    double_encode = not form.as_s3, normalize_path = not form.as_s3, unsigned_payload = form.as_s3,
    time = core.client_time(client) }).url
end
RequestSigner.generate_presigned_url = require("luaws.methods").of("request_signer", signer_mt,
  "generate_presigned_url", RequestSigner.generate_presigned_url)

--- The signer of a call.
---@param event table of the call
---@return table
function request_signer.new(event)
  local version, name, region = core.client_signer(event.client)
  return setmetatable({ signature_version = version, signing_name = name,
    region_name = region ~= "" and region or nil, _client = event.client, _call = event.call,
    _context = event.context }, signer_mt)
end

return request_signer
