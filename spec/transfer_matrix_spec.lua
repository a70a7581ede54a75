-- Every operation of a transfer, with every fault that its answer may have: once, upon which the transfer
-- comes through, or always, upon which it fails as it should. No upload stays open that could be aborted, and
-- what is there of a file is whole. All of a row go at once, each with a key of its own.
local aws = require("luaws")
local folder = require("spec.support.folder")
local merged = require("spec.support.merged")
local server = require("spec.support.server")
local path, write, read = folder.path, folder.write, folder.read
local MiB = 1024 * 1024

local SIZE = 5 * MiB + 1
local CONFIG = { multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB }
local RANGES = { multipart_threshold = 1, multipart_chunksize = 6, max_concurrency = 1,
  num_download_attempts = 2 }
local DATA = "0123456789"

local peer, s3

-- ---- what a good server answers ----

local function xml(kind, inside)
  return ("<%s>%s</%s>"):format(kind, inside, kind)
end

local ANSWERS = {
  CreateMultipartUpload = { method = "POST", target = [[\?uploads]],
    body = xml("InitiateMultipartUploadResult", "<UploadId>id</UploadId>") },
  UploadPart = { method = "PUT", target = "partNumber=", headers = { ETag = '"e"' } },
  UploadPartCopy = { method = "PUT", target = "partNumber=",
    body = xml("CopyPartResult", '<ETag>"e"</ETag>') },
  CompleteMultipartUpload = { method = "POST", target = [[\?uploadId=]],
    body = xml("CompleteMultipartUploadResult", '<ETag>"e"</ETag>') },
  AbortMultipartUpload = { method = "DELETE", target = "uploadId=", status = 204 },
  PutObject = { method = "PUT", target = "$", headers = { ETag = '"e"' } },
  CopyObject = { method = "PUT", target = "$", body = xml("CopyObjectResult", '<ETag>"e"</ETag>') },
  HeadObject = { method = "HEAD", target = "$", headers = { ETag = '"e"' } },
  GetObject = { method = "GET", target = "$", body = DATA, headers = { ETag = '"e"',
    ["x-amz-checksum-crc32"] = "poTHxg==" } },
}
local RANGE = { -- what is asked for in parts
  { method = "GET", status = 206, body = "012345",
    headers = { ["Content-Range"] = "bytes 0-5/10", ETag = '"e"' } },
  { method = "GET", status = 206, body = "6789",
    headers = { ["Content-Range"] = "bytes 6-9/10", ETag = '"e"' } },
}

local BAD = { status = 400, body = xml("Error", "<Code>Bad</Code><Message>no</Message>") }

-- ---- the transfers ----

local function upload(key)
  s3:upload_file(path("large"), "bucket", key, { Config = CONFIG })
end

local function put(key)
  s3:upload_file(path("small"), "bucket", key)
end

local function download(key)
  s3:download_file("bucket", key, path(key), { Config = { num_download_attempts = 2 } })
end

local function download_ranges(key)
  s3:download_file("bucket", key, path(key), { Config = RANGES })
end

local function copy(key)
  s3:copy({ Bucket = "from", Key = key }, "bucket", key, { Config = CONFIG })
end

-- name, transfer, operation with the fault, size that HeadObject tells
local COLUMNS = {
  { "an upload's CreateMultipartUpload", upload, "CreateMultipartUpload" },
  { "an upload's UploadPart", upload, "UploadPart" },
  { "an upload's CompleteMultipartUpload", upload, "CompleteMultipartUpload" },
  { "an upload's AbortMultipartUpload", upload, "AbortMultipartUpload", fails = "UploadPart" },
  { "an upload's PutObject", put, "PutObject" },
  { "a download's HeadObject", download, "HeadObject", size = 10 },
  { "a download's GetObject", download, "GetObject", size = 10 },
  { "a download's GetObject of ranges", download_ranges, "GetObject", size = 10, ranges = true },
  { "a copy's HeadObject", copy, "HeadObject", size = 10, copies = true },
  { "a copy's CopyObject", copy, "CopyObject", size = 10, copies = true },
  { "a copy's CreateMultipartUpload", copy, "CreateMultipartUpload", size = SIZE, copies = true },
  { "a copy's UploadPartCopy", copy, "UploadPartCopy", size = SIZE, copies = true },
  { "a copy's CompleteMultipartUpload", copy, "CompleteMultipartUpload", size = SIZE, copies = true },
  { "a copy's AbortMultipartUpload", copy, "AbortMultipartUpload", size = SIZE, copies = true,
    fails = "UploadPartCopy" },
}

-- ---- the faults ----

local HEAD_ONLY = { HeadObject = true, PutObject = true, UploadPart = true, AbortMultipartUpload = true }

local FAULTS = {
  reset = function()
    return { reset = true }
  end,
  stall = function()
    return { hang = true }
  end,
  truncation = function(name, ranges)
    if HEAD_ONLY[name] then
      return { raw = "HTTP/1.1 200 OK\r\nContent-", then_ = "close" }
    end
    return { cut = { after = ranges and 0 or 5 } }
  end,
  ["500"] = function()
    return { status = 500, body = xml("Error", "<Code>InternalError</Code><Message>no</Message>") }
  end,
  ["503"] = function()
    return { status = 503, body = xml("Error", "<Code>SlowDown</Code><Message>no</Message>") }
  end,
  slow = function()
    return { delay = 0.7 }
  end,
}

