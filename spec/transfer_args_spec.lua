-- Which ExtraArgs are allowed, and which requests each of them changes in which way, is as in boto3
-- (spec/fixtures/transfer_args.json, which scripts/transfer-fixtures.py wrote). But a download asks
-- HeadObject for the object's checksum whether it is told to or not.
local cjson = require("cjson")
local config = require("luaws.transfer.config")
local recorder = require("spec.support.transfer_recorder")
local MiB = 1024 * 1024

local file <close> = assert(io.open("spec/fixtures/transfer_args.json"))
local boto3 = recorder.whole_numbers(cjson.decode(file:read("a")))

-- The Python that wrote the fixture had no code for these.
local UNKNOWN = { crc32c = true, crc64nvme = true, xxhash64 = true, xxhash3 = true, xxhash128 = true }

local function mask(name, value)
  local algorithm = name:lower():gsub("^x%-amz%-checksum%-", ""):gsub("^checksum", "")
  return UNKNOWN[algorithm] and "*" or value
end

local function operation(request)
  local query = {}
  for _, pair in ipairs(request.query) do
    query[pair[1]] = true
  end
  local copies = request.headers["x-amz-copy-source"]
  if request.method == "POST" then
    return query.uploads and "CreateMultipartUpload" or "CompleteMultipartUpload"
  elseif request.method == "PUT" then
    local what = query.partNumber and "UploadPart" or copies and "CopyObject" or "PutObject"
    return query.partNumber and copies and what .. "Copy" or what
  end
  return ({ GET = "GetObject", HEAD = "HeadObject", DELETE = "AbortMultipartUpload" })[request.method]
end

-- What was asked, in lines of operation and header, part of the query, or member of a part.
local function lines(requests)
  local all = {}
  for _, request in ipairs(requests) do
    local name = operation(request)
    all[("%s by %s of %s"):format(name, request.by, request.path)] = true
    for header, value in pairs(request.headers) do
      all[("%s %s: %s"):format(name, header, mask(header, value))] = true
    end
    for _, pair in ipairs(request.query) do
      all[("%s ?%s=%s"):format(name, pair[1], pair[2])] = true
    end
    for _, part in ipairs(request.parts) do
      for member, value in pairs(part) do
        local text = mask(member, value):gsub("&quot;", '"')
        all[("%s part %s %s=%s"):format(name, part.PartNumber, member, text)] = true
      end
    end
  end
  return all
end

local function missing(from, all)
  local list = {}
  for line in pairs(from) do
    if not all[line] then
      list[#list + 1] = line
    end
  end
  table.sort(list)
  return list
end

local ASKS = "HeadObject x-amz-checksum-mode: ENABLED"

local function run(case, extra)
  local told = lines(recorder.run(case.method, case.size, { ExtraArgs = extra, Config = {
    multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB } }))
  if case.method:find("^download") then
    assert.is_true(told[ASKS])
    told[ASKS] = extra.ChecksumMode and true -- as it would be in boto3
  end
  return told
end

local plain = {}

-- Without ExtraArgs; nothing at all, where that is what is compared.
local function before(case)
  if next(case.extra_args) == nil then
    return {}
  end
  local key = case.method .. case.size
  plain[key] = plain[key] or run(case, {})
  return plain[key]
end

describe("ExtraArgs", function()
  for _, kind in ipairs{ "upload", "download", "copy" } do
    it("that are allowed for " .. kind .. " are boto3's", function()
      local theirs, ours = boto3.allowed[kind], { table.unpack(config.ALLOWED[kind]) }
      table.sort(theirs)
      table.sort(ours)
      assert.same(theirs, ours)
    end)
  end

  for _, case in ipairs(boto3.cases) do
    it(("%s change %s of %d bytes as in boto3"):format(cjson.encode(case.extra_args), case.method, case.size),
      function()
        local now, was = run(case, case.extra_args), before(case)
        assert.same({ case.more, case.less }, { missing(now, was), missing(was, now) })
      end)
  end
end)
