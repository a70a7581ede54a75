-- Downloads in ranges are compared with the checksum that S3 tells of the object: what differs is an error
-- where that is certain, and none where it is not.
local aws = require("luaws")
local core = require("luaws.core")
local errors = require("luaws.errors")
local folder = require("spec.support.folder")
local merged = require("spec.support.merged")
local server = require("spec.support.server")
local verify = require("luaws.transfer.verify")
local path, quoted, write, read, names = folder.path, folder.quoted, folder.write, folder.read, folder.names

local DATA = "0123456789"
local RANGES = { multipart_threshold = 1, multipart_chunksize = 4, max_concurrency = 1 }

-- The checksum of the data, or of parts of these sizes, as S3 tells it; with its type, if any.
local function told(algorithm, sizes, kind)
  local value = core.checksum(algorithm, DATA)
  if sizes then
    local sums, at = {}, 1
    for i, size in ipairs(sizes) do
      sums[i] = core.base64_decode(core.checksum(algorithm, DATA:sub(at, at + size - 1)))
      at = at + size
    end
    value = ("%s-%d"):format(core.checksum(algorithm, table.concat(sums)), #sizes)
  end
  return { ["x-amz-checksum-" .. algorithm:lower()] = value, ["x-amz-checksum-type"] = kind }
end

local OURS = { 4, 4, 2 } -- parts that are our ranges
local PLACES = { 0, 3, 5, 9 } -- of a changed bit: at the start, in the middle and at the end of ranges
local COMPOSITE = told("CRC32", OURS, "COMPOSITE")

-- The answer to HeadObject.
local function head(headers)
  return { method = "HEAD", target = "/key$", headers = merged({ ["Content-Length"] = "10", ETag = '"e"' },
    headers) }
end

-- That about a part.
local function about(number, size, headers)
  return { method = "HEAD", target = ("partNumber=%d(&|$)"):format(number), status = 206, headers = merged({
    ["Content-Length"] = tostring(size), ETag = '"e"' }, headers), always = true }
end

-- Those about parts of these sizes.
local function parts(sizes, algorithm)
  local list, at = {}, 1
  for i, size in ipairs(sizes) do
    local sum = algorithm and { ["x-amz-checksum-" .. algorithm:lower()] = core.checksum(algorithm,
      DATA:sub(at, at + size - 1)) }
    list[i], at = about(i, size, sum), at + size
  end
  return list
end

-- Bytes of the data, those in places of `flips` changed.
local function bytes(first, last, flips)
  return (DATA:sub(first + 1, last + 1):gsub("()(.)", function(at, byte)
    return flips[first + at - 1] and string.char(byte:byte() ~ 1) or byte
  end))
end

local function range(first, last, flips, more)
  return merged({ method = "GET", status = 206, body = bytes(first, last, flips or {}), headers = {
    ["Content-Range"] = ("bytes %d-%d/10"):format(first, last), ETag = '"e"' } }, more)
end

-- The answers to all three.
local function ranges(flips)
  return { range(0, 3, flips), range(4, 7, flips), range(8, 9, flips) }
end

describe("a download in ranges", function()
  local peer

  local function client(config)
    return aws.client("s3", { endpoint_url = peer.url, region_name = "us-east-1", aws_access_key_id = "a",
      aws_secret_access_key = "b", config = merged({ s3 = { addressing_style = "path" },
        retries = { total_max_attempts = 1 } }, config) })
  end

  -- Downloads to a file that there is, from ranges and other answers. Returns how it ended and what is in the
  -- file.
  local function fetch(others, got, opts, config)
    peer:clear()
    peer:reply(table.unpack(table.move(got, 1, #got, #others + 1, { table.unpack(others) })))
    write("out", "old")
    local _, err = client(config).try:download_file("bucket", "key", path("out"), merged({
      Config = RANGES }, opts))
    assert.equal("out ", names())
    return err and err.kind or "whole", read("out")
  end

  -- What was asked, and for which checksums and parts.
  local function asked()
    local lines = {}
    for i, request in ipairs(peer:requests()) do
      local headers, words = request.headers, { request.method }
      local mode = request.method == "HEAD" and headers["x-amz-checksum-mode"]
      for _, word in ipairs{ request.query:match("partNumber=%d+") or false, headers.range or false,
        mode or false, headers["if-match"] or false } do
        words[#words + 1] = word or nil
      end
      lines[i] = table.concat(words, " ")
    end
    return lines
  end

  setup(function()
    peer = server.start()
    folder.make()
  end)
  after_each(function()
    os.remove(path("out"))
  end)
  teardown(function()
    peer:stop()
    folder.remove()
  end)

  local RIGHT, WRONG = { "whole", DATA }, { "FlexibleChecksumError", "old" }
  local GETS = { 'GET bytes=0-3 "e"', 'GET bytes=4-7 "e"', 'GET bytes=8- "e"' }

  for _, algorithm in ipairs{ "CRC32", "CRC32C", "CRC64NVME" } do
    local whole = head(told(algorithm, nil, "FULL_OBJECT"))
    local composite = head(told(algorithm, OURS, "COMPOSITE"))

    it("of which all or the parts have a " .. algorithm .. " needs no more requests", function()
      for _, first in ipairs{ whole, composite } do
        assert.same(RIGHT, { fetch({ first }, ranges()) })
        assert.same({ "HEAD ENABLED", table.unpack(GETS) }, asked())
      end
    end)

    it("of which all has a " .. algorithm .. " fails for a bit anywhere", function()
      for _, place in ipairs(PLACES) do
        assert.same(WRONG, { fetch({ whole }, ranges{ [place] = true }) })
      end
      assert.same(WRONG, { fetch({ whole }, ranges{ [0] = true, [4] = true, [8] = true }) })
      assert.same({ "HEAD ENABLED", table.unpack(GETS) }, asked())
    end)

    it("of which parts have a " .. algorithm .. " fails for a bit anywhere", function()
      for _, place in ipairs(PLACES) do
        assert.same(WRONG, { fetch({ composite, table.unpack(parts(OURS)) }, ranges{ [place] = true }) })
      end
      assert.same({ "HEAD ENABLED", GETS[1], GETS[2], GETS[3], 'HEAD partNumber=1 ENABLED "e"',
        'HEAD partNumber=2 ENABLED "e"', 'HEAD partNumber=3 ENABLED "e"' }, asked())
    end)
  end

  it("tells the checksums", function()
    peer:clear()
    peer:reply(head(told("CRC32", nil, "FULL_OBJECT")), table.unpack(ranges{ [5] = true }))
    local _, err = client().try:download_file("bucket", "key", path("out"), { Config = RANGES })
    assert.equal("Expected checksum poTHxg== did not match calculated checksum: "
      .. core.checksum("CRC32", "0123446789"), tostring(err))
  end)

  for _, sizes in ipairs{ { 5, 5 }, { 3, 3, 3, 1 }, { 8, 2 }, { 10 } } do
    it(("of parts of %d bytes asks for their size, and fails for a bit anywhere"):format(sizes[1]), function()
      local others = { head(told("CRC32C", sizes, "COMPOSITE")), table.unpack(parts(sizes)) }
      assert.same(RIGHT, { fetch(others, ranges()) })
      assert.same({ "HEAD ENABLED", 'HEAD partNumber=1 ENABLED "e"', table.unpack(GETS) }, asked())
      for _, place in ipairs(PLACES) do
        assert.same(WRONG, { fetch(others, ranges{ [place] = true }) })
      end
    end)
  end

  it("asks about parts as about the object", function()
    local extra = { VersionId = "v", SSECustomerAlgorithm = "AES256", SSECustomerKey = ("k"):rep(32),
      RequestPayer = "requester", ExpectedBucketOwner = "123456789012" }
    peer:clear()
    peer:reply({ method = "HEAD", target = "partNumber", headers = { ["Content-Length"] = "5" } },
      merged(head(told("CRC32", { 5, 5 })), { target = "versionId" }), table.unpack(ranges()))
    client{ s3 = { addressing_style = "path" } }:download_file("bucket", "key", path("out"), {
      Config = RANGES, ExtraArgs = extra })
    local requests = peer:requests()
    local first, second = requests[1].headers, requests[2].headers
    assert.equal("versionId=v&partNumber=1", requests[2].query)
    for _, name in ipairs{ "x-amz-server-side-encryption-customer-algorithm", "x-amz-request-payer",
      "x-amz-server-side-encryption-customer-key", "x-amz-server-side-encryption-customer-key-md5",
      "x-amz-expected-bucket-owner" } do
      assert.is_string(first[name])
      assert.equal(first[name], second[name])
    end
  end)

  -- ---- what breaks ----

  local function cut(first, last, after, flips, headers)
    local one = range(first, last, flips, { cut = { after = after } })
    one.headers = merged(one.headers, headers)
    return one
  end
  local CRC_2 = { ["x-amz-checksum-crc32"] = core.checksum("CRC32", "4567") }
  local broken = {
    { "goes on", { range(0, 3), cut(4, 7, 1), cut(5, 7, 1), range(6, 7), range(8, 9) },
      { { range(0, 3), cut(4, 7, 1, { [4] = true }), range(5, 7), range(8, 9) },
        { range(0, 3), cut(4, 7, 1), range(5, 7, { [5] = true }), range(8, 9) } } },
    { "is given again", { range(0, 3), cut(4, 7, 3, { [5] = true }, CRC_2), range(4, 7), range(8, 9) },
      { { range(0, 3), cut(4, 7, 3, {}, CRC_2), range(4, 7, { [5] = true }), range(8, 9) } } },
  }
  for _, sizes in ipairs{ false, OURS, { 5, 5 } } do
    local others = { head(told("CRC64NVME", sizes, sizes and "COMPOSITE" or "FULL_OBJECT")),
      table.unpack(parts(sizes or {})) }
    for _, case in ipairs(broken) do
      it(("one of which breaks and %s is summed up once, of %s"):format(case[1], sizes and #sizes
        .. " parts" or "all"), function()
        assert.same(RIGHT, { fetch(others, case[2]) })
        for _, got in ipairs(case[3]) do
          assert.same(WRONG, { fetch(others, got) })
        end
      end)
    end
  end

  it("whose ranges come in any order is the same", function()
    for _, order in ipairs{ { 0, 4, 8 }, { 0, 8, 4 }, { 4, 0, 8 }, { 4, 8, 0 }, { 8, 0, 4 }, { 8, 4, 0 } } do
      for _, sizes in ipairs{ OURS, { 5, 5 }, { 10 } } do
        local value = told("CRC32", sizes)["x-amz-checksum-crc32"]
        local job = { size = 10, etag = "e", args = {}, where = { Bucket = "b" },
          config = { multipart_chunksize = 4 },
          client = { meta = { config = {} }, head_object = function()
            return { ContentLength = sizes[1] }
          end } }
        local verifier = verify.new(job, { ChecksumCRC32 = value })
        for _, first in ipairs(order) do
          local sum = verifier:range_sum(first)
          sum:add(DATA:sub(first + 1, first + 4))
          verifier:keep(first, sum)
        end
        verifier:check()
      end
    end
  end)

  -- ---- where it is not certain ----

  local FLIP = { [5] = true }
  local BARE = { ["x-amz-checksum-crc32"] = "AAAAAA==" }
  local uncertain = {
    { "S3 tells no checksum", { head() } },
    { "it is no CRC", { head(told("SHA256", nil, "FULL_OBJECT")) } },
    { "it is no CRC of parts", { head(told("SHA1", OURS, "COMPOSITE")) } },
    { "it is not told of what it is", { head(BARE) } },
    { "it is told to be of parts, but not of how many", { head(merged(BARE, {
      ["x-amz-checksum-type"] = "COMPOSITE" })) } },
    { "there are parts without bytes", { head(told("CRC32", { 5, 5, 0, 0 })),
      table.unpack(parts{ 5, 5, 0, 0 }) } },
    { "the size of parts is refused", { head(told("CRC32", { 5, 5 })), { method = "HEAD", status = 403 } } },
    { "the size of parts is refused in the end", { head(COMPOSITE), { method = "HEAD", status = 403,
      always = true } } },
    { "the size of one part is refused", { head(COMPOSITE), about(1, 4), { method = "HEAD",
      target = "partNumber=2", status = 400 }, about(3, 2) } },
    { "nobody answers which size parts have", { head(COMPOSITE), { method = "HEAD", reset = true,
      always = true } } },
    { "the object is another by then", { head(COMPOSITE), { method = "HEAD", status = 412,
      always = true } } },
    { "parts have no number", { head(COMPOSITE), merged(head(COMPOSITE), { always = true, target = "." }) } },
    { "parts are unequal", { head(told("CRC32", { 3, 4, 3 })), table.unpack(parts{ 3, 4, 3 }) } },
    { "parts are unequal, but the first", { head(told("CRC32", { 4, 3, 3 })),
      table.unpack(parts{ 4, 3, 3 }) } },
    { "parts are unequal, of which S3 tells the checksums", { head(told("CRC32", { 4, 3, 3 })),
      table.unpack(parts({ 4, 3, 3 }, "CRC32")) } },
    { "as many parts do not make an object of the size of the first", { head(told("CRC32", { 6, 1, 1, 2 })),
      about(1, 6) } },
    { "there is no ETag", { merged(head(), { headers = merged(BARE, { ["Content-Length"] = "10",
      ["x-amz-checksum-type"] = "FULL_OBJECT" }) }) } },
  }
  for _, case in ipairs(uncertain) do
    it("is as it came where " .. case[1], function()
      assert.same(RIGHT, { fetch(case[2], ranges()) })
      assert.same({ "whole", bytes(0, 9, FLIP) }, { fetch(case[2], ranges(FLIP)) })
    end)
  end

  it("is as it came where S3 tells other checksums of parts than of all", function()
    local others = { head{ ["x-amz-checksum-crc32"] = "AAAAAA==-3" }, table.unpack(parts(OURS, "CRC32")) }
    assert.same(RIGHT, { fetch(others, ranges()) })
    assert.same(WRONG, { fetch(others, ranges(FLIP)) })
  end)

  it("is not compared where nobody wants it", function()
    local others = { merged(head(told("CRC32", nil, "FULL_OBJECT")), { target = "." }) }
    for _, case in ipairs{
      { "HEAD", config = { response_checksum_validation = "when_required" } },
      { "HEAD no", opts = { ExtraArgs = { ChecksumMode = "no" } } },
    } do
      assert.same({ "whole", bytes(0, 9, FLIP) }, { fetch(others, ranges(FLIP), case.opts, case.config) })
      assert.same({ case[1], table.unpack(GETS) }, asked())
    end
  end)

  it("is not compared where S3 Object Lambda makes it of another object", function()
    peer:clear()
    peer:reply(merged(head(told("CRC32", nil, "FULL_OBJECT")), { target = "." }), table.unpack(ranges(FLIP)))
    client():download_file("alias-12345--ol-s3", "key", path("out"), { Config = RANGES })
    assert.equal(bytes(0, 9, FLIP), read("out"))
    assert.same({ "HEAD", table.unpack(GETS) }, asked())
  end)

  it("is compared where the caller asks for it", function()
    local others = { head(told("CRC32", nil, "FULL_OBJECT")) }
    assert.same(WRONG, { fetch(others, ranges(FLIP), { ExtraArgs = { ChecksumMode = "ENABLED" } },
      { response_checksum_validation = "when_required" }) })
  end)

  it("can be cancelled while it asks about parts", function()
    local silent = { method = "HEAD", target = "partNumber", hang = true }
    for _, replies in ipairs{ { head(told("CRC32", { 5, 5 })), silent },
      { head(COMPOSITE), silent, table.unpack(ranges(FLIP)) } } do
      peer:clear()
      peer:reply(table.unpack(replies))
      local s3 = client{ read_timeout = 20 }
      local _, err = pcall(aws.async.timeout, 0.4, s3.download_file, s3, "bucket", "key", path("out"),
        { Config = RANGES })
      assert.equal("TimeoutError", err.kind)
      assert.equal("", names())
    end
  end)

  it("does not hide what is raised while it asks about parts", function()
    for _, raised in ipairs{ "mine", errors.new("KeyboardInterrupt", "interrupted!") } do
      peer:clear()
      peer:reply(head(told("CRC32", { 5, 5 })))
      local s3, count = client(), 0
      s3.meta.events:register("before-send.s3.HeadObject", function()
        count = count + 1
        if count == 2 then
          error(raised, 0)
        end
      end)
      local _, err = pcall(s3.download_file, s3, "bucket", "key", path("out"), { Config = RANGES })
      assert.equal(raised, err)
    end
  end)

  -- ---- where it goes ----

  -- Each takes the arguments of download_fileobj and returns what arrived, and the error.
  local function into(object, finish)
    local _, err = client().try:download_fileobj("bucket", "key", object, { Config = RANGES })
    return finish(), err and err.kind
  end
  local sinks = {
    { "a function", function()
      local got = {}
      return into(function(chunk)
        got[#got + 1] = chunk
      end, function()
        return table.concat(got)
      end)
    end, whole_chunks = true },
    { "an object", function()
      local got = {}
      return into({ write = function(_, chunk)
        got[#got + 1] = chunk
      end }, function()
        return table.concat(got)
      end)
    end, whole_chunks = true },
    { "an open file", function()
      local file <close> = assert(io.open(path("open"), "w+b"))
      return into(file, function()
        file:close()
        return read("open")
      end)
    end },
    { "a file that is appended to", function()
      write("open", "")
      local file <close> = assert(io.open(path("open"), "ab"))
      return into(file, function()
        file:close()
        return read("open")
      end)
    end },
    { "a process", function()
      local pipe <close> = assert(io.popen("cat > " .. quoted("open"), "w"))
      return into(pipe, function()
        pipe:close()
        return read("open")
      end)
    end },
    { "a FIFO", function()
      os.execute(("rm -f %s %s && mkfifo %s && (cat %s > %s; mv %s %s) &"):format(quoted("fifo"),
        quoted("open"), quoted("fifo"), quoted("fifo"), quoted("begun"), quoted("begun"), quoted("open")))
      while not core.file_status(path("fifo")) do
        aws.async.sleep(0.01)
      end
      local _, err = client().try:download_file("bucket", "key", path("fifo"), { Config = RANGES })
      while not core.file_status(path("open")) do
        aws.async.sleep(0.01)
      end
      os.remove(path("fifo"))
      return read("open"), err and err.kind
    end },
  }
  for _, case in ipairs(sinks) do
    it("into " .. case[1] .. " fails in the end, whatever breaks", function()
      for _, sizes in ipairs{ false, { 5, 5 } } do
        local others = { head(told("CRC32C", sizes, sizes and "COMPOSITE" or "FULL_OBJECT")),
          table.unpack(parts(sizes or {})) }
        for _, flips in ipairs{ {}, { [4] = true }, { [5] = true } } do
          peer:clear()
          local list = table.move(others, 1, #others, 1, {})
          -- Lua's reads give nothing of a chunk that breaks.
          local rest = range(case.whole_chunks and 4 or 5, 7, flips)
          for _, reply in ipairs{ range(0, 3, flips), cut(4, 7, 1, flips), rest, range(8, 9, flips) } do
            list[#list + 1] = reply
          end
          peer:reply(table.unpack(list))
          local got, kind = case[2]()
          assert.same({ bytes(0, 9, flips), next(flips) and "FlexibleChecksumError" }, { got, kind })
        end
      end
      os.remove(path("open"))
    end)
  end
end)
