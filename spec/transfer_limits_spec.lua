-- Transfers that something from outside ends: a host's limits and interruptions, signals. No upload stays
-- open then, and no half-written file.
local child = require("spec.support.child")
local folder = require("spec.support.folder")
local merged = require("spec.support.merged")
local server = require("spec.support.server")
local path, write, names = folder.path, folder.write, folder.names
local MiB = 1024 * 1024

local build = os.getenv("LUAWS_BUILD") or "build"
local peer

-- What is at the head of every script: a client, and how it tells that it is about to begin.
local HEAD = [[
  local url, file, out, key = ...
  local aws = require("luaws")
  local s3 = aws.client("s3", { endpoint_url = url, region_name = "us-east-1", aws_access_key_id = "a",
    aws_secret_access_key = "b", config = { s3 = { addressing_style = "path" }, read_timeout = 20 } })
  local MiB = 1024 * 1024
  local FIVE = { multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB }
  local started = false
  s3.meta.events:register("before-send.s3.CreateMultipartUpload", function() begun() started = true end)
  s3.meta.events:register("before-send.s3.GetObject", function() started = true end)
  s3.meta.events:register("before-send.s3.GetObject", function() begun() end)
]]
local UPLOAD = [[ s3:upload_file(file, "bucket", key, { Config = FIVE }) ]]
local DOWNLOAD = [[ s3:download_file("bucket", "key", out) ]]

