-- Transfers against moto: sizes around every threshold, every kind of source and sink, arguments.
local aws = require("luaws")
local child = require("spec.support.child")
local folder = require("spec.support.folder")
local moto = require("spec.support.moto")
local path, quoted, write, read = folder.path, folder.quoted, folder.write, folder.read
local MiB = 1024 * 1024
local FIVE = { multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB }

local s3 = aws.client("s3", { endpoint_url = moto.url, region_name = "us-east-1", aws_access_key_id = "a",
  aws_secret_access_key = "b" })

-- Bytes that differ from place to place.
local function bytes(n)
  local line, pieces = ("%08x"):rep(512), {}
  for i = 1, n // 4096 + 1 do
    pieces[i] = line:gsub("%%08x", ("%08x"):format(i * 2654435761 % 2 ^ 32 // 1 | 0))
  end
  return table.concat(pieces):sub(1, n)
end

local function stored(key)
  return s3:get_object{ Bucket = "bucket", Key = key }.Body:read("a")
end

local function names()
  local list <close> = assert(io.popen("ls -A " .. child.quote(folder.path())))
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
    folder.make()
  end)

  after_each(function()
    assert.is_nil(s3:list_multipart_uploads{ Bucket = "bucket" }.Uploads)
    folder.remove()
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

  -- moto leaves out of how many parts a checksum is, and what it is of; and CRCs other than CRC32 are none.
  it("are not deceived by a checksum of parts that looks like one of all", function()
    local data = bytes(12 * MiB)
    local name = write("in", data)
    for _, algorithm in ipairs{ "CRC32", "CRC32C", "CRC64NVME", "SHA256" } do
      s3:upload_file(name, "bucket", "key", { Config = FIVE, ExtraArgs = { ChecksumAlgorithm = algorithm } })
      s3:copy_object{ Bucket = "bucket", Key = "copy", CopySource = "bucket/key" }
      for _, key in ipairs{ "key", "copy" } do
        assert.is_string(s3:head_object{ Bucket = "bucket", Key = key,
          ChecksumMode = "ENABLED" }["Checksum" .. algorithm])
        s3:download_file("bucket", key, path("out"), { Config = FIVE })
        assert.is_true(read("out") == data)
      end
    end
  end)

  it("take io files, pipes, functions and objects that read", function()
    local data = bytes(6 * MiB)
    local name = write("in", data)
    local at = 0
    local object = { read = function(_, n)
      at = at + n
      return data:sub(at - n + 1, at)
    end }
    local sources = {
      regular = assert(io.open(name, "rb")),
      piped = assert(io.popen("cat " .. child.quote(name))),
      called = (function()
        local file = assert(io.open(name, "rb"))
        return function()
          return file:read(777777)
        end
      end)(),
      object = object,
    }
    for kind, source in pairs(sources) do
      s3:upload_fileobj(source, "bucket", kind, { Config = FIVE })
      assert.is_true(stored(kind) == data, kind)
      assert.matches("%-2", s3:head_object{ Bucket = "bucket", Key = kind }.ETag)
    end
    assert.equal(#data, sources.regular:seek())
    s3:upload_fileobj(s3:get_object{ Bucket = "bucket", Key = "piped" }.Body, "bucket", "body",
      { Config = FIVE })
    assert.is_true(stored("body") == data)
  end)

  it("send an io file from where it stands", function()
    local file <close> = assert(io.open(write("in", bytes(6 * MiB)), "rb"))
    file:seek("set", 1000)
    s3:upload_fileobj(file, "bucket", "key", { Config = FIVE })
    assert.is_true(stored("key") == bytes(6 * MiB):sub(1001))
  end)

  it("send what comes out of a named pipe", function()
    os.execute(("mkfifo %s && (cat %s > %s &)"):format(quoted("fifo"), child.quote(write("in",
      bytes(6 * MiB))), quoted("fifo")))
    s3:upload_file(path("fifo"), "bucket", "key", { Config = FIVE })
    assert.is_true(stored("key") == bytes(6 * MiB))
  end)

  it("write to io files, functions and objects", function()
    local data = bytes(3 * MiB)
    s3:put_object{ Bucket = "bucket", Key = "key", Body = data }
    local small = { multipart_threshold = MiB, multipart_chunksize = MiB // 2 }
    local file <close> = assert(io.open(path("io"), "w+b"))
    s3:download_fileobj("bucket", "key", file, { Config = small })
    assert.equal(#data, file:seek())
    file:write("more")
    file:close()
    assert.is_true(read("io") == data .. "more")

    local appended <close> = assert(io.open(path("appended"), "ab"))
    appended:write("before ")
    s3:download_fileobj("bucket", "key", appended, { Config = small })
    appended:close()
    assert.is_true(read("appended") == "before " .. data)

    local pieces = {}
    s3:download_fileobj("bucket", "key", { write = function(_, chunk)
      pieces[#pieces + 1] = chunk
    end }, { Config = small })
    assert.is_true(table.concat(pieces) == data)

    local pipe = assert(io.popen("cat > " .. quoted("piped"), "w"))
    s3:download_fileobj("bucket", "key", pipe, { Config = small })
    pipe:close()
    assert.is_true(read("piped") == data)
  end)

  it("write in order to standard output, whatever it is", function()
    s3:put_object{ Bucket = "bucket", Key = "key", Body = "0123456789" }
    local luaws = child.quote((os.getenv("LUAWS_BUILD") or "build") .. "/luaws")
    local script = ([[
      local s3 = require("luaws").client("s3", { endpoint_url = %q, region_name = "us-east-1",
        aws_access_key_id = "a", aws_secret_access_key = "b" })
      io.write("<")
      s3:download_file("bucket", "key", "/dev/stdout", {
        Config = { multipart_threshold = 1, multipart_chunksize = 3 } })
      io.write(">")
    ]]):format(moto.url)
    for _, into in ipairs{ "> ", "| cat > " } do
      os.execute(("%s %s %s%s"):format(luaws, child.quote(write("script", script)), into,
        quoted("out")))
      assert.equal("<0123456789>", read("out"))
    end
  end)

  it("are methods of buckets and objects", function()
    local resource = aws.resource("s3", { endpoint_url = moto.url, region_name = "us-east-1",
      aws_access_key_id = "a", aws_secret_access_key = "b" })
    local bucket, name = resource:Bucket("bucket"), write("in", "hello")
    bucket:upload_file(name, "a", { ExtraArgs = { Metadata = { by = "bucket" } } })
    assert.same({ by = "bucket" }, bucket:Object("a").metadata)
    bucket:Object("b"):upload_file{ Filename = name }
    bucket:Object("c"):copy({ Bucket = "bucket", Key = "a" })
    bucket:copy({ Bucket = "bucket", Key = "b" }, "d")
    bucket:upload_fileobj(io.open(name), "e")
    bucket:Object("f"):upload_fileobj(io.open(name))
    for _, key in ipairs{ "a", "b", "c", "d", "e", "f" } do
      bucket:download_file(key, path("1"))
      bucket:Object(key):download_file(path("2"))
      local pieces = {}
      bucket:Object(key):download_fileobj(function(chunk)
        pieces[#pieces + 1] = chunk
      end)
      bucket:download_fileobj(key, io.open(path("3"), "w"))
      collectgarbage()
      assert.same({ "hello", "hello", "hello", "hello" }, { read("1"), read("2"), read("3"),
        table.concat(pieces) })
    end
  end)

  it("take all arguments in one table", function()
    s3:upload_file{ Filename = write("in", "x"), Bucket = "bucket", Key = "key",
      ExtraArgs = { ACL = "private" } }
    s3:download_file{ Bucket = "bucket", Key = "key", Filename = path("out") }
    s3:copy{ CopySource = { Bucket = "bucket", Key = "key" }, Bucket = "bucket", Key = "copy",
      SourceClient = s3 }
    assert.equal("x", read("out"))
    assert.equal("x", stored("copy"))
  end)

  it("run many at once", function()
    local name = write("in", bytes(6 * MiB))
    aws.async.map({ 1, 2, 3 }, function(i)
      s3:upload_file(name, "bucket", "key" .. i, { Config = FIVE })
      s3:download_file("bucket", "key" .. i, path("out" .. i), { Config = FIVE })
    end)
    for i = 1, 3 do
      assert.is_true(read("out" .. i) == bytes(6 * MiB))
    end
  end)

  it("keep to a bandwidth", function()
    local name = write("in", bytes(200000))
    local core = require("luaws.core")
    local before = core.monotonic()
    s3:upload_file(name, "bucket", "key", { Config = { max_bandwidth = 400000 } })
    local up = core.monotonic() - before
    s3:download_file("bucket", "key", path("out"), {
      Config = { max_bandwidth = 400000, io_chunksize = 10000 } })
    local down = core.monotonic() - before - up
    assert.is_true(up > 0.3 and up < 30, up)
    assert.is_true(down > 0.4 and down < 30, down)
  end)

  it("give each part the whole bandwidth where they are few, from files and pipes", function()
    write("in", bytes(10 * MiB))
    local slow = { multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB, max_bandwidth = 10 * MiB }
    local running, most = 0, 0
    local client = aws.client("s3", { endpoint_url = moto.url, region_name = "us-east-1",
      aws_access_key_id = "a", aws_secret_access_key = "b" })
    client.meta.events:register("before-call.s3.UploadPart", function()
      running = running + 1
      most = math.max(most, running)
    end)
    client.meta.events:register("after-call.s3.UploadPart", function()
      running = running - 1
    end)
    for _, send in ipairs{
      function() client:upload_file(path("in"), "bucket", "key", { Config = slow }) end,
      function()
        client:upload_fileobj(io.popen("cat " .. quoted("in")), "bucket", "key", { Config = slow })
      end,
    } do
      most = 0
      send()
      assert.equal(1, most)
      assert.is_true(stored("key") == read("in"))
    end
  end)

  it("take nil and a reason for what it is in Lua, not for an end or for success", function()
    local function reader()
      local n = 0
      return function()
        n = n + 1
        if n == 2 then
          return nil, "disk broke"
        end
        return "half"
      end
    end
    local function full()
      return nil, "disk full"
    end
    s3:put_object{ Bucket = "bucket", Key = "key", Body = "text" }
    for _, case in ipairs{
      { "upload_fileobj", { reader(), "bucket", "new" }, "what is uploaded could not be read: disk broke" },
      { "upload_fileobj", { { read = reader() }, "bucket", "new" },
        "what is uploaded could not be read: disk broke" },
      { "download_fileobj", { "bucket", "key", full }, "what is downloaded could not be written: disk full" },
      { "download_fileobj", { "bucket", "key", { write = full } },
        "what is downloaded could not be written: disk full" },
    } do
      local _, err = s3.try[case[1]](s3.try, table.unpack(case[2]))
      assert.same({ "IOError", case[3] }, { err.kind, err.message })
    end
    assert.is_nil(s3.try:head_object{ Bucket = "bucket", Key = "new" })
  end)

  it("name the file that fails", function()
    local short = write("in", bytes(6 * MiB))
    local client = aws.client("s3", { endpoint_url = moto.url, region_name = "us-east-1",
      aws_access_key_id = "a", aws_secret_access_key = "b" })
    client.meta.events:register("before-send.s3.PutObject", function()
      assert(os.execute("truncate -s 1000 " .. quoted("in")))
    end)
    local _, err = client.try:upload_file(short, "bucket", "key")
    assert.same({ "IOError", short .. ": the file became shorter while it was sent" },
      { err.kind, err.message })
    local script = ([[
      local s3 = aws.client("s3", { endpoint_url = "%s", region_name = "us-east-1", aws_access_key_id = "a",
        aws_secret_access_key = "b" })
      s3.meta.events:register("before-send.s3.PutObject", function()
        assert(os.execute("truncate -s 1000 e"))
      end)
      print(select(2, s3.try:upload_file("e", "bucket", "key")))]]):format(moto.url)
    assert.equal("e: the file became shorter while it was sent\n", child.output{ "sh", "-c",
      'cd "$1" && truncate -s 6M e && exec "$2" -e "$3"', "sh", folder.path(),
      os.getenv("LUAWS_BUILD") .. "/luaws", script })
    os.remove(path("e"))
    s3:put_object{ Bucket = "bucket", Key = "key", Body = "text" }
    _, err = s3.try:download_file("bucket", "key", "/dev/full")
    assert.same({ "IOError", "/dev/full: writing: No space left on device" }, { err.kind, err.message })
  end)

  it("refuse wrong arguments before anything is sent", function()
    local dead = aws.client("s3", { endpoint_url = "http://127.0.0.1:9", region_name = "us-east-1",
      aws_access_key_id = "a", aws_secret_access_key = "b" })
    local name = write("in", "x")
    local lambda = "arn:aws:s3-object-lambda:us-east-1:123456789012:accesspoint/x"
    local cases = {
      { "upload_file", { name, "b", "k", { ExtraArgs = { ContentTyp = "x" } } }, "ValueError",
        "Invalid extra_args key 'ContentTyp', must be one of: ACL, .*Did you mean 'ContentType'" },
      { "download_file", { "b", "k", name, { ExtraArgs = { ACL = "x" } } }, "ValueError",
        "Invalid extra_args key 'ACL', must be one of: ChecksumMode, VersionId" },
      { "copy", { { Bucket = "b", Key = "k" }, "b", "k", { ExtraArgs = { ChecksumCRC32 = "x" } } },
        "ValueError",
        "Invalid extra_args key 'ChecksumCRC32'" },
      { "upload_file", { name, lambda, "k" }, "ValueError", "Object Lambda" },
      { "copy", { { Bucket = lambda, Key = "k" }, "b", "k" }, "ValueError", "Object Lambda" },
      { "copy", { "b/k", "b", "k" }, "TypeError", "CopySource must be a table" },
      { "copy", { { Bucket = "b", Key = "k" }, "b", "k", { SourceClient = 5 } }, "TypeError",
        "SourceClient must be a client, not a number" },
      { "upload_fileobj", { io.open(path("new"), "w"), "b", "k" }, "ValueError", "not open for reading" },
      { "upload_fileobj", { io.popen("cat", "w"), "b", "k" }, "ValueError", "not open for reading" },
      { "download_fileobj", { "b", "k", io.open(name) }, "ValueError", "not open for writing" },
      { "download_fileobj", { "b", "k", io.popen("true") }, "ValueError", "not open for writing" },
      { "upload_file", { 7, "b", "k" }, "ValueError", "Filename must be a string" },
      { "upload_file", { "", "b", "k" }, "ValueError", "Filename is empty" },
      { "download_file", { "b", "k", "" }, "ValueError", "Filename is empty" },
      { "upload_file", { name .. "\0x", "b", "k" }, "ValueError", "zero byte" },
      { "upload_file", { name, "b" }, "TypeError", "missing argument Key" },
      { "upload_file", { name, "b", "k", {}, {} }, "TypeError",
        "takes Filename, Bucket, Key and a table of options" },
      { "upload_file", { name, "b", "k", { Calback = print } }, "TypeError", "did you mean 'Callback'" },
      { "upload_file", { name, "b", "k", { ACL = "private" } }, "TypeError", "'ACL' belongs into ExtraArgs" },
      { "upload_file", { name, "b", "k", { Callback = 1 } }, "TypeError", "Callback must be a function" },
      { "upload_file", { path("no"), "b", "k" }, "IOError", "No such file or directory" },
      { "upload_file", { folder.path(), "b", "k" }, "IOError", "Is a directory" },
      { "upload_fileobj", { {}, "b", "k" }, "ValueError", "Fileobj must implement read" },
      { "upload_fileobj", { "text", "b", "k" }, "ValueError", "Fileobj must implement read" },
      { "download_fileobj", { "b", "k", {} }, "ValueError", "Fileobj must implement write" },
      { "upload_file", { name, "b", "k", { Config = { multipart_treshold = 1 } } }, "TypeError",
        "did you mean 'multipart_threshold'" },
      { "upload_file", { name, "b", "k", { Config = { multipart_chunksize = 0 } } }, "ValueError",
        "Provided parameter multipart_chunksize of value 0 must be greater than 0%." },
      { "upload_file", { name, "b", "k", { Config = { max_concurrency = "10" } } }, "TypeError",
        "max_concurrency must be a whole number, not a string" },
      { "upload_file", { name, "b", "k", { Config = { preferred_transfer_client = "fast" } } }, "ValueError",
        "must be auto, classic or crt" },
    }
    for _, case in ipairs(cases) do
      local _, err = dead.try[case[1]](dead.try, table.unpack(case[2]))
      assert.equal(case[3], err.kind, case[4])
      assert.matches(case[4], err.message)
    end
  end)

  it("wrap what the service says in S3UploadFailedError for upload_file only", function()
    local name = write("in", "x")
    local _, err = s3.try:upload_file(name, "nowhere", "key")
    assert.equal("S3UploadFailedError", err.kind)
    assert.equal(("Failed to upload %s to nowhere/key: An error occurred (NoSuchBucket) when calling the "
      .. "PutObject operation: The specified bucket does not exist"):format(name), tostring(err))
    _, err = s3.try:upload_fileobj(io.open(name), "nowhere", "key")
    assert.equal("ClientError", err.kind)
    _, err = s3.try:download_file("bucket", "key", path("out"))
    assert.same({ "ClientError", "404" }, { err.kind, err.code })
  end)
end)

describe("settings of transfers", function()
  local config = require("luaws.transfer.config")

  it("are boto3's, under both of their names", function()
    local all = config.resolve{ max_concurrency = 3, multipart_chunksize = 2.0 ^ 23 }
    assert.same({ 3, 3, 8 * MiB, 100, 3 }, { all.max_concurrency, all.max_request_concurrency,
      all.multipart_chunksize, all.max_io_queue, all.concurrency })
    all = config.resolve{ max_io_queue_size = 7, use_threads = false }
    assert.same({ 7, 7, 1, "integer" }, { all.max_io_queue, all.max_io_queue_size, all.concurrency,
      math.type(all.multipart_threshold) })
  end)

  it("send fewer at once where a bandwidth would be shared by more than it is worth", function()
    local speed = { max_bandwidth = 8 * MiB }
    for _, case in ipairs{ { 10, 8 * MiB, 1 }, { 10, 4 * MiB, 1 }, { 10, 2 * MiB, 2 }, { 10, 1.5 * MiB, 3 },
      { 10, 4096, 10 }, { 3, 4096, 3 }, { 10, 0, 10 } } do
      assert.equal(case[3], config.at_once(speed, case[1], case[2]), case[2])
      assert.equal(case[1], config.at_once({ max_bandwidth = false }, case[1], case[2]))
    end
  end)

  it("let parts grow until they are few enough", function()
    local GiB = 1024 * MiB
    local cases = {
      { 8 * MiB, nil, 8 * MiB }, { 1, nil, 5 * MiB }, { 6 * GiB, nil, 5 * GiB }, { 8 * MiB, 80000 * MiB,
        8 * MiB },
      { 8 * MiB, 80000 * MiB + 1, 16 * MiB }, { 8 * MiB, 5 * 1024 * GiB, 1024 * MiB }, { 5 * MiB, 0,
        5 * MiB }, { 8 * MiB, 5 * 1024 * GiB + 1, 1024 * MiB }, { 8 * MiB, 20 * 1024 * GiB, 4 * GiB },
      { 8 * MiB, 48 * 1024 * GiB, 5 * GiB }, { 7, 5 * 1024 * GiB, 939524096 },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[3], config.part_size(case[1], case[2]))
    end
  end)
end)
