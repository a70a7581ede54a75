-- Transfers from and to pipes: the loop goes on while they have nothing or no room, and memory stays small.
local aws = require("luaws")
local child = require("spec.support.child")
local folder = require("spec.support.folder")
local moto = require("spec.support.moto")
local others_during = require("spec.support.others")
local path, quoted = folder.path, folder.quoted
local MiB = 1024 * 1024
local FIVE = { multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB }

local s3 = aws.client("s3", { endpoint_url = moto.url, region_name = "us-east-1", aws_access_key_id = "a",
  aws_secret_access_key = "b" })
local luaws = child.quote((os.getenv("LUAWS_BUILD") or "build") .. "/luaws")
local function shell(command, ...)
  assert(os.execute(command:format(...)))
end

-- The SHA-256 of an object, of a file.
local function stored(key)
  local pipe = assert(io.popen("sha256sum > " .. quoted("sum"), "w"))
  for chunk in s3:get_object{ Bucket = "bucket", Key = key }.Body:chunks() do
    pipe:write(chunk)
  end
  pipe:close()
  return io.open(path("sum")):read(64)
end

local function sum_of(name)
  return child.output{ "sha256sum", path(name) }:sub(1, 64)
end

describe("a transfer", function()
  before_each(function()
    moto.reset()
    s3:create_bucket{ Bucket = "bucket" }
    folder.make()
    shell("head -c %d /dev/urandom > %s", 6 * MiB, quoted("in"))
  end)
  after_each(function()
    assert.is_nil(s3:list_multipart_uploads{ Bucket = "bucket" }.Uploads)
    folder.remove()
  end)

  local slow = "(sleep 0.4; head -c 3000000 %s; sleep 0.4; tail -c +3000001 %s)"
  local sources = {
    { "a process", function()
      return assert(io.popen(slow:format(quoted("in"), quoted("in"))))
    end },
    { "a FIFO that nobody writes to yet", function()
      shell("mkfifo %s && (%s > %s &)", quoted("fifo"), slow:format(quoted("in"), quoted("in")),
        quoted("fifo"))
      return path("fifo")
    end },
  }
  for _, case in ipairs(sources) do
    it("from " .. case[1] .. " lets other tasks go on while nothing comes", function()
      local source = case[2]()
      local count = others_during(function()
        if type(source) == "string" then
          s3:upload_file(source, "bucket", "key", { Config = FIVE })
        else
          s3:upload_fileobj(source, "bucket", "key", { Config = FIVE })
        end
      end)
      assert.equal(sum_of("in"), stored("key"))
      assert.is_true(count >= 5, count)
    end)
  end

  it("from a pipe that is silent can be cancelled, and leaves nothing", function()
    local silent <close> = assert(io.popen(("head -c %d %s; sleep 3"):format(6 * MiB, quoted("in"))))
    local _, err = pcall(aws.async.timeout, 0.5, s3.upload_fileobj, s3, silent, "bucket", "key",
      { Config = FIVE })
    assert.equal("TimeoutError", err.kind)
    shell("mkfifo %s", quoted("fifo"))
    _, err = pcall(aws.async.timeout, 0.2, s3.upload_file, s3, path("fifo"), "bucket", "key")
    assert.equal("TimeoutError", err.kind)
    assert.is_nil(s3:list_objects_v2{ Bucket = "bucket" }.Contents)
  end)

  it("from standard input begins behind what the script has read of it", function()
    local script = ([[
      assert(io.read() == "a line")
      local s3 = require("luaws").client("s3", { endpoint_url = %q, region_name = "us-east-1",
        aws_access_key_id = "a", aws_secret_access_key = "b" })
      s3:upload_fileobj(io.stdin, "bucket", "key")
    ]]):format(moto.url)
    shell("(echo a line; cat %s) | %s -e %s", quoted("in"), luaws, child.quote(script))
    assert.equal(sum_of("in"), stored("key"))
  end)

  it("to a FIFO lets other tasks go on until somebody reads it, and while it is full", function()
    s3:upload_file(path("in"), "bucket", "key")
    for _, config in ipairs{ {}, { multipart_threshold = MiB, multipart_chunksize = MiB } } do
      shell("rm -f %s; mkfifo %s; ((sleep 0.4; exec <%s; sleep 0.4; cat > %s; echo > %s) &)", quoted("fifo"),
        quoted("fifo"), quoted("fifo"), quoted("out"), quoted("done"))
      local count = others_during(function()
        s3:download_file("bucket", "key", path("fifo"), { Config = config })
      end)
      while not io.open(path("done")) do
        aws.async.sleep(0.01)
      end
      os.remove(path("done"))
      assert.equal(sum_of("in"), sum_of("out"))
      assert.is_true(count >= 5, count)
    end
  end)

  it("to a process that reads slowly lets other tasks go on, and the process sees the end", function()
    s3:upload_file(path("in"), "bucket", "key")
    local pipe = assert(io.popen(("sleep 0.6; cat > %s"):format(quoted("out")), "w"))
    local count = others_during(function()
      s3:download_fileobj("bucket", "key", pipe)
    end)
    pipe:close()
    assert.equal(sum_of("in"), sum_of("out"))
    assert.is_true(count >= 5, count)
  end)

  it("of parts that are too large for memory keeps them in files without names", function()
    shell("head -c %d /dev/urandom > %s", 45 * MiB, quoted("in"))
    local config = { multipart_threshold = 41 * MiB, multipart_chunksize = 41 * MiB }
    local function from_function()
      local file = assert(io.open(path("in"), "rb"))
      return function()
        return file:read(3333333)
      end
    end
    for _, source in ipairs{ assert(io.popen("cat " .. quoted("in"))), from_function() } do
      s3:upload_fileobj(source, "bucket", "key", { Config = config })
      assert.equal(sum_of("in"), stored("key"))
      assert.matches("%-2", s3:head_object{ Bucket = "bucket", Key = "key" }.ETag)
    end
    shell("cat %s | head -c %d > %s", quoted("in"), 40 * MiB, quoted("less"))
    -- In one piece:
    s3:upload_fileobj(io.popen("cat " .. quoted("less")), "bucket", "key", { Config = config })
    assert.equal(sum_of("less"), stored("key"))
  end)

  it("that has no room for its parts says so", function()
    local script = ([[
      local s3 = require("luaws").client("s3", { endpoint_url = %q, region_name = "us-east-1",
        aws_access_key_id = "a", aws_secret_access_key = "b" })
      local MiB = 1024 * 1024
      local ok, err = pcall(s3.upload_fileobj, s3, io.stdin, "bucket", "key", { Config = {
        multipart_threshold = 40 * MiB, multipart_chunksize = 40 * MiB } })
      print(err.kind, err)
    ]]):format(moto.url)
    local said = child.output{ "sh", "-c", ("echo x | TMPDIR=/nowhere %s -e %s"):format(luaws,
      child.quote(script)) }
    assert.equal("IOError\tmaking a temporary file in /nowhere: No such file or directory\n", said)
  end)

  it("from a pipe takes less than 64 MB, whatever the size of its parts", function()
    local script = ([[
      local s3 = require("luaws").client("s3", { endpoint_url = %q, region_name = "us-east-1",
        aws_access_key_id = "a", aws_secret_access_key = "b" })
      s3:upload_fileobj(io.stdin, "bucket", "key", { Config = { multipart_chunksize = %%d * 1024 * 1024 } })
      local maps, status = io.open("/proc/self/maps"):read("a"), io.open("/proc/self/status"):read("a")
      print(maps:find("libasan", 1, true) and 0 or status:match("VmHWM:%%%%s+(%%%%d+)"))
    ]]):format(moto.url)
    for _, size in ipairs{ 8, 30, 50 } do
      local kb = child.output{ "sh", "-c", ("head -c %d /dev/zero | %s -e %s"):format(120 * MiB, luaws,
        child.quote(script:format(size))) }
      assert.is_true(tonumber(kb) < 64000, kb)
    end
  end)
end)
