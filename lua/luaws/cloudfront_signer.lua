--- URLs and cookies that CloudFront serves private files for: botocore.signers.CloudFrontSigner.
---
---     local signer = aws.cloudfront_signer("K2JCJMDEHXQW5F", private_key_pem)
---     local url = signer:generate_presigned_url("https://d111.cloudfront.net/a.mp4",
---       { date_less_than = os.time() + 600 })
local core = require("luaws.core")
local arguments = require("luaws.arguments")
local errors = require("luaws.errors")
local json = require("luaws.jmespath.json")
local methods = require("luaws.methods")

local CloudFrontSigner = {}
local signer_mt = { __name = "luaws.cloudfront_signer", __index = CloudFrontSigner }

function signer_mt:__tostring()
  return ("CloudFrontSigner(key_id='%s')"):format(self.key_id)
end

--- Makes a signer.
---@param key_id string the id of the public key (or key pair) in CloudFront
---@param rsa_signer string|function the private key, a PEM text; or a function that is given a message and
---  returns its signature (RSA, PKCS #1 v1.5, SHA-1), for keys that are kept elsewhere
---@return table
local function new(key_id, rsa_signer)
  if type(key_id) ~= "string" then
    errors.raise("TypeError", "cloudfront_signer: the key's id must be a string, not a %s", type(key_id))
  end
  local sign = rsa_signer
  if type(rsa_signer) == "string" then
    local key = core.rsa_key(rsa_signer)
    sign = function(message)
      return key:sign_sha1(message)
    end
  elseif type(rsa_signer) ~= "function" then
    errors.raise("TypeError", "cloudfront_signer: the signer must be a private key (PEM) or a function, "
      .. "not a %s", type(rsa_signer))
  end
  return setmetatable({ key_id = key_id, rsa_signer = sign }, signer_mt)
end

-- A point in time as a script may write it, in whole seconds.
local function seconds(name, time)
  local value = time
  if type(time) == "table" then
    value = os.time(time)
  elseif type(time) == "string" then
    value = core.parse_timestamp(time)
  end
  if type(value) ~= "number" or value ~= value or math.abs(value) > 1e15 then
    errors.raise("ValueError", "%s must be a time, not %s", name,
      type(time) == "string" and "'" .. time .. "'" or "a " .. type(time))
  end
  return math.tointeger(value >= 0 and math.floor(value) or math.ceil(value))
end

-- Arguments after the first by name or in a row: f(url, { policy = p }), f(url, nil, p),
-- f{ url = …, policy = p }.
local function named(method, names, required, first, second, ...)
  if type(second) == "table" and second.year == nil then
    local all = { [names[1]] = first }
    for name, value in pairs(second) do
      all[name] = value
    end
    return arguments(method, names, required, all)
  end
  return arguments(method, names, required, first, second, ...)
end

local POLICY = { "resource", "date_less_than", "date_greater_than", "ip_address" }

--- A policy: who may fetch what, and when.
---@param resource string a URL, in which "*" stands for anything
---@param ... any date_less_than, date_greater_than, ip_address ("192.0.2.10" or "192.0.2.0/24"); in a row or
---  in one table. A time is seconds since the epoch, an ISO 8601 string, or an os.date("*t") table
---@return string JSON
function CloudFrontSigner.build_policy(_, resource, ...)
  local opts = named("build_policy", POLICY, 2, resource, ...)
  -- The order of what is in it is CloudFront's own, which builds the first kind of policy again.
  local before = seconds("date_less_than", opts.date_less_than)
  local conditions = { ('"DateLessThan":{"AWS:EpochTime":%d}'):format(before) }
  if opts.ip_address and opts.ip_address ~= "" then
    local range = opts.ip_address:find("/", 1, true) and opts.ip_address or opts.ip_address .. "/32"
    conditions[#conditions + 1] = ('"IpAddress":{"AWS:SourceIp":%s}'):format(json.quote(range))
  end
  if opts.date_greater_than then
    local after = seconds("date_greater_than", opts.date_greater_than)
    conditions[#conditions + 1] = ('"DateGreaterThan":{"AWS:EpochTime":%d}'):format(after)
  end
  return ('{"Statement":[{"Resource":%s,"Condition":{%s}}]}'):format(json.quote(opts.resource),
    table.concat(conditions, ","))
end

-- Base64 of letters that a URL and a cookie may hold.
local function encode(bytes)
  return (core.base64_encode(bytes):gsub("[+=/]", { ["+"] = "-", ["="] = "_", ["/"] = "~" }))
end

-- Name and value of each thing that CloudFront wants to be told, in its order.
local function signed(self, method, resource, opts)
  if (opts.date_less_than == nil) == (opts.policy == nil) then
    errors.raise("ValueError", "%s: Need to provide either date_less_than or policy, but not both", method)
  end
  local policy = opts.policy or self:build_policy(resource or "", opts.date_less_than)
  local signature = self.rsa_signer(policy)
  if type(signature) ~= "string" then
    errors.raise("TypeError", "%s: the signer returned a %s, not the bytes of a signature", method,
      type(signature))
  end
  return {
    opts.policy and { "Policy", encode(policy) }
      or { "Expires", ("%d"):format(seconds("date_less_than", opts.date_less_than)) },
    { "Signature", encode(signature) },
    { "Key-Pair-Id", self.key_id },
  }
end

--- A URL that opens a private file.
---@param url string
---@param ... any date_less_than (the URL is good until then) or policy (of build_policy, say); in a row or in
---  one table
---@return string
function CloudFrontSigner:generate_presigned_url(url, ...)
  local opts = named("generate_presigned_url", { "url", "date_less_than", "policy" }, 1, url, ...)
  local parts = {}
  for i, part in ipairs(signed(self, "generate_presigned_url", opts.url, opts)) do
    parts[i] = part[1] .. "=" .. part[2]
  end
  return opts.url .. (opts.url:find("?", 1, true) and "&" or "?") .. table.concat(parts, "&")
end

--- Cookies that open private files, without a change of their URLs: name → value, to be set for the domain.
---@param resource string|nil a URL; with a policy of your own it is not looked at
---@param ... any date_less_than or policy, as for generate_presigned_url
---@return table { ["CloudFront-Signature"] = …, … }
function CloudFrontSigner:generate_signed_cookies(resource, ...)
  local names = { "resource", "date_less_than", "policy" }
  local opts = named("generate_signed_cookies", names, 0, resource, ...)
  local cookies = {}
  for _, part in ipairs(signed(self, "generate_signed_cookies", opts.resource, opts)) do
    cookies["CloudFront-" .. part[1]] = part[2]
  end
  return cookies
end

methods.all("signer", signer_mt, CloudFrontSigner)

return new
