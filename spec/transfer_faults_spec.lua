-- Transfers whose other end misbehaves: the file is whole and right or it is as before, nothing
-- half-written is left, and no upload stays open.
local aws = require("luaws")
local child = require("spec.support.child")
local folder = require("spec.support.folder")
local merged = require("spec.support.merged")
local server = require("spec.support.server")
local path, quoted, write, read, names = folder.path, folder.quoted, folder.write, folder.read, folder.names
local MiB = 1024 * 1024

local peer

local function client(config)
  local settings = { retries = { total_max_attempts = 2, mode = "standard" },
    s3 = { addressing_style = "path" } }
  for name, value in pairs(config or {}) do
    settings[name] = value
  end
  return aws.client("s3", { endpoint_url = peer.url, region_name = "us-east-1", aws_access_key_id = "a",
    aws_secret_access_key = "b", config = settings })
end

-- "GET bytes=0-3 "e"" and so on: what was asked, in order.
local function asked()
  local lines = {}
  for i, request in ipairs(peer:requests()) do
    lines[i] = table.concat({ request.method, request.headers.range, request.headers["if-match"] }, " ")
  end
  return lines
end

local function head(size, etag)
  return { method = "HEAD", headers = { ["Content-Length"] = tostring(size), ETag = etag or '"e"' },
    always = true }
end

-- A reply to a GET of bytes of "0123456789".
local function part(first, last, more)
  local reply = { method = "GET", status = 206, body = ("0123456789"):sub(first + 1, last + 1),
    headers = { ["Content-Range"] = ("bytes %d-%d/10"):format(first, last), ETag = '"e"' } }
  for name, value in pairs(more or {}) do
    reply[name] = value
  end
  return reply
end

local function whole(more)
  local reply = { method = "GET", body = "0123456789", headers = { ETag = '"e"' } }
  for name, value in pairs(more or {}) do
    reply[name] = value
  end
  return reply
end

local RANGES = { multipart_threshold = 1, multipart_chunksize = 4, max_concurrency = 1 }
local PLAIN = {}

