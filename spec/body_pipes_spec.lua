-- Bodies of calls that are pipes: the loop goes on while they have nothing.
local aws = require("luaws")
local child = require("spec.support.child")
local others_during = require("spec.support.others")
local server = require("spec.support.server")

local SLOW = "sleep 0.4; printf 'one '; sleep 0.4; printf two"

local folder, plain, secure

local function client(peer, more)
  local options = { endpoint_url = peer.url, verify = peer.ca, region_name = "us-east-1",
    aws_access_key_id = "a", aws_secret_access_key = "b", config = { s3 = { addressing_style = "path" } } }
  for name, value in pairs(more or {}) do
    options.config[name] = value
  end
  return aws.client("s3", options)
end

-- What the body of a request in chunks said.
local function said(request)
  if not request.headers["x-amz-trailer"] then
    return request.body
  end
  local size, rest = request.body:match("^(%x+)\r\n(.*)$")
  local stop = tonumber(size, 16)
  assert.equal("\r\n0\r\nx-amz-checksum-crc32:", rest:sub(stop + 1, stop + 26))
  return rest:sub(1, stop)
end

describe("a body that is a pipe lets other tasks go on while it has nothing", function()
  setup(function()
    plain, secure = server.start(), server.start{ tls = true }
    folder = child.output{ "mktemp", "-d" }:gsub("\n", "")
  end)
  before_each(function()
    plain:clear()
    secure:clear()
  end)
  teardown(function()
    plain:stop()
    secure:stop()
    child.output{ "rm", "-rf", folder }
  end)

  local function process()
    return assert(io.popen(SLOW))
  end
  local function fifo()
    local name = folder .. "/fifo"
    os.remove(name)
    local quoted = child.quote(name)
    child.output{ "sh", "-c", ("mkfifo %s; (exec >%s; %s) 2>/dev/null >/dev/null </dev/null &"):format(quoted,
      quoted, SLOW) }
    return assert(io.open(name))
  end
  local function stdin_of(url)
    return ([[
      local aws = require("luaws")
      local s3 = aws.client("s3", { endpoint_url = %q, region_name = "us-east-1", aws_access_key_id = "a",
        aws_secret_access_key = "b", config = { s3 = { addressing_style = "path" } } })
      assert(io.read(2) == "o\n")
      local count = 0
      local other = aws.async.spawn(function()
        while true do
          aws.async.sleep(0.01)
          count = count + 1
        end
      end)
      aws.async.run(function()
        s3:put_object{ Bucket = "b", Key = "k", Body = io.stdin }
        other:cancel()
      end)
      print(count)
    ]]):format(url)
  end

  for _, case in ipairs{
    { "hashed beforehand, from a process", function() return plain end, process },
    { "hashed beforehand, from a FIFO", function() return plain end, fifo },
    { "sent as it comes, from a process", function() return secure end, process },
    { "sent as it comes, from a FIFO", function() return secure end, fifo },
    { "sent as it is, from a process", function() return secure end, process,
      { request_checksum_calculation = "when_required" } },
  } do
    it(case[1], function()
      local peer = case[2]()
      peer:reply{ method = "PUT" }
      local body <close> = case[3]()
      local count = others_during(function()
        client(peer, case[4]):put_object{ Bucket = "b", Key = "k", Body = body }
      end)
      assert.equal("one two", said(peer:last()))
      assert.is_true(count >= 5, count)
    end)
  end

  -- A handler that asks for the body has it whole, and it is sent all the same.
  for _, stage in ipairs{ "before-call", "request-created", "before-sign", "before-send" } do
    for _, case in ipairs{
      { "hashed beforehand", function() return plain end },
      { "sent as it comes", function() return secure end },
      { "sent as it is", function() return secure end, { request_checksum_calculation = "when_required" } },
    } do
      it("asked for in " .. stage .. ", " .. case[1], function()
        local peer, seen = case[2](), nil
        peer:reply{ method = "PUT" }
        local body <close> = process()
        local s3 = client(peer, case[3])
        s3.meta.events:register(stage .. ".s3.PutObject", function(event)
          seen = { event.request.body, event.request.body }
        end)
        local count = others_during(function()
          s3:put_object{ Bucket = "b", Key = "k", Body = body }
        end)
        assert.equal("one two", said(peer:last()))
        -- With its checksum behind it, once that has been added.
        local expected = stage == "before-call" and "one two" or peer:last().body
        assert.same({ expected, expected }, seen)
        assert.is_true(count >= 8, count)
      end)
    end
  end

  it("and asking for what is sent already leaves nothing that would be sent in its place", function()
    secure:reply({ method = "PUT", status = 503 }, { method = "PUT" })
    local body <close> = process()
    local s3, seen = client(secure), nil
    s3.meta.events:register("needs-retry.s3.PutObject", function(event)
      seen = event.request.body
    end)
    local _, err = s3.try:put_object{ Bucket = "b", Key = "k", Body = body }
    assert.equal("", seen)
    assert.equal("UnseekableStreamError", err.kind)
    assert.equal(1, #secure:requests())
  end)

  -- It waited for the rest, and everything else with it.
  it("and asking for what is sent in part waits for no more of it", function()
    plain:reply{ method = "PUT", early = true, delay = 0.3, reset = true }
    local body <close> = assert(io.popen("printf one; sleep 1.5; printf two"))
    local s3 = client(plain, { signature_version = "unsigned",
      request_checksum_calculation = "when_required" })
    local seen, rest
    s3.meta.events:register("before-send.s3.PutObject", function(event)
      event.request.headers.Expect = nil
    end)
    s3.meta.events:register("needs-retry.s3.PutObject", function(event)
      seen = event.request.body
      rest = body:read("a") -- is still there
    end)
    local _, err = s3.try:put_object{ Bucket = "b", Key = "k", Body = body }
    assert.same({ "", "two" }, { seen, rest })
    assert.equal("UnseekableStreamError", err.kind)
  end)

  it("from standard input, behind what the script has read of it", function()
    plain:reply{ method = "PUT" }
    local build = os.getenv("LUAWS_BUILD") or "build"
    local count = child.output{ "sh", "-c", ("(echo o; %s) | %s -e %s"):format(SLOW,
      child.quote(build .. "/luaws"), child.quote(stdin_of(plain.url))) }
    assert.equal("one two", plain:last().body)
    assert.is_true(tonumber(count) >= 5, count)
  end)

  it("and one that is named as a file is refused without waiting for a writer", function()
    local name = folder .. "/nobody"
    child.output{ "mkfifo", name }
    local script = ([[
      local aws = require("luaws")
      local s3 = aws.client("s3", { endpoint_url = %q, region_name = "us-east-1", aws_access_key_id = "a",
        aws_secret_access_key = "b" })
      local _, err = pcall(s3.put_object, s3, { Bucket = "b", Key = "k", Body = aws.file(%q) })
      print(err.kind, err.message)
    ]]):format(plain.url, name)
    local build = os.getenv("LUAWS_BUILD") or "build"
    assert.equal("IOError\t" .. name .. ": not a regular file\n",
      child.output{ "sh", "-c", 'timeout 20 "$@"; true', "sh", build .. "/luaws", "-e", script })
  end)

  it("and one that is open for writing only is refused", function()
    local pipe <close> = io.popen("cat >" .. child.quote(folder .. "/out"), "w")
    local _, err = client(plain).try:put_object{ Bucket = "bucket", Key = "key", Body = pipe }
    assert.equal("ValueError", err.kind)
    assert.equal("the body is a file that is not open for reading", err.message)
    assert.same({}, plain:requests())
  end)

  it("and the call can be cancelled then", function()
    for _, peer in ipairs{ plain, secure } do
      peer:reply{ method = "PUT", always = true }
      local silent = assert(io.popen("echo $$; exec sleep 9"))
      local pid = silent:read("l")
      local _, err = pcall(aws.async.timeout, 0.3, function()
        client(peer):put_object{ Bucket = "b", Key = "k", Body = silent }
      end)
      assert.equal("TimeoutError", err.kind)
      child.output{ "kill", pid }
    end
  end)

  it("and libcurl may begin again on another connection then", function()
    plain:reply({ method = "GET", body = "{}" }, { method = "PUT", early = true, reset = true },
      { method = "PUT" })
    local media = aws.client("mediastore-data", { endpoint_url = plain.url, region_name = "us-east-1",
      config = { signature_version = aws.UNSIGNED, retries = { total_max_attempts = 1 } } })
    media:list_items{}
    local before = plain:connections()
    local silent <close> = assert(io.popen("echo $$; exec sleep 9"))
    local pid = silent:read("l")
    aws.async.run(function()
      local call = aws.async.spawn(media.put_object, media, { Path = "p", Body = silent })
      while plain:connections() == before do
        aws.async.sleep(0.02)
      end
      aws.async.sleep(0.1)
      call:cancel()
      child.output{ "kill", pid }
      aws.async.sleep(0.1) -- what waited for the pipe is not there any more
    end)
  end)

  it("and what is sent is whole, however it comes", function()
    local name = folder .. "/data"
    local quoted = child.quote(name)
    child.output{ "sh", "-c", "head -c 1000000 /dev/urandom > " .. quoted }
    local file <close> = assert(io.open(name, "rb"))
    local data = file:read("a")
    for _, peer in ipairs{ plain, secure } do
      peer:reply{ method = "PUT" }
      local body <close> = assert(io.popen(("head -c 1 %s; sleep 0.1; tail -c +2 %s | head -c 70000; "
        .. "sleep 0.1; tail -c +70002 %s"):format(quoted, quoted, quoted)))
      client(peer, { request_checksum_calculation = "when_required" }):put_object{ Bucket = "b", Key = "k",
        Body = body }
      assert.is_true(peer:last().body == data)
    end
    secure:reply{ method = "PUT" }
    local body <close> = assert(io.popen(("head -c 9 %s; sleep 0.1; tail -c +10 %s"):format(quoted, quoted)))
    client(secure):put_object{ Bucket = "b", Key = "k", Body = body }
    local text, at, pieces, sizes = secure:last().body, 1, {}, {}
    while true do
      local size, start = text:match("^(%x+)\r\n()", at)
      local length = tonumber(size, 16)
      if length == 0 then
        break
      end
      pieces[#pieces + 1], sizes[#sizes + 1] = text:sub(start, start + length - 1), length
      at = start + length + 2
    end
    assert.is_true(table.concat(pieces) == data)
    for i = 1, #sizes - 1 do -- S3 takes no small chunks but for the last
      assert.is_true(sizes[i] >= 8192, sizes[i])
    end
  end)
end)
