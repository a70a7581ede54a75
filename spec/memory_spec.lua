-- What is opened is closed: many calls, sessions and bodies leave memory and descriptors as they were.
local aws = require("luaws")
local server = require("spec.support.server")

local function resident_kb()
  for line in io.lines("/proc/self/status") do
    local kb = line:match("^VmRSS:%s+(%d+)")
    if kb then
      return tonumber(kb)
    end
  end
end

-- AddressSanitizer keeps freed memory on purpose: there LeakSanitizer looks for what is lost, and the
-- size says nothing.
local function sanitized()
  local maps <close> = io.open("/proc/self/maps")
  return maps:read("a"):find("libasan", 1, true) ~= nil
end

-- Counted by a child that shares no pipe with us: popen's own may be open still while the child looks.
local function descriptors()
  local name = os.tmpname()
  local stat <close> = io.open("/proc/self/stat")
  os.execute(("ls /proc/%d/fd | wc -l >%s"):format(stat:read("n"), name))
  local counted <close> = io.open(name)
  os.remove(name)
  return counted:read("n")
end

local function settle()
  collectgarbage()
  collectgarbage()
end

describe("memory", function()
  local peer
  setup(function()
    peer = server.start()
  end)
  before_each(function()
    peer:reply{ body = '{"QueueUrls":["http://a","http://b"]}', always = true }
  end)
  teardown(function()
    peer:stop()
  end)

  local function options()
    return { region_name = "us-east-1", endpoint_url = peer.url, aws_access_key_id = "a",
      aws_secret_access_key = "b" }
  end

  local function grows_by(n, step)
    for i = 1, n // 4 do
      step(i)
    end
    settle()
    local before, open = resident_kb(), descriptors()
    for i = 1, n do
      step(i)
    end
    settle()
    return sanitized() and 0 or resident_kb() - before, descriptors() - open
  end

  it("stays flat over thousands of calls, good and bad", function()
    local sqs = aws.client("sqs", options())
    local kb, open = grows_by(10000, function(i)
      if i % 2 == 0 then
        sqs:list_queues{ QueueNamePrefix = "x" }
      else
        pcall(sqs.list_queues, sqs, { Wrong = i })
      end
    end)
    sqs:close()
    assert.is_near(0, math.max(kb, 0), 2048)
    assert.equal(0, open) -- the one connection, before as after
  end)

  it("stays flat over a thousand sessions opened and dropped", function()
    local kb, open = grows_by(1000, function()
      local session = aws.session{ region_name = "eu-west-1", aws_access_key_id = "a",
        aws_secret_access_key = "b" }
      session:client("ec2"):generate_presigned_url("describe_regions")
      session:client("s3"):generate_presigned_url("list_buckets")
    end)
    assert.is_near(0, math.max(kb, 0), 4096)
    assert.equal(0, open)
  end)

  it("stays flat over clients that are dropped with their connections open", function()
    local kb, open = grows_by(200, function()
      aws.client("sqs", options()):list_queues{}
      settle()
    end)
    assert.is_near(0, math.max(kb, 0), 2048)
    assert.is_near(0, open, 1) -- the last one may still be held, before or after
  end)

  it("stays flat over bodies that are left unread", function()
    peer:reply{ body = ("x"):rep(300000), always = true }
    local s3 = aws.client("s3", options())
    local kb, open = grows_by(40, function()
      s3:get_object{ Bucket = "bucket", Key = "key" }.Body:read(10)
      settle()
    end)
    assert.is_near(0, math.max(kb, 0), 4096)
    assert.is_near(0, open, 1) -- the last one may still be held, before or after
  end)

  it("stays flat over dialogues of events, ended, broken off and forgotten", function()
    local duplex <close> = require("spec.support.duplex").start()
    duplex:plan{ echo = { event = "AudioEvent" }, forget = true }
    local polly = aws.client("polly", { region_name = "us-east-1", endpoint_url = duplex.url,
      aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret" })
    local event = { TextEvent = { Text = ("x"):rep(1000) } }
    local kb, open = grows_by(60, function(i)
      local writer = aws.event_writer()
      local stream = polly:start_speech_synthesis_stream{ Engine = "neural", OutputFormat = "mp3",
        VoiceId = "Joanna", ActionStream = writer }.EventStream
      writer:send(event)
      stream:events()()
      if i % 4 == 0 then
        writer:close()
        assert.is_nil(stream:events()())
      elseif i % 4 == 1 then
        stream:close()
      elseif i % 4 == 2 then
        pcall(writer.send, writer, { Wrong = {} })
      end
      settle()
    end)
    assert.is_near(0, math.max(kb, 0), 2048)
    assert.is_near(0, open, 1) -- the last one may still be held, before or after
  end)

  it("of a long body holds only the piece that is being read", function()
    local piece, pieces = ("x"):rep(1 << 20), {}
    for i = 1, 40 do
      pieces[i] = piece
    end
    peer:reply{ pieces = pieces }
    local body = aws.client("s3", options()):get_object{ Bucket = "bucket", Key = "key" }.Body
    body:read(1)
    settle()
    local before, length = resident_kb(), 1
    for chunk in body:chunks(50000) do
      length = length + #chunk
    end
    assert.equal(40 << 20, length)
    assert.is_near(0, sanitized() and 0 or math.max(resident_kb() - before, 0), 8192)
  end)

  it("is gone before a finalizer that is older than luaws: that gets an error", function()
    local done = require("spec.support.shell").run({ "-" }, { input = [[
      kept = setmetatable({}, { __gc = function()
        print(select(2, pcall(require("luaws.core").sleep, 0.01)))
        print(select(2, pcall(require("luaws.core").busy)))
      end })
      require("luaws").session()]] })
    assert.equal(("the Lua state is being closed\n"):rep(2), done.out)
    assert.equal(0, done.code)
  end)
end)