describe("a download", function()
  before_each(function()
    peer = peer or server.start()
    peer:clear()
    folder.make()
  end)
  after_each(function()
    folder.remove()
  end)

  local CRC32 = { ETag = '"e"', ["x-amz-checksum-crc32"] = "poTHxg==" }
  local GET_2 = 'GET bytes=2- "e"'
  local good = {
    { "goes on after a connection that closes", PLAIN, { whole{ cut = { after = 2 } }, part(2, 9) },
      { "HEAD", "GET", GET_2 } },
    { "goes on after a reset", PLAIN, { whole{ cut = { after = 2, how = "reset" } }, part(2, 9) },
      { "HEAD", "GET", GET_2 } },
    { "goes on after silence", PLAIN, { whole{ cut = { after = 2, how = "hang" } }, part(2, 9) },
      { "HEAD", "GET", GET_2 }, { read_timeout = 2 } },
    { "goes on several times", PLAIN, { whole{ cut = { after = 2 } }, part(2, 9, { cut = { after = 3 } }),
      part(5, 9, { cut = { after = 0 } }), part(5, 9) },
      { "HEAD", "GET", GET_2, 'GET bytes=5- "e"', 'GET bytes=5- "e"' } },
    { "asks again after a 503", PLAIN, { { method = "GET", status = 503 }, whole() }, { "HEAD", "GET",
      "GET" } },
    { "goes on within a range", RANGES, { part(0, 3), part(4, 7, { cut = { after = 1 } }), part(5, 7),
      part(8, 9) },
      { "HEAD", 'GET bytes=0-3 "e"', 'GET bytes=4-7 "e"', 'GET bytes=5-7 "e"', 'GET bytes=8- "e"' } },
    { "begins anew what has a checksum", PLAIN, { whole{ cut = { after = 2 }, headers = CRC32 },
      whole{ headers = CRC32 } }, { "HEAD", "GET", "GET" } },
  }
  for _, case in ipairs(good) do
    it(case[1], function()
      peer:reply(head(10), table.unpack(case[3]))
      local sum = 0
      client(case[5]):download_file("bucket", "key", path("out"), { Config = case[2], Callback = function(new,
        so_far)
        sum = sum + new
        assert.equal(sum, so_far)
      end })
      assert.equal("0123456789", read("out"))
      assert.equal("out ", (names()))
      assert.same(case[4], asked())
      assert.equal(10, sum)
    end)
  end

  local CUT = { cut = { after = 0 } }
  local bad = {
    { "gives up after so many attempts", { num_download_attempts = 3 }, { whole(CUT), whole(CUT),
      whole(CUT) },
      "RetriesExceededError", "Max Retries Exceeded" },
    { "does not go on with another object", PLAIN, { whole{ cut = { after = 2 } }, { method = "GET",
      status = 412,
      body = "<Error><Code>PreconditionFailed</Code></Error>" } }, "S3DownloadFailedError",
      'Contents of stored object "key" in bucket "bucket" did not match expected ETag.' },
    { "takes no other range than it asked for", RANGES, { part(0, 2) }, "S3ValidationError",
      "Requested range: `0-3` does not match content range in response: `0-2`" },
    { "takes no whole object for a range", RANGES, { whole() }, "S3ValidationError",
      "Requested range: `0-3` does not match content range in response: `0-9`" },
    { "does not take what its checksum denies", PLAIN,
      { whole{ headers = { ["x-amz-checksum-crc32"] = "AAAAAA==" } } },
      "FlexibleChecksumError", "Expected checksum AAAAAA== did not match calculated checksum: poTHxg==" },
    { "fails as the service says", PLAIN, { { method = "GET", status = 403,
      body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>" } }, "ClientError",
      "An error occurred (AccessDenied) when calling the GetObject operation: no" },
    { "fails when a range does", RANGES, { part(0, 3), { method = "GET", status = 404,
      body = "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>" } }, "ClientError",
      "An error occurred (NoSuchKey) when calling the GetObject operation: gone" },
  }
  for _, case in ipairs(bad) do
    it(case[1] .. " and leaves the old file as it was", function()
      peer:reply(head(10), table.unpack(case[3]))
      write("out", "old")
      local ok, err = pcall(client().download_file, client(), "bucket", "key", path("out"),
        { Config = case[2] })
      assert.is_false(ok)
      assert.same({ case[4], case[5] }, { err.kind, tostring(err) })
      assert.equal("old", read("out"))
      assert.equal("out ", (names()))
    end)
  end

  it("asks for nothing more when the object is not there", function()
    peer:reply{ method = "HEAD", status = 404 }
    local _, err = client().try:download_file("bucket", "key", path("out"))
    assert.equal("404", err.code)
    assert.equal("", (names()))
    assert.same({ "HEAD" }, asked())
  end)

  it("ends with the error of its callback", function()
    peer:reply(head(10), part(0, 3), part(4, 7), part(8, 9))
    local _, err = client().try:download_file("bucket", "key", path("out"), { Config = RANGES,
      Callback = function(_, so_far)
        if so_far > 4 then
          error("enough", 0)
        end
      end })
    assert.equal("enough", err)
    assert.equal("", (names()))
  end)

  it("leaves nothing when its task is cancelled", function()
    peer:reply(head(10), whole{ cut = { after = 5, how = "hang" } })
    local s3 = client{ read_timeout = 5 }
    local _, err = pcall(aws.async.timeout, 0.3, function()
      s3:download_file("bucket", "key", path("out"))
    end)
    assert.equal("TimeoutError", err.kind)
    assert.equal("", (names()))
  end)

  it("tells why it cannot write", function()
    peer:reply(head(10), whole())
    local _, err = client().try:download_file("bucket", "key", path("no/such/out"))
    assert.equal("IOError", err.kind)
    assert.matches("No such file or directory", err.message)
    _, err = client().try:download_file("bucket", "key", folder.path())
    assert.equal("IOError", err.kind)
    assert.matches("Is a directory", err.message)
  end)

  it("writes to a pipe in order, whatever breaks", function()
    os.execute(("mkfifo %s && ((cat %s > %s; mv %s %s) &)"):format(quoted("fifo"), quoted("fifo"),
      quoted("new"), quoted("new"), quoted("got")))
    peer:reply(head(10), part(0, 3, { cut = { after = 2 } }), part(2, 3), part(4, 7), part(8, 9))
    client():download_file("bucket", "key", path("fifo"), { Config = RANGES })
    while not read("got") do
      aws.async.sleep(0.01)
    end
    assert.equal("0123456789", read("got"))
    assert.equal("fifo got ", (names()))
  end)

  it("fails when nobody reads the pipe any more", function()
    peer:reply(head(10), whole{ pieces = { "01234", 0.4, "5", 1, "6", 2, "7", 4, "89" }, body = nil })
    os.execute("mkfifo " .. quoted("fifo") .. " && (head -c 1 " .. quoted("fifo") .. " >/dev/null &)")
    local _, err = client{ read_timeout = 5 }.try:download_file("bucket", "key", path("fifo"),
      { Config = { io_chunksize = 1 } })
    assert.equal("IOError", err.kind)
  end)

  it("gives each range to a function in its order", function()
    peer:reply(head(10), part(0, 3), part(4, 7, { cut = { after = 2 } }), part(4, 7), part(8, 9))
    local got = {}
    client():download_fileobj("bucket", "key", function(chunk)
      got[#got + 1] = chunk
    end, { Config = RANGES })
    assert.equal("0123456789", table.concat(got))
  end)

  it("asks for ranges ahead of a function, and drops them when that fails", function()
    local FIRST <const>, SECOND <const>, LAST <const> = { range = "bytes=0-3" }, { range = "bytes=4-7" },
      { range = "bytes=8-" }
    local ahead = merged(RANGES, { max_concurrency = 3 })
    for _, later in ipairs{ {}, { hang = true }, { delay = 0.3 } } do
      peer:clear()
      peer:reply(head(10), part(0, 3, FIRST), part(4, 7, merged(SECOND, later)),
        part(8, 9, merged(LAST, later)))
      local one = client()
      local _, err = one.try:download_fileobj("bucket", "key", function()
        while #peer:requests() < 4 do
          aws.async.sleep(0.01)
        end
        error("full", 0)
      end, { Config = ahead })
      assert.equal("full", err)
      assert.equal(10, one:head_object{ Bucket = "bucket", Key = "key" }.ContentLength)
    end
    peer:clear()
    peer:reply(head(10), part(0, 3, merged(FIRST, { delay = 0.2 })),
      part(4, 7, merged(SECOND, { delay = 0.1 })), part(8, 9, LAST))
    local got = {}
    client():download_fileobj("bucket", "key", function(chunk)
      got[#got + 1] = chunk
    end, { Config = ahead })
    assert.equal("0123456789", table.concat(got))
  end)
end)

local CREATED = { method = "POST", target = [[\?uploads]],
  body = "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>" }
local COMPLETED = { method = "POST", target = "uploadId=id",
  body = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>" }
local ABORTED = { method = "DELETE", target = "uploadId=id", status = 204 }
local FAIL = { status = 400, body = "<Error><Code>Bad</Code><Message>no</Message></Error>" }
local FIVE = { multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB }

local function sent(number, more)
  local reply = { method = "PUT", target = "partNumber=" .. number .. "(&|$)", headers = { ETag = '"'
    .. number .. '"' } }
  for name, value in pairs(more or {}) do
    reply[name] = value
  end
  return reply
end

-- How often the upload was aborted. (A part that was dropped may be told of after that.)
local function aborts()
  local count = 0
  for _, request in ipairs(peer:requests()) do
    count = count + (request.method == "DELETE" and request.target == "/bucket/key?uploadId=id" and 1 or 0)
  end
  return count
end

-- The methods and what they were for, without the parts' order.
local function steps()
  local list = {}
  for _, request in ipairs(peer:requests()) do
    list[#list + 1] = request.method .. (request.query:match("partNumber=%d+") or "")
  end
  table.sort(list)
  return table.concat(list, " ")
end

-- Uploads the file in a process of its own that gets Ctrl-C so many seconds after it began to send, and
-- perhaps again after so many more. Returns how it ended.
local function interrupted(file, ...)
  local script = write("script.lua", ([[
    io.stdout:setvbuf("no")
    local aws = require("luaws")
    local s3 = aws.client("s3", { endpoint_url = %q, region_name = "us-east-1", aws_access_key_id = "a",
      aws_secret_access_key = "b", config = { s3 = { addressing_style = "path" } } })
    local begun
    s3.meta.events:register("before-send.s3.CreateMultipartUpload", function()
      begun = begun or print("begun") or true
    end)
    local MiB = 1024 * 1024
    local ok, err = pcall(s3.upload_file, s3, %q, "bucket", "key", {
      Config = { multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB } })
    print(ok and "done" or tostring(err):match("interrupted!") or err)
  ]]):format(peer.url, file))
  local luaws = child.quote((os.getenv("LUAWS_BUILD") or "build") .. "/luaws")
  local keys = {}
  for i, seconds in ipairs{ ... } do
    keys[i] = ("sleep %s; kill -INT $pid;"):format(seconds)
  end
  return child.output{ "bash", "-c", ([[
    exec 2>/dev/null
    set -m
    mkfifo %s
    %s %s >%s & pid=$!
    exec 3<%s
    read -r line <&3
    %s
    cat <&3
    wait $pid; true
  ]]):format(quoted("out"), luaws, child.quote(script), quoted("out"), quoted("out"), table.concat(keys)) }
end

describe("an upload in parts", function()
  local file
  before_each(function()
    peer:clear()
    folder.make()
    file = write("in", ("x"):rep(11 * MiB))
  end)
  after_each(function()
    folder.remove()
  end)

  it("sends a part again whose connection was reset, and progress is right in the end", function()
    peer:reply(CREATED, sent(1, { reset = true }), sent(1), sent(2), sent(3, { status = 500 }), sent(3),
      COMPLETED)
    local sum = 0
    client():upload_file(file, "bucket", "key", { Config = FIVE, Callback = function(new)
      sum = sum + new
    end })
    assert.equal(11 * MiB, sum)
    assert.equal("POST POST PUTpartNumber=1 PUTpartNumber=1 PUTpartNumber=2 PUTpartNumber=3 PUTpartNumber=3",
      steps())
    assert.matches("<Part><ETag>\"1\"</ETag><PartNumber>1</PartNumber></Part>",
      peer:last().body:gsub("&quot;", '"'))
  end)

  local where = "Failed to upload %s to bucket/key: An error occurred (Bad) when calling the %s operation: no"
  for _, case in ipairs{
    { "fails when a part does", { CREATED, sent(1), sent(2, FAIL), sent(3), ABORTED }, "UploadPart" },
    { "fails when it cannot be completed", { CREATED, sent(1), sent(2), sent(3),
      { method = "POST", target = "uploadId=id", status = 400, body = FAIL.body }, ABORTED },
        "CompleteMultipartUpload" },
  } do
    it(case[1] .. " and is aborted", function()
      peer:reply(table.unpack(case[2]))
      local _, err = client().try:upload_file(file, "bucket", "key", { Config = FIVE })
      assert.same({ "S3UploadFailedError", where:format(file, case[3]) }, { err.kind, tostring(err) })
      assert.is_true(err:is("Bad"))
      assert.equal(1, aborts())
    end)
  end

  it("goes over TLS with its checksums behind it, and again when it breaks", function()
    local secure <close> = server.start{ tls = true }
    secure:reply(CREATED, sent(1, { reset = true }), sent(1), sent(2, { status = 503 }), sent(2), sent(3),
      COMPLETED)
    local sum = 0
    aws.client("s3", { endpoint_url = secure.url, verify = secure.ca, region_name = "us-east-1",
      aws_access_key_id = "a", aws_secret_access_key = "b", config = { s3 = { addressing_style = "path" } },
    }):upload_file(file, "bucket", "key", { Config = FIVE, Callback = function(new)
      sum = sum + new
    end })
    assert.equal(11 * MiB, sum)
    local parts = {}
    for _, request in ipairs(secure:requests()) do
      local number = request.query:match("partNumber=(%d)")
      if number then
        assert.equal("x-amz-checksum-crc32", request.headers["x-amz-trailer"])
        parts[number] = math.tointeger(tonumber(request.headers["x-amz-decoded-content-length"]))
      end
    end
    assert.same({ ["1"] = 5 * MiB, ["2"] = 5 * MiB, ["3"] = MiB }, parts)
  end)

  it("is completed again after an error in a good answer", function()
    peer:reply(CREATED, sent(1), sent(2), sent(3), { method = "POST", target = "uploadId=id",
      body = "<Error><Code>InternalError</Code></Error>" }, COMPLETED)
    client():upload_file(file, "bucket", "key", { Config = FIVE })
    assert.equal("POST POST POST PUTpartNumber=1 PUTpartNumber=2 PUTpartNumber=3", steps())
  end)

  it("is aborted when its callback fails", function()
    peer:reply(CREATED, sent(1), sent(2), sent(3), COMPLETED, ABORTED)
    local _, err = client().try:upload_file(file, "bucket", "key", { Config = FIVE, Callback = function()
      error("enough", 0)
    end })
    assert.equal("enough", err)
    assert.equal(1, aborts())
  end)

  it("is aborted when its task is cancelled", function()
    peer:reply(CREATED, sent(1, { hang = true }), sent(2, { hang = true }), sent(3, { hang = true }), ABORTED)
    local s3 = client{ read_timeout = 10 }
    local _, err = pcall(aws.async.timeout, 0.4, function()
      s3:upload_file(file, "bucket", "key", { Config = FIVE })
    end)
    assert.equal("TimeoutError", err.kind)
    assert.equal(1, aborts())
  end)

  -- What is under way when the task is cancelled, and how often the upload is to be aborted then.
  local moments = {
    { "the request that opens it", 1, { merged(CREATED, { delay = 0.8 }), ABORTED } },
    { "the request that opens it, again", 1, { merged(CREATED, { delay = 0.6, reset = true }), CREATED,
      ABORTED } },
    { "the request that opens it, in vain", 0, { { method = "POST", delay = 0.8, status = 403,
      body = FAIL.body } } },
    { "its completion", 1, { CREATED, sent(1), sent(2), sent(3), merged(COMPLETED, { hang = true }),
      ABORTED } },
    { "its end after a part that failed", 2, { CREATED, sent(1, FAIL), sent(2), sent(3),
      merged(ABORTED, { delay = 0.8, reset = true }), ABORTED } },
  }
  for _, case in ipairs(moments) do
    it("does not stay open when its task is cancelled during " .. case[1], function()
      peer:reply(table.unpack(case[3]))
      local s3, others = client{ read_timeout = 10 }, 0
      local beside <close> = setmetatable({}, { __close = function(self)
        self.task:cancel()
      end })
      beside.task = aws.async.spawn(function()
        while true do
          aws.async.sleep(0.01)
          others = others + 1
        end
      end)
      local _, err = pcall(aws.async.timeout, 0.4, function()
        s3:upload_file(file, "bucket", "key", { Config = FIVE })
      end)
      assert.equal("TimeoutError", err.kind)
      assert.equal(case[2], aborts())
      assert.is_true(others > 5)
      aws.async.sleep(0.05) -- and the tasks beside it go on
      assert.is_false(beside.task:done())
    end)

    it("does not stay open when Ctrl-C comes during " .. case[1], function()
      peer:reply(table.unpack(case[3]))
      assert.equal("interrupted!\n", interrupted(file, 0.4))
      assert.equal(case[2], aborts())
    end)
  end

  it("is aborted all the same when Ctrl-C comes again while the service takes its time", function()
    for _, replies in ipairs{
      { merged(CREATED, { delay = 0.9 }), ABORTED },
      { CREATED, sent(1, { hang = true, always = true }), sent(2), sent(3),
        merged(ABORTED, { delay = 0.9 }) },
      { CREATED, sent(1, FAIL), sent(2), sent(3), merged(ABORTED, { delay = 0.9 }) },
    } do
      peer:clear()
      peer:reply(table.unpack(replies))
      assert.equal("interrupted!\n", interrupted(file, 0.3, 0.3))
      assert.equal(1, aborts())
    end
  end)

  it("is given up by a third Ctrl-C", function()
    peer:reply(merged(CREATED, { hang = true }))
    assert.equal("", interrupted(file, 0.3, 0.1, 0.1))
    assert.equal("POST", steps())
  end)

  it("is aborted on Ctrl-C", function()
    peer:reply(CREATED, sent(1, { hang = true }), sent(2, { hang = true }), sent(3, { hang = true }), ABORTED)
    assert.equal("interrupted!\n", interrupted(file, 0.5))
    assert.equal(1, aborts())
  end)

  it("is aborted when what it reads fails", function()
    peer:reply(CREATED, sent(1), ABORTED)
    local given = 0
    local _, err = client().try:upload_fileobj(function()
      given = given + 1
      if given > 6 then
        error("no more", 0)
      end
      return ("x"):rep(MiB)
    end, "bucket", "key", { Config = FIVE })
    assert.equal("no more", err)
    assert.equal(1, aborts())
  end)

  it("opens nothing when it cannot be created", function()
    peer:reply{ method = "POST", status = 403, body = FAIL.body }
    local _, err = client().try:upload_file(file, "bucket", "key", { Config = FIVE })
    assert.equal("S3UploadFailedError", err.kind)
    assert.equal("POST", steps())
  end)
end)

describe("a copy", function()
  before_each(function()
    peer:clear()
  end)

  it("in parts is aborted when the source changes", function()
    peer:reply(head(12 * MiB), CREATED, sent(1, { status = 412,
      body = "<Error><Code>PreconditionFailed</Code></Error>" }), ABORTED)
    local _, err = client().try:copy({ Bucket = "from", Key = "that" }, "bucket", "key",
      { Config = { multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB, max_concurrency = 1 } })
    assert.same({ "S3CopyFailedError",
      'Contents of stored object "that" in bucket "from" did not match expected ETag.' }, { err.kind,
        err.message })
    assert.equal(1, aborts())
    local request = peer:requests()[3]
    assert.same({ "from/that", '"e"', "bytes=0-5242879" }, { request.headers["x-amz-copy-source"],
      request.headers["x-amz-copy-source-if-match"], request.headers["x-amz-copy-source-range"] })
  end)

  it("in parts is aborted when errors in good answers do not end", function()
    local wrong = sent(1, { body = "<Error><Code>InternalError</Code></Error>", always = true })
    peer:reply(head(12 * MiB), CREATED, wrong, ABORTED)
    local _, err = client().try:copy({ Bucket = "from", Key = "that" }, "bucket", "key",
      { Config = { multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB, max_concurrency = 1 } })
    assert.equal("InternalError", err.code)
    assert.equal(1, aborts())
  end)
end)