-- Starts the script in a host. Returns a function that waits for its end, and returns what kind of error it
-- ended with, and how many milliseconds after the last interruption.
local function start(limits, script, key)
  local own, err = key .. ".lua", key .. ".err"
  local words = { build .. "/spec/tool_host" }
  table.move(limits, 1, #limits, 2, words)
  words[#words + 1] = write(own, HEAD .. script)
  for _, word in ipairs{ peer.url, path("in"), path("out"), key } do
    words[#words + 1] = word
  end
  for i, word in ipairs(words) do
    words[i] = child.quote(word)
  end
  local pipe <const> = assert(io.popen(table.concat(words, " ") .. " 2>" .. child.quote(path(err))))
  return function()
    local kind, ms = pipe:read("a"):match("^(%S+) (%-?%d+)\n$")
    pipe:close()
    os.remove(path(own))
    os.remove(path(err))
    return kind, tonumber(ms)
  end
end

local function run(limits, script)
  return start(limits, script, "key")()
end

local CREATED = { method = "POST", target = [[\?uploads]],
  body = "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>" }
local ABORTED = { method = "DELETE", target = "uploadId=id", status = 204 }
local FAIL = { status = 400, body = "<Error><Code>Bad</Code><Message>no</Message></Error>" }

local function part(number, more)
  return merged({ method = "PUT", target = "partNumber=" .. number .. "(&|$)",
    headers = { ETag = '"' .. number .. '"' } }, more or {})
end

local function aborts(key)
  local count, target = 0, ("/bucket/%s?uploadId=id"):format(key or "key")
  for _, request in ipairs(peer:requests()) do
    count = count + (request.method == "DELETE" and request.target == target and 1 or 0)
  end
  return count
end

-- Uploads several at once, each in a host of its own. cases: { name, replies, limits, script, aborts }.
-- Returns by name how each ended and how often it was aborted, in words, and what was to come.
local function run_all(kind, cases)
  local replies, ends, found, expected = {}, {}, {}, {}
  for i, case in ipairs(cases) do
    for _, reply in ipairs(case[2]) do
      local target = ("/key%d\\?.*%s"):format(i, (reply.target:gsub("^\\%?", "")))
      replies[#replies + 1] = merged(reply, { target = target })
    end
  end
  peer:reply(table.unpack(replies))
  for i, case in ipairs(cases) do
    ends[i] = start(case[3], case[4], "key" .. i)
  end
  for i, case in ipairs(cases) do
    found[case[1]] = ("%s, aborted %d times"):format(ends[i](), aborts("key" .. i))
    expected[case[1]] = ("%s, aborted %d times"):format(kind, case[5] or 1)
  end
  return found, expected
end

local STUCK = { CREATED, part(1, { hang = true }), part(2, { hang = true }), part(3, { hang = true }),
  ABORTED }

-- How many uploads were asked for: those that a limit of time did not end before they had begun.
local function opened()
  local count = 0
  for _, request in ipairs(peer:requests()) do
    count = count + (request.method == "POST" and request.target:find("?uploads", 1, true) and 1 or 0)
  end
  return count
end

-- Each with what the server does, whose slow answers take so long, and how often the upload is aborted.
local MOMENTS = {
  { "it is opened", function(delay)
    return { merged(CREATED, { delay = delay }), ABORTED }
  end },
  { "its parts are sent", function()
    return STUCK
  end },
  { "it is completed", function()
    return { CREATED, part(1), part(2), part(3), { method = "POST", target = "uploadId=id", hang = true },
      ABORTED }
  end },
  { "it is aborted", function(delay)
    return { CREATED, part(1, FAIL), part(2), part(3), merged(ABORTED, { delay = delay }) }
  end },
  { "it is aborted for the second time", function(delay)
    return { CREATED, part(1, FAIL), part(2), part(3), merged(ABORTED, { delay = delay, reset = true }),
      ABORTED }
  end, 2 },
}
local GREEDY = [[
  aws.async.spawn(function() %s end)
  while not started do aws.async.sleep(0.01) end
  aws.async.sleep(0.2)
  local all = {}
  while true do
    all[#all + 1] = ("x"):rep(1000) .. #all
  end
]]
local LIMITS = {
  { "a time limit", { "time=1500" }, "TimeLimitError" },
  { "an interruption", { "interrupt=200" }, "KeyboardInterrupt" },
  { "two interruptions", { "interrupt=200", "interrupt=300" }, "KeyboardInterrupt",
    only = { true, false, false, true } },
  { "a memory limit", { "memory=16000000" }, "MemoryError", GREEDY, only = { true, true } },
}

describe("an upload in parts", function()
  setup(function()
    peer = server.start()
    folder.make()
    write("in", ("x"):rep(11 * MiB))
  end)
  before_each(function()
    peer:clear()
  end)
  teardown(function()
    peer:stop()
    folder.remove()
  end)

  for _, limit in ipairs(LIMITS) do
    it(("does not stay open when %s ends the run, whatever it is about"):format(limit[1]), function()
      local ms, script = tonumber(limit[2][1]:match("^time=(%d+)")), UPLOAD
      if limit[4] then
        script = limit[4]:format(UPLOAD)
      end
      local cases, found, expected
      repeat -- a slow machine gets more time
        cases = {}
        for i, moment in ipairs(MOMENTS) do
          if not limit.only or limit.only[i] then
            cases[#cases + 1] = { moment[1], moment[2](ms and ms / 1000 + 0.4 or 0.8),
              ms and { "time=" .. ms } or limit[2], script, moment[3] }
          end
        end
        peer:clear()
        found, expected = run_all(limit[3], cases)
        ms = ms and ms * 2
      until not ms or opened() == #cases or ms > 30000
      assert.same(expected, found)
    end)
  end

  it("does not stay open when the run computes or catches everything, and is interrupted", function()
    local cases = {}
    for i, script in ipairs{
      "aws.async.spawn(function() %s end) aws.async.sleep(0.1) while true do end",
      "while true do pcall(function() %s end) end",
      "local _ <close> = setmetatable({}, { __close = function() while true do end end }) %s",
      "local co = coroutine.wrap(function() %s end) co()",
    } do
      cases[i] = { script, STUCK, { "interrupt=200" }, script:format(UPLOAD) }
    end
    local found, expected = run_all("KeyboardInterrupt", cases)
    assert.same(expected, found)
  end)

  it("does not stay open when the host is freed meanwhile", function()
    local cases = {}
    for i = 1, 2 do
      cases[i] = { MOMENTS[i][1], MOMENTS[i][2](0.8), { "free=200" }, UPLOAD }
    end
    local found, expected = run_all("freed", cases)
    assert.same(expected, found)
  end)

  it("does not stay open when the script ends without waiting for it", function()
    peer:reply(table.unpack(STUCK))
    local script = "aws.async.spawn(function() %s end) while not started do aws.async.sleep(0.01) end"
    assert.equal("done", (run({}, script:format(UPLOAD))))
    assert.equal(1, aborts())
  end)

  it("does not stay open when the script catches that there is no memory, wherever it was wanting", function()
    local script = ([[
      local all = {}
      s3.meta.events:register("before-send.s3.UploadPart", function()
        while true do
          all[#all + 1] = ("x"):rep(1000) .. #all
        end
      end)
      pcall(function() %s end)
      all = nil
    ]]):format(UPLOAD)
    for bytes = 15000000, 17000000, 61111 do
      peer:clear()
      peer:reply(table.unpack(STUCK))
      assert.equal("done", (run({ "memory=" .. bytes }, script)), bytes)
      assert.equal(1, aborts(), bytes)
    end
  end)

  it("and others at the same time are aborted together", function()
    local replies = {}
    for i = 1, 20 do
      local id = "key" .. i
      replies[#replies + 1] = { method = "POST", target = id .. [[\?uploads]],
        body = CREATED.body:gsub(">id<", ">" .. id .. "<") }
      replies[#replies + 1] = { method = "PUT", target = "uploadId=" .. id .. "(&|$)", hang = true,
        times = 3 }
      replies[#replies + 1] = { method = "DELETE", target = "uploadId=" .. id .. "(&|$)", status = 204,
        delay = 0.9 }
    end
    local ms = 1250
    repeat -- a slow machine gets more time
      ms = ms * 2
      peer:clear()
      peer:reply(table.unpack(replies))
      assert.equal("TimeLimitError", (run({ "time=" .. ms }, [[
        local list = {}
        for i = 1, 20 do list[i] = i end
        aws.async.map(list, function(i)
          s3:upload_file(file, "bucket", "key" .. i, { Config = FIVE })
        end, { concurrency = 20 })
      ]])))
    until opened() == 20 or ms > 20000
    local found = 0
    for _, request in ipairs(peer:requests()) do
      found = found + (request.method == "DELETE" and 1 or 0)
    end
    assert.equal(20, found) -- one after the other would take 18 seconds
  end)

  it("is given up after five seconds, or by a third interruption", function()
    local replies = {}
    for _, key in ipairs{ "two", "three" } do
      for _, reply in ipairs{ CREATED, part(1), part(2), part(3), ABORTED } do
        replies[#replies + 1] = merged(reply, { target = "/" .. key .. ".*" .. reply.target,
          hang = reply ~= CREATED or nil })
      end
    end
    peer:reply(table.unpack(replies))
    local two = start({ "interrupt=300", "interrupt=400" }, UPLOAD, "two")
    local three = start({ "interrupt=300", "interrupt=600", "interrupt=900" }, UPLOAD, "three")
    local kind, ms = two()
    assert.equal("KeyboardInterrupt", kind)
    assert.is_true(ms > 4000, ms)
    kind, ms = three()
    assert.equal("KeyboardInterrupt", kind)
    assert.is_true(ms < 3500, ms)
  end)
end)

describe("a download", function()
  local SLOW = { { method = "HEAD", headers = { ["Content-Length"] = "1000", ETag = '"e"' }, always = true },
    { method = "GET", headers = { ["Content-Length"] = "1000", ETag = '"e"' },
      pieces = { ("x"):rep(500), 8, ("x"):rep(500) } } }

  setup(function()
    peer = server.start()
    folder.make()
  end)
  before_each(function()
    peer:reply(table.unpack(SLOW))
    write("out", "old")
  end)
  after_each(function()
    assert.equal("out ", names())
    local file <close> = io.open(path("out"))
    assert.equal("old", file:read("a"))
  end)
  teardown(function()
    peer:stop()
    folder.remove()
  end)

  for _, limit in ipairs(LIMITS) do
    it("leaves nothing when " .. limit[1] .. " ends the run", function()
      assert.equal(limit[3], (run(limit[2], limit[4] and limit[4]:format(DOWNLOAD) or DOWNLOAD)))
    end)
  end

  it("leaves nothing whatever signal ends the process", function()
    -- Where files cannot be without a name, a process that is not asked leaves the one beside its own.
    local nameless = child.output{ "sh", "-c", 'python3 -c "$2" "$1" 2>/dev/null && echo yes; true', "sh",
      path(), "import os, sys; os.open(sys.argv[1], os.O_TMPFILE | os.O_WRONLY)" } == "yes\n"
    local script = write("script.lua", "begun = function() io.stdout:write('.\\n'):flush() end " .. HEAD
      .. DOWNLOAD)
    for _, signal in ipairs{ "INT", "TERM", "KILL" } do
      peer:reply(table.unpack(SLOW))
      child.output{ "bash", "-c", [[
        exec 2>/dev/null
        set -m
        coproc exec "$1" "$2" "$3" in "$4"
        pid=$COPROC_PID
        read -r _ <&"${COPROC[0]}"
        sleep 0.3
        kill -"$5" $pid
        wait $pid
        true
      ]], "bash", build .. "/luaws", script, peer.url, path("out"), signal }
      local left = names():match("out%.%x+")
      if left and not nameless and signal ~= "INT" then
        os.remove(path(left))
      end
      assert.equal("out script.lua ", names())
    end
    os.remove(script)
  end)

  it("has a name beside its own where files cannot be without one, and leaves nothing either", function()
    local code, library = write("no_tmpfile.c", [[
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <errno.h>
      #include <fcntl.h>
      #include <stdarg.h>
      int open(const char *path, int flags, ...) {
        static int (*real)(const char *, int, ...);
        if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
        va_list list;
        va_start(list, flags);
        int mode = va_arg(list, int);
        va_end(list);
        if ((flags & O_TMPFILE) == O_TMPFILE) { errno = EOPNOTSUPP; return -1; }
        return real(path, flags, mode);
      }
      int open64(const char *path, int flags, ...) __attribute__((alias("open")));
    ]]), path("no_tmpfile.so")
    child.output{ "cc", "-shared", "-fPIC", "-o", library, code }
    local script = write("script.lua", "local during = nil begun = print " .. HEAD .. [[
      local function ls()
        local list <close> = io.popen("ls '" .. out:match("^(.*)/"):gsub("'", "'\\''") .. "'")
        return list:read("a"):match("out%.%x+") or "none"
      end
      local task = aws.async.spawn(s3.download_file, s3, "bucket", "key", out)
      while ls() == "none" and not task:done() do aws.async.sleep(0.01) end
      print((ls():gsub("%x%x%x%x%x%x%x%x", "…")))
      task:cancel()
      local _, told = pcall(task.await, task)
      print(told.kind, ls())
      s3:download_file("bucket", "small", out .. "2")
      print(io.open(out .. "2"):read("a"), ls())
    ]])
    peer:reply({ method = "HEAD", target = "small", headers = { ["Content-Length"] = "3", ETag = '"e"' } },
      { method = "GET", target = "small", body = "new" }, SLOW[1], SLOW[2])
    local said = child.output{ "env", "LD_LIBRARY_PATH=" .. folder.path(), "LD_PRELOAD=no_tmpfile.so",
      "ASAN_OPTIONS=verify_asan_link_order=0", build .. "/luaws", script, peer.url, "in",
      path("out") }
    assert.equal("\nout.…\nCancelledError\tnone\n\nnew\tnone\n", said)
    for _, name in ipairs{ "no_tmpfile.c", "no_tmpfile.so", "script.lua", "out2" } do
      os.remove(path(name))
    end
  end)

  it("is whole where a file without a name may not get one", function()
    local code, library = write("no_link.c", [[
      #define _GNU_SOURCE
      #include <errno.h>
      #include <unistd.h>
      int linkat(int from, const char *old, int to, const char *name, int flags) { errno = EPERM; return -1; }
    ]]), path("no_link.so")
    child.output{ "cc", "-shared", "-fPIC", "-o", library, code }
    local script = write("script.lua", "begun = print " .. HEAD
      .. [[ s3:download_file("bucket", "big", out .. "2") ]])
    local data = ("0123456789"):rep(30000)
    peer:reply({ method = "HEAD", target = "big", headers = { ["Content-Length"] = #data, ETag = '"e"' } },
      { method = "GET", target = "big", body = data })
    child.output{ "env", "LD_LIBRARY_PATH=" .. folder.path(), "LD_PRELOAD=no_link.so",
      "ASAN_OPTIONS=verify_asan_link_order=0", build .. "/luaws", script, peer.url, "in", path("out") }
    for _, name in ipairs{ "no_link.c", "no_link.so", "script.lua" } do
      os.remove(path(name))
    end
    assert.equal("out out2 ", names())
    local file <close> = io.open(path("out2"))
    assert.is_true(file:read("a") == data)
    os.remove(path("out2"))
  end)
end)