-- What the server answers to one key.
local function replies(column, key, fault, how)
  local list = {}
  local function add(reply, more)
    local target = "/" .. key .. (reply.target == "$" and [[(\?|$)]] or [[\?.*]] .. (reply.target or ""):gsub(
      [[^\?]], ""))
    list[#list + 1] = merged(merged(reply, more or {}), { target = target })
  end
  local name = column[3]
  local good = column.ranges and merged(RANGE[1], { target = "$" }) or ANSWERS[name]
  if name == "HeadObject" then
    good = merged(good, { headers = { ["Content-Length"] = tostring(column.size), ETag = '"e"' } })
  end
  local wrong = fault(name, column.ranges)
  if not (wrong.delay and column.ranges) then -- each range is given once
    add(good, merged(wrong, how == "always" and { always = true } or {}))
  end
  if column.fails then
    add(ANSWERS[column.fails], merged(BAD, { always = true }))
  end
  if column.ranges then
    for _, range in ipairs(RANGE) do
      add(merged(range, { target = "$", delay = wrong.delay }))
    end
  end
  for _, other in ipairs{ "CreateMultipartUpload", column.copies and "UploadPartCopy" or "UploadPart",
    "CompleteMultipartUpload", "AbortMultipartUpload", column.copies and "CopyObject" or "PutObject" } do
    add(ANSWERS[other], { always = true })
  end
  add(ANSWERS.HeadObject, { always = true, headers = { ["Content-Length"] = tostring(column.size or 0),
    ETag = '"e"' } })
  add(ANSWERS.GetObject, { always = true })
  return list
end

-- Which operation a request was for.
local function operation(request)
  local parts = request.query:find("partNumber=", 1, true)
  if request.method == "PUT" then
    local copies = request.headers["x-amz-copy-source"]
    return parts and (copies and "UploadPartCopy" or "UploadPart") or copies and "CopyObject" or "PutObject"
  elseif request.method == "POST" then
    return request.query:find("uploads", 1, true) and "CreateMultipartUpload" or "CompleteMultipartUpload"
  end
  return ({ DELETE = "AbortMultipartUpload", HEAD = "HeadObject", GET = "GetObject" })[request.method]
end

local USUAL = { UploadPart = 2, UploadPartCopy = 2 }

local function is_download(column)
  return column[2] == download or column[2] == download_ranges
end

-- Runs a row. Returns, for each column, in words: how it ended, how often its operation was asked for beyond
-- the usual (where that is certain), whether the upload was aborted, what there is of a file.
local function run(fault, how)
  local list, results = {}, {}
  for i, column in ipairs(COLUMNS) do
    if is_download(column) then
      write("key" .. i, "old")
    end
    table.move(replies(column, "key" .. i, fault, how), 1, 99, #list + 1, list)
  end
  peer:clear()
  peer:reply(table.unpack(list))
  aws.async.map(COLUMNS, function(column, i)
    local ok, err = pcall(column[2], "key" .. i)
    local asked = {}
    for _, request in ipairs(peer:requests()) do
      if request.path:match("[^/]*$") == "key" .. i then
        local name = operation(request)
        asked[name] = (asked[name] or 0) + 1
      end
    end
    local words = { ok and "done" or tostring(err.code or err.kind) }
    if how == "once" then
      words[2] = ("%+d"):format((asked[column[3]] or 0) - (column.ranges and 2 or USUAL[column[3]] or 1))
    end
    words[#words + 1] = asked.AbortMultipartUpload and "aborted"
    words[#words + 1] = is_download(column) and read("key" .. i) or nil
    results[column[1]] = table.concat(words, " ")
  end, { concurrency = #COLUMNS })
  return results
end

-- What it ends with when the fault does not go away; other names for what has no body, and for bodies that
-- are asked for again and again.
local ENDS = {
  reset = { "ConnectionClosedError" },
  stall = { "ReadTimeoutError", GetObject = "RetriesExceededError" },
  truncation = { "ConnectionClosedError", GetObject = "RetriesExceededError" },
  ["500"] = { "InternalError", HeadObject = "500" },
  ["503"] = { "SlowDown", HeadObject = "503" },
}
local ABORTED = { UploadPart = true, UploadPartCopy = true, CompleteMultipartUpload = true }

local function expected(name, how)
  local results = {}
  for _, column in ipairs(COLUMNS) do
    local ends = how == "always" and ENDS[name]
    local failure = ends and (ends[column[3]] or ends[1])
    local words = { column.fails and "Bad" or failure or "done" }
    if how == "once" then
      words[2] = name == "slow" and "+0" or "+1"
    end
    words[#words + 1] = (column.fails or failure and ABORTED[column[3]]) and "aborted" or nil
    words[#words + 1] = is_download(column) and (failure and "old" or DATA) or nil
    results[column[1]] = table.concat(words, " ")
  end
  return results
end

describe("a fault of every operation of uploads, downloads and copies", function()
  setup(function()
    peer = server.start()
    folder.make()
    write("large", ("x"):rep(SIZE))
    write("small", DATA)
    s3 = aws.client("s3", { endpoint_url = peer.url, region_name = "us-east-1", aws_access_key_id = "a",
      aws_secret_access_key = "b", config = { s3 = { addressing_style = "path" }, read_timeout = 4,
        max_pool_connections = 50, retries = { total_max_attempts = 2, mode = "standard" } } })
  end)
  teardown(function()
    peer:stop()
    folder.remove()
  end)

  for _, how in ipairs{ "once", "always" } do
    for name, fault in pairs(FAULTS) do
      it(("that is there %s is got over or told: %s"):format(how, name), function()
        assert.same(expected(name, how), run(fault, how))
      end)
    end
  end
end)
