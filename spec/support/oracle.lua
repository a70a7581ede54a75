-- Makes the same calls with botocore and with luaws and returns what both sent and made of the answers, in
-- a form
-- that can be compared (see botocore_calls.py for what a call is).
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")

local oracle = {}

-- What differs from one call to the next, or is the transport's business.
local IGNORED = {
  authorization = true, ["user-agent"] = true, ["amz-sdk-invocation-id"] = true, ["amz-sdk-request"] = true,
  ["x-amz-date"] = true, ["content-length"] = true, expect = true, ["accept-encoding"] = true,
  ["x-amz-region-set"] = true, -- luaws signs with SigV4A, for which botocore needs another package
}

local function sorted_query(url)
  local start, query = url:match("^([^?]*)%?(.*)$")
  if not query then
    return url
  end
  local parts = {}
  for part in query:gmatch("[^&]+") do
    parts[#parts + 1] = part
  end
  table.sort(parts)
  return start .. "?" .. table.concat(parts, "&")
end

local function latin1(text)
  return (text:gsub("[\x80-\xFF]", function(byte)
    return utf8.char(byte:byte())
  end))
end

-- Sorts what a form says, and forgets what is signed anew with every second.
local function comparable(request)
  local headers = {}
  for name, value in pairs(request.headers) do
    if not IGNORED[name:lower()] then
      headers[name:lower()] = value
    end
  end
  local body = request.body
  if (headers["content-type"] or ""):find("form-urlencoded", 1, true) then
    body = sorted_query("?" .. body)
  end
  return { method = request.method, url = sorted_query(request.url), headers = headers, body = body }
end

-- Numbers as Lua has them. How often a call is tried differs, unless it says so (`all`).
local function clean(value, all)
  if value == cjson.null then
    return nil
  elseif type(value) ~= "table" then
    return math.type(value) == "float" and math.tointeger(value) or value
  end
  local copy = {}
  for name, item in pairs(value) do
    if all or name ~= "RetryAttempts" and name ~= "MaxAttemptsReached" then
      copy[name] = clean(item, all)
    end
  end
  return copy
end

local function ask_botocore(calls)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(cjson.encode(calls))
  file:close()
  local output = child.output({ "python3", "spec/support/botocore_calls.py", name })
  os.remove(name)
  return cjson.decode(output)
end

--- One call with luaws.
function oracle.run(call)
  local opts = { region_name = call.region or "us-east-1", config = call.config,
    aws_access_key_id = "AKIDEXAMPLE",
    aws_secret_access_key = "the-secret", aws_session_token = call.token }
  for option, value in pairs(call.client or {}) do
    opts[option] = value
  end
  local client = aws.session{ _env = {}, _home = "/nowhere" }:client(call.service, opts)
  local requests, at = {}, 0
  client.meta.events:register_last("before-send", function(event)
    local request = event.request
    local headers = {}
    for name, value in pairs(request.headers) do
      headers[name] = value
    end
    requests[#requests + 1] = { method = request.method, url = request.url, headers = headers,
      body = latin1(request.body or "") }
    at = math.min(at + 1, #(call.answers or { {} }))
    local answer = (call.answers or { {} })[at]
    return { status_code = answer.status or 200, headers = answer.headers or {}, body = answer.body or "" }
  end)
  client.meta.events:register("needs-retry", function(event)
    return event.call:retry_delay() and 0 or nil
  end)
  local ok, result = pcall(client[call.method], client, call.params or {})
  if ok then
    return { requests = requests, result = result }
  end
  return { requests = requests, error = tostring(result), kind = type(result) == "table" and result.kind
    or nil, response = call.with_response and result.response or nil }
end

--- Compares a row of calls; `check(call, botocore, luaws)` is told of each.
function oracle.each(calls, check)
  for i, expected in ipairs(ask_botocore(calls)) do
    local actual = oracle.run(calls[i])
    for _, side in ipairs{ expected, actual } do
      for n, request in ipairs(side.requests) do
        side.requests[n] = comparable(request)
      end
      side.result = clean(side.result, calls[i].with_response)
    end
    check(calls[i], clean(expected, calls[i].with_response), actual)
  end
end

return oracle
