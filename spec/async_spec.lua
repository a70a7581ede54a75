-- Tasks: many calls at once on one thread.
local aws = require("luaws")
local core = require("luaws.core")
local raised = require("spec.support.raised")
local server = require("spec.support.server")
local async = aws.async

local function client(peer)
  return aws.client("sqs", { region_name = "us-east-1", endpoint_url = peer.url, aws_access_key_id = "a",
    aws_secret_access_key = "b", config = { retries = { total_max_attempts = 1 } } })
end

describe("aws.async", function()
  it("runs a function and returns what it returns, or raises what it raises", function()
    assert.same({ 1, nil, 3 }, { async.run(function(a, b)
      return a, nil, b
    end, 1, 3) })
    local ok, err = pcall(async.run, function()
      error("oops", 0)
    end)
    assert.is_false(ok)
    assert.equal("oops", err)
  end)

  it("makes calls that wait at the same time", function()
    local peer <close> = setmetatable({ p = server.start() }, { __close = function(self) self.p:stop() end })
    peer.p:reply{ body = '{"QueueUrls":[]}', delay = 0.5, always = true }
    local c = client(peer.p)
    local answers = async.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function(i)
      return c:list_queues{}.ResponseMetadata.HTTPStatusCode + i
    end, { concurrency = 8 })
    assert.same({ 201, 202, 203, 204, 205, 206, 207, 208 }, answers)
    assert.equal(8, peer.p:connections()) -- none was there to be used again
  end)

  it("keeps to the concurrency it is given", function()
    local now, most = 0, 0
    async.map({ 1, 2, 3, 4, 5, 6, 7 }, function()
      now = now + 1
      most = math.max(most, now)
      async.sleep(0.001)
      now = now - 1
    end, { concurrency = 3 })
    assert.equal(3, most)
  end)

  it("refuses what is no list, and functions that are not there", function()
    local ok, err = pcall(async.map, { a = 1 }, print)
    assert.same({ false, "map() takes a list, and this table has names only" }, { ok, err.message })
    ok, err = pcall(async.gather, print, nil, print)
    assert.same({ false, "a task needs a function, not a nil" }, { ok, err.message })
  end)

  it("maps an empty list to an empty list", function()
    assert.same({}, async.map({}, function() end))
  end)

  it("starts nothing where one of several is no function", function()
    local began = false
    local _, err = pcall(async.gather, function() began = true end, nil)
    assert.equal("TypeError", err.kind)
    async.sleep(0)
    assert.is_false(began)
  end)

  it("cancels the rest after the first error and raises it", function()
    local finished = {}
    local ok, err = pcall(async.map, { 60, 0.001, 60 }, function(seconds, i)
      async.sleep(seconds)
      if i == 2 then
        error("second", 0)
      end
      finished[#finished + 1] = i
    end)
    assert.is_false(ok)
    assert.equal("second", err)
    assert.same({}, finished)
  end)

  it("gathers the results of several functions in order", function()
    local a, b, c = async.gather(function()
      async.sleep(0.002)
      return 1
    end, function()
      return nil
    end, async.spawn(function()
      return 3
    end))
    assert.same({ 1, nil, 3 }, { a, b, c })
  end)

  it("lets a task wait for another", function()
    local order = {}
    async.run(function()
      local task = async.spawn(function()
        async.sleep(0.002)
        order[#order + 1] = "task"
        return "done"
      end)
      order[#order + 1] = "before"
      assert.equal("done", task:await())
      assert.equal("done", task:await())
      order[#order + 1] = "after"
    end)
    assert.same({ "before", "task", "after" }, order)
  end)

  it("cancels a task where it waits, closing what it holds", function()
    local closed = false
    async.run(function()
      local task = async.spawn(function()
        local _ <close> = setmetatable({}, { __close = function()
          closed = true
        end })
        async.sleep(60)
      end)
      async.sleep(0.001)
      task:cancel()
      local ok, err = pcall(task.await, task)
      assert.is_false(ok)
      assert.equal("CancelledError", err.kind)
    end)
    assert.is_true(closed)
    assert.is_false(core.busy())
  end)

  it("drops the call of a cancelled task at once", function()
    local peer = server.start()
    peer:reply{ hang = true, always = true }
    local c = client(peer)
    local before = core.monotonic()
    async.run(function()
      local task = async.spawn(c.list_queues, c, {})
      async.sleep(0.05)
      task:cancel()
    end)
    assert.is_false(core.busy())
    assert.is_true(core.monotonic() - before < 30)
    peer:stop()
  end)

  it("stops a function that takes too long", function()
    local ok, err = pcall(async.timeout, 0.01, function()
      async.sleep(60)
    end)
    assert.is_false(ok)
    assert.equal("TimeoutError", err.kind)
    assert.equal(5, async.timeout(60, function()
      return 5
    end))
    assert.is_false(core.busy())
  end)

  it("gives a function that may take for ever all the time, and none where none is left", function()
    local function work()
      async.sleep(0)
      return "done"
    end
    assert.equal("done", async.timeout(math.huge, work))
    assert.equal("TimeoutError", raised(async.timeout, -1, async.sleep, 60).kind)
    for _, seconds in ipairs{ -1, math.huge, 0 / 0 } do
      local err = raised(async.sleep, seconds)
      assert.same({ "ValueError", "sleep() takes a number of seconds from 0 to 999999999, not "
        .. tostring(seconds) }, { err.kind, err.message })
    end
  end)

  it("says so when tasks wait for each other", function()
    local ok, err = pcall(async.run, function()
      local a, b
      a = async.spawn(function()
        return b:await()
      end)
      b = async.spawn(function()
        return a:await()
      end)
      return a:await()
    end)
    assert.is_false(ok)
    assert.matches("none can go on", tostring(err))
  end)

  it("blocks in a coroutine that is no task", function()
    local peer = server.start()
    peer:reply{ body = '{"QueueUrls":[]}', times = 2 }
    local c = client(peer)
    local each = coroutine.wrap(function()
      coroutine.yield(c:list_queues{}.ResponseMetadata.HTTPStatusCode)
      coroutine.yield(c:list_queues{}.ResponseMetadata.HTTPStatusCode)
    end)
    assert.equal(200, async.run(function()
      return each()
    end))
    assert.equal(200, each())
    peer:stop()
  end)

  it("refuses a concurrency that is no positive integer", function()
    assert.equal("ValueError", select(2, pcall(async.map, {}, print, { concurrency = 0 })).kind)
    assert.equal("TypeError", select(2, pcall(async.map, nil, print)).kind)
    assert.equal("TypeError", select(2, pcall(async.map, {})).kind)
  end)

  it("waits before it tries again in a task as outside of one", function()
    -- Once a task had waited for anything, its call took every further wait for over.
    local peer = server.start()
    peer:reply({ status = 503, body = "{}" }, { status = 503, body = "{}" },
      { body = '{"QueueUrls":[]}', delay = 0.3 })
    local c = client(peer)
    c.meta.events:register("needs-retry.sqs.*", function(event)
      return event.attempts < 3 and 0.2 or nil
    end)
    local response = async.run(function()
      return c:list_queues{}
    end)
    assert.equal(2, response.ResponseMetadata.RetryAttempts)
    assert.equal(200, response.ResponseMetadata.HTTPStatusCode)
    local requests = peer:requests()
    for i = 2, #requests do
      assert.is_true(requests[i].time - requests[i - 1].time > 0.19)
    end
    peer:stop()
  end)

  it("brings what is shielded to its end before a cancelled task ends", function()
    local told = {}
    local function note(word)
      told[#told + 1] = word
    end
    local task = async.spawn(function()
      local _ <close> = setmetatable({}, { __close = function()
        note("closed")
      end })
      async.shield(function()
        note("begun")
        async.sleep(0.05)
        async.sleep(0.05)
        note("done")
      end)
      note("never")
    end)
    async.sleep(0.02)
    task:cancel()
    assert.same({ "begun", "done", "closed" }, told)
    local ok, err = pcall(task.await, task)
    assert.same({ false, "CancelledError" }, { ok, err.kind })
    assert.is_false(core.busy())
  end)

  it("gives what is shielded its results and its errors, and does not wait for ever", function()
    assert.same({ 1, 2 }, { async.shield(function()
      return 1, 2
    end) })
    local ok, err = pcall(async.run, async.shield, function()
      async.sleep(0.001)
      error("oops", 0)
    end)
    assert.same({ false, "oops" }, { ok, err })
    local task
    task = async.spawn(async.shield, function()
      task:await() -- its own end
    end)
    async.sleep(0.01)
    task:cancel()
    assert.is_true(task:done())
  end)

  it("waits in a coroutine that a task has made, too", function()
    local told = {}
    async.run(function()
      local beside = async.spawn(function()
        for i = 1, 3 do
          async.sleep(0.02)
          told[#told + 1] = i
        end
      end)
      local co = coroutine.wrap(function()
        local sum = 0
        for _, n in ipairs(async.map({ 0.03, 0.05 }, function(seconds)
          async.sleep(seconds)
          return seconds * 100
        end)) do
          sum = sum + n
        end
        coroutine.yield(math.tointeger(sum))
        beside:await()
        return "over"
      end)
      for _ = 1, 2 do
        local given = co()
        told[#told + 1] = given
      end
    end)
    assert.same({ 1, "over" }, { told[1], table.remove(told) })
    table.sort(told)
    assert.same({ 1, 2, 3, 8 }, told)
  end)

  it("is not confused by a task's coroutine that a script resumes itself", function()
    local peer = server.start()
    peer:reply{ body = '{"QueueUrls":[]}', delay = 0.1 }
    local c, co = client(peer), nil
    local task = async.spawn(function()
      co = coroutine.running()
      return c:list_queues{}
    end)
    async.sleep(0)
    for _ = 1, 3 do
      assert.is_true(coroutine.resume(co))
    end
    assert.equal(200, task:await().ResponseMetadata.HTTPStatusCode)
    peer:stop()
  end)

  describe("a body that two tasks share", function()
    local function slow_body(peer, seconds)
      peer:reply{ pieces = { "one\n", seconds or 1, "two\n" }, chunked = true }
      return aws.client("s3", { region_name = "us-east-1", endpoint_url = peer.url, aws_access_key_id = "a",
        aws_secret_access_key = "b" }):get_object{ Bucket = "bucket", Key = "key" }.Body
    end

    it("is read by one of them at a time", function()
      local peer = server.start()
      local body = slow_body(peer)
      local first = async.spawn(function()
        return body:read("a")
      end)
      local second = async.spawn(function()
        return body:read("a")
      end)
      local ok, err = pcall(second.await, second)
      assert.is_false(ok)
      assert.equal("another task waits for this already", tostring(err))
      assert.equal("one\ntwo\n", first:await())
      peer:stop()
    end)

    it("can be read on after the one that read it was cancelled", function()
      local peer = server.start()
      local body = slow_body(peer)
      local first = async.spawn(function()
        return body:read("a")
      end)
      async.sleep(0.02)
      first:cancel()
      assert.equal("one\ntwo\n", async.run(function()
        return body:read("a")
      end))
      peer:stop()
    end)

    it("tells whoever waits for more of it that it was closed", function()
      local peer = server.start()
      local body = slow_body(peer, 9)
      local reader = async.spawn(function()
        return body:read("a")
      end)
      async.sleep(0.02)
      body:close()
      local ok, err = pcall(reader.await, reader)
      assert.is_false(ok)
      assert.equal("the body is closed", tostring(err))
      peer:stop()
    end)
  end)

  describe("a function that gives a body", function()
    local function upload(peer, fn)
      return aws.client("s3", { region_name = "us-east-1", endpoint_url = peer.url,
        config = { retries = { total_max_attempts = 1 }, signature_version = "unsigned" } }):put_object{
        Bucket = "bucket", Key = "key", Body = fn }
    end

    it("may cancel the task that sends it", function()
      local peer = server.start()
      peer:reply{ body = "" }
      local task, count = nil, 0
      task = async.spawn(function()
        return upload(peer, function()
          count = count + 1
          if count == 2 then
            task:cancel()
            collectgarbage()
          end
          return ("x"):rep(100000)
        end)
      end)
      local ok, err = pcall(task.await, task)
      assert.is_false(ok)
      assert.equal("CancelledError", err.kind)
      async.sleep(0.01)
      peer:stop()
    end)

    it("may fail with an error that cannot be shown", function()
      local peer = server.start()
      peer:reply({ body = "", times = 2 })
      local bad = setmetatable({}, { __tostring = function()
        error("no text")
      end })
      for _ = 1, 2 do
        local ok, err = pcall(upload, peer, function()
          error(bad)
        end)
        assert.is_false(ok)
        assert.matches("the function that gives the body failed: .*no text", tostring(err))
      end
      assert.is_false(core.busy())
      peer:stop()
    end)
  end)
end)
