-- Transfers against moto: sizes around every threshold, every kind of source and sink, arguments.
local aws = require("luaws")
local moto = require("spec.support.moto")
local MiB = 1024 * 1024
local FIVE = { multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB }

local s3 = aws.client("s3", { endpoint_url = moto.url, region_name = "us-east-1", aws_access_key_id = "a",
  aws_secret_access_key = "b" })
local folder

local function path(name)
  return folder .. "/" .. name
end

-- Bytes that differ from place to place.
local function bytes(n)
  local line, pieces = ("%08x"):rep(512), {}
  for i = 1, n // 4096 + 1 do
    pieces[i] = line:gsub("%%08x", ("%08x"):format(i * 2654435761 % 2 ^ 32 // 1 | 0))
  end
  return table.concat(pieces):sub(1, n)
end

local function write(name, data)
  local file <close> = assert(io.open(path(name), "wb"))
  assert(file:write(data))
  return path(name)
end

local function read(name)
  local file <close> = assert(io.open(path(name), "rb"))
  return file:read("a")
end

local function names()
  local list <close> = assert(io.popen("ls -A " .. folder))
  local found = {}
  for name in list:lines() do
    found[#found + 1] = name
  end
  return found
end

describe("transfers", function()
  before_each(function()
    moto.reset()
    s3:create_bucket{ Bucket = "bucket" }
    local made <close> = io.popen("mktemp -d")
    folder = made:read("l")
  end)

  after_each(function()
    assert.is_nil(s3:list_multipart_uploads{ Bucket = "bucket" }.Uploads)
    os.execute("rm -rf " .. folder)
  end)

  for _, size in ipairs{ 0, 1, 5 * MiB - 1, 5 * MiB, 5 * MiB + 1, 10 * MiB, 12 * MiB + 5 } do
    it(("upload, copy and download %d bytes"):format(size), function()
      local data = bytes(size)
      local up, down = {}, {}
      local function sum(into)
        return function(new, so_far, total)
          into.sum = (into.sum or 0) + new
          assert.equal(into.sum, so_far)
          into.total = total
        end
      end
      s3:upload_file(write("in", data), "bucket", "key", { Config = FIVE, Callback = sum(up) })
      s3:copy({ Bucket = "bucket", Key = "key" }, "bucket", "copy", { Config = FIVE })
      s3:download_file("bucket", "copy", path("out"), { Config = FIVE, Callback = sum(down) })
      assert.is_true(read("out") == data)
      assert.same({ "in", "out" }, names())
      local expected = size > 0 and { sum = size, total = size } or {}
      assert.same({ expected, expected }, { up, down })
      local parts = s3:head_object{ Bucket = "bucket", Key = "key" }.ETag:match("%-(%d+)")
      assert.equal(size >= 5 * MiB and (size + 5 * MiB - 1) // (5 * MiB) or nil, tonumber(parts))
    end)
  end
end)
