-- Left out, and told of, where there is no Go to build versitygw with: moto verifies no signature.
-- A bit that changes on its way, to and from a server that verifies what it gets: of every request of a
-- transfer, and of its body. Whatever comes of it, an object and a file are whole or as before, and no upload
-- stays open.
local aws = require("luaws")
local child = require("spec.support.child")
local folder = require("spec.support.folder")
local versitygw = require("spec.support.versitygw")
local path, write, read = folder.path, folder.write, folder.read
local MiB = 1024 * 1024
local FIVE = { multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB }

local function hex(text)
  return (text:gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

describe("a bit that changes on its way", function()
  local gateway, direct

  setup(function()
    gateway = versitygw.start()
    direct = aws.client("s3", gateway.options)
    direct:create_bucket{ Bucket = "bucket" }
    folder.make()
  end)
  before_each(function()
    direct:put_object{ Bucket = "bucket", Key = "key", Body = "old" }
  end)
  after_each(function()
    assert.same({}, direct:list_multipart_uploads{ Bucket = "bucket" }.Uploads or {})
  end)
  teardown(function()
    folder.remove()
  end)

  local function stored(key)
    local answer = direct.try:get_object{ Bucket = "bucket", Key = key }
    return answer and answer.Body:read("a")
  end

  -- A client whose connections change the byte after this text the first or n-th time, what keeps them up,
  -- and its options.
  local function flipping(way, text, n)
    local port, handle = child.start({ "python3", "spec/support/flip_proxy.py", gateway.url:match("%d+$"),
      way, hex(text), tostring(n or 1) }, "the proxy that changes a bit")
    local options = { config = { retries = { total_max_attempts = 3, mode = "standard" } } }
    for name, value in pairs(gateway.options) do
      options[name] = options[name] or value
    end
    options.endpoint_url = "http://127.0.0.1:" .. port
    return aws.client("s3", options), handle, options
  end

  local MARK = "\xFD\xFE\xFF"
  local large = ("x"):rep(6 * MiB) .. MARK .. ("y"):rep(1000)
  local small = "abc" .. MARK .. "def"

  local up = {
    { "the body of a put", small, MARK },
    { "the head of a put", small, "PUT /bucket/k" },
    { "the request that opens an upload", large, "key?upload" },
    { "the body of a part", large, MARK },
    { "the head of a part", large, "partNumber=" },
    { "the checksum of a part", large, "x-amz-checksum-crc32: " },
    { "the list of parts", large, "<PartNumber>" },
  }
  for _, case in ipairs(up) do
    it(("in %s is noticed, and the object is as before or right"):format(case[1]), function()
      local s3, handle <close> = flipping("up", case[3])
      local _, err = s3.try:upload_file(write("in", case[2]), "bucket", "key", { Config = FIVE })
      -- A refusal may be lost, when the server closes the connection on a body that is still being sent: then
      -- it was sent again.
      assert.equal("S3UploadFailedError", err and err.kind or "S3UploadFailedError")
      assert.is_true(stored("key") == (err and "old" or case[2]))
      -- The bit stays as it is from now on.
      s3:upload_file(path("in"), "bucket", "key", { Config = FIVE })
      assert.is_true(stored("key") == case[2])
      assert(handle)
    end)
  end

  local copies = {
    { "the question for the source of a copy", small, "HEAD /bucket/sourc" },
    { "the request for a copy", small, "x-amz-copy-source: bucket/s" },
    { "the request for a part of a copy", large, "x-amz-copy-source-range: bytes=" },
  }
  for _, case in ipairs(copies) do
    it(("in %s is noticed, and the object is as before"):format(case[1]), function()
      direct:put_object{ Bucket = "bucket", Key = "source", Body = case[2] }
      local s3, handle <close> = flipping("up", case[3])
      local source = { Bucket = "bucket", Key = "source" }
      local _, err = s3.try:copy(source, "bucket", "key", { Config = FIVE })
      assert.equal("ClientError", err and err.kind)
      assert.equal("old", stored("key"))
      s3:copy(source, "bucket", "key", { Config = FIVE })
      assert.is_true(stored("key") == case[2])
      assert(handle)
    end)
  end

  local down = {
    { "in the body of an object", small, MARK, "FlexibleChecksumError" },
    { "in its checksum", small, "x-amz-checksum-crc32: ", "FlexibleChecksumError", nth = 2 },
    { "in the checksum of one in ranges", large, "x-amz-checksum-crc32: ", "FlexibleChecksumError" },
    { "in the request for it", small, "GET /bucket/sourc", "ClientError", "up" },
    { "in the question for its size", small, "HEAD /bucket/sourc", "ClientError", "up" },
  }
  for _, case in ipairs(down) do
    it(case[1] .. " is noticed, and the file is as before", function()
      direct:put_object{ Bucket = "bucket", Key = "source", Body = case[2] }
      write("out", "old")
      local s3, handle <close> = flipping(case[5] or "down", case[3], case.nth)
      local _, err = s3.try:download_file("bucket", "source", path("out"), { Config = FIVE })
      assert.equal(case[4], err and err.kind)
      assert.equal("old", read("out"))
      s3:download_file("bucket", "source", path("out"), { Config = FIVE })
      assert.is_true(read("out") == case[2])
      assert(handle)
    end)
  end

  -- ---- in ranges ----

  -- What stands before the bytes to be changed: one of the first, the last of a part, the last of all.
  local STARTS, ENDS, LAST = "\xFD\xFE\xF1", "\xFD\xFE\xF2", "\xFD\xFE\xF3"
  local long = STARTS .. ("a"):rep(5 * MiB - 7) .. ENDS .. ("b"):rep(6 * MiB) .. LAST .. "."
  local objects = {
    { "put in one piece", function()
      direct:put_object{ Bucket = "bucket", Key = "source", Body = long }
    end },
    { "uploaded in parts", function()
      direct:upload_file(write("in", long), "bucket", "source", { Config = FIVE })
    end },
    { "uploaded in parts with a checksum of the whole", function()
      direct:upload_file(write("in", long), "bucket", "source", { Config = FIVE, ExtraArgs = {
        ChecksumAlgorithm = "CRC64NVME" } })
    end },
  }
  local ranges = { ["of the size of parts"] = FIVE, ["of another size"] = {
    multipart_threshold = 5 * MiB, multipart_chunksize = 3 * MiB } }
  for _, object in ipairs(objects) do
    for name, config in pairs(ranges) do
      it(("in ranges %s of an object %s is noticed"):format(name, object[1]), function()
        object[2]()
        for _, mark in ipairs{ STARTS, ENDS, LAST } do
          write("out", "old")
          local s3, handle <close> = flipping("down", mark)
          local _, err = s3.try:download_file("bucket", "source", path("out"), { Config = config })
          assert.equal("FlexibleChecksumError", err and err.kind)
          assert.equal("old", read("out"))
          s3:download_file("bucket", "source", path("out"), { Config = config })
          assert.is_true(read("out") == long)
          assert(handle)
        end
      end)
    end
  end

  it("in ranges of an object in a folder is noticed, and what is there of it is as before", function()
    direct:put_object{ Bucket = "bucket", Key = "folder/long", Body = long }
    direct:put_object{ Bucket = "bucket", Key = "folder/small", Body = small }
    local _, handle <close>, options = flipping("down", ENDS)
    local bucket = aws.resource("s3", options):Bucket("bucket")
    local _, err = pcall(bucket.download_dir, bucket, path("folder"), { Prefix = "folder", Config = FIVE })
    assert.equal("FlexibleChecksumError", err and err.kind)
    assert.is_nil(read("folder/long"))
    bucket:download_dir(path("folder"), { Prefix = "folder", Config = FIVE })
    assert.same({ true, small }, { read("folder/long") == long, read("folder/small") })
    assert(handle)
  end)
end)
