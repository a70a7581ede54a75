-- Transfers whose requests are recorded and answered in place of the network, as the server of
-- scripts/transfer-fixtures.py does.
--
--   local recorder = require("spec.support.transfer_recorder")
--   local requests = recorder.run("upload_file", 10, { ExtraArgs = { ACL = "private" } })
local aws = require("luaws")
local core = require("luaws.core")

local recorder = {}

local UNTOLD = {}
for name in ("x-amz-date x-amz-content-sha256 x-amz-user-agent host user-agent accept accept-encoding "
  .. "authorization amz-sdk-invocation-id amz-sdk-request connection content-length expect "
  .. "transfer-encoding"):gmatch("%S+") do
  UNTOLD[name] = true
end

local size, requests = 0, {}
local name = os.tmpname()

local function answer(status, body, headers)
  headers = headers or {}
  headers.ETag = '"e"'
  headers["Content-Length"] = headers["Content-Length"] or tostring(#body)
  return { status_code = status, headers = headers, body = body }
end

local function answer_put(headers, query)
  if headers["x-amz-copy-source"] then
    local kind = query:find("partNumber", 1, true) and "CopyPartResult" or "CopyObjectResult"
    return answer(200, ('<%s><ETag>"e"</ETag></%s>'):format(kind, kind))
  end
  local sums = {}
  for header, value in pairs(headers) do
    sums[header] = header:find("^x%-amz%-checksum%-") and value or nil
  end
  return answer(200, "", sums)
end

-- What the server of transfer-fixtures.py does.
local ANSWERS = {
  HEAD = function()
    return answer(200, "", { ["Content-Length"] = tostring(size) })
  end,
  GET = function(headers)
    local first, last = (headers.range or ""):match("^bytes=(%d+)%-(%d*)$")
    if not first then
      return answer(200, ("x"):rep(size))
    end
    first, last = math.tointeger(first), math.tointeger(tonumber(last) or size - 1)
    return answer(206, ("x"):rep(last - first + 1), {
      ["Content-Range"] = ("bytes %d-%d/%d"):format(first, last, size) })
  end,
  PUT = answer_put,
  POST = function(_, query)
    local kind = query:find("uploads", 1, true) and "InitiateMultipartUploadResult"
      or "CompleteMultipartUploadResult"
    return answer(200, ("<%s><UploadId>id</UploadId></%s>"):format(kind, kind))
  end,
}

local function parts_of(body)
  local parts = {}
  for text in body:gmatch("<Part>(.-)</Part>") do
    local part = {}
    for member, value in text:gmatch("<(%w+)>([^<]*)</") do
      part[member] = value:gsub('"', "&quot;")
    end
    parts[#parts + 1] = part
  end
  return parts
end

local function record(event)
  local request = event.request
  local target, query = request.url:match("^%w+://[^/]*([^?]*)%??(.*)$")
  local seen = { method = request.method, path = target, query = {}, headers = {}, parts = {}, length = 0 }
  for pair in query:gmatch("[^&]+") do
    local key, value = pair:match("^([^=]*)=?(.*)$")
    if key ~= "x-id" then
      table.insert(seen.query, { key, core.percent_decode(value) })
    end
  end
  table.sort(seen.query, function(a, b)
    return a[1] < b[1]
  end)
  local all = {}
  for header, value in pairs(request.headers) do
    header = header:lower()
    all[header] = value
    seen.headers[header] = not UNTOLD[header] and value or nil
  end
  seen.by = all.authorization:match("Credential=(%w+)/")
  local body = request.body or ""
  if request.method == "PUT" then
    seen.length = #body
  elseif request.method == "POST" then
    seen.parts = parts_of(body)
  end
  requests[#requests + 1] = seen
  return ANSWERS[request.method](all, query)
end

local function new_client(key)
  local made = aws.client("s3", { endpoint_url = "http://127.0.0.1:9", region_name = "us-east-1",
    aws_access_key_id = key, aws_secret_access_key = "b", config = { s3 = { addressing_style = "path" } } })
  made.meta.events:register("before-send.s3", record)
  return made
end

local client, other = new_client("a"), new_client("other")

local function file_of(length)
  local file <close> = assert(io.open(name, "wb"))
  assert(file:write(("x"):rep(length)))
  return name
end

local RUN = {
  upload_file = function(length, opts)
    client:upload_file(file_of(length), "bucket", "key", opts)
  end,
  upload_fileobj = function(length, opts)
    local file <close> = assert(io.open(file_of(length), "rb"))
    client:upload_fileobj(file, "bucket", "key", opts)
  end,
  upload_stream = function(length, opts)
    local file <close> = assert(io.open(file_of(length), "rb"))
    client:upload_fileobj(function()
      return file:read(100000)
    end, "bucket", "key", opts)
  end,
  download_file = function(_, opts)
    client:download_file("bucket", "key", name, opts)
  end,
  download_fileobj = function(_, opts)
    local file <close> = assert(io.open(name, "wb"))
    client:download_fileobj("bucket", "key", file, opts)
  end,
  copy = function(_, opts)
    client:copy({ Bucket = "from", Key = "a b/c" }, "bucket", "key", opts)
  end,
  copy_for = function(_, opts)
    opts.SourceClient = other
    client:copy({ Bucket = "from", Key = "a b/c" }, "bucket", "key", opts)
  end,
  copy_version = function(_, opts)
    client:copy({ Bucket = "from", Key = "a b/c", VersionId = "v1" }, "bucket", "key", opts)
  end,
}

--- Makes a transfer of so many bytes, and returns its requests, each with `method`, `path`, `query` (sorted
--- pairs), `headers`, `by` (whose keys it is signed with), `length` and `parts` (of a completion).
---@param method string
---@param length integer
---@param opts table
function recorder.run(method, length, opts)
  size, requests = length, {}
  RUN[method](length, opts)
  os.remove(name)
  return requests
end

--- Numbers as scripts write them, of what came from JSON.
function recorder.whole_numbers(value)
  if type(value) == "table" then
    for key, item in pairs(value) do
      value[key] = recorder.whole_numbers(item)
    end
  end
  return math.type(value) == "float" and math.tointeger(value) or value
end

return recorder
