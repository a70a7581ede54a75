local events = require("luaws.events")

describe("events", function()
  local emitter, log

  local function note(word, response)
    return function(event)
      log[#log + 1] = word .. " " .. event.event_name
      return response
    end
  end

  -- Registers each name with a handler that notes the name.
  local function listen(...)
    for _, name in ipairs { ... } do
      emitter:register(name, note(name))
    end
  end

  local function heard(name)
    log = {}
    emitter:emit(name)
    local words = {}
    for i, line in ipairs(log) do
      words[i] = line:match("^%S*")
    end
    return words
  end

  before_each(function()
    emitter, log = events.new(), {}
  end)

  it("are told to the same handlers in the same order as they are emitted", function()
    listen("a", "*", "a.b", "a.*")
    local emitted = heard("a.b")
    log = {}
    assert.is_nil(emitter:tell("a.b", {}))
    emitter:tell("x.y.z", {})
    assert.same({ emitted[1] .. " a.b", emitted[2] .. " a.b", emitted[3] .. " a.b", emitted[4] .. " a.b",
      "* x.y.z" }, log)
  end)

  it("reach handlers from the longest name to the shortest, wildcards before exact parts", function()
    listen("a", "*", "a.b", "a.b.c", "a.*", "a.*.c", "*.b.c", "a.b.*", "a.*.*", "a.b.c.d", "b")
    assert.same({ "*.b.c", "*", "a.*.*", "a.*.c", "a.*", "a.b.*", "a.b.c", "a.b", "a" }, heard("a.b.c"))
    assert.same({ "*", "a" }, heard("a"))
    assert.same({ "*" }, heard("c.x"))
    assert.same({ "*", "b" }, heard("b"))
  end)

  it("keep first, middle and last within one name", function()
    emitter:register_last("a.b", note("last1"))
    emitter:register("a.b", note("middle1"))
    emitter:register_first("a.b", note("first1"))
    emitter:register_last("a.b", note("last2"))
    emitter:register("a.b", note("middle2"))
    emitter:register_first("a.b", note("first2"))
    emitter:register_first("a", note("short"))
    assert.same({ "first1", "first2", "middle1", "middle2", "last1", "last2", "short" }, heard("a.b.c"))
  end)

  it("hand one table to every handler and return every answer", function()
    local event = { request = "r" }
    local function first(e) e.seen = e.request end
    local function second(e) return e.seen .. e.event_name end
    emitter:register("a.b", first)
    emitter:register("a", second)
    assert.same({ { first }, { second, "ra.b" } }, emitter:emit("a.b", event))
    assert.equal("ra.b", events.first_non_none_response(emitter:emit("a.b", event)))
    assert.equal("d", events.first_non_none_response(emitter:emit("nobody"), "d"))
    assert.same({}, emitter:emit("nobody", {}))
  end)

  it("stop at the first answer when asked to", function()
    local yes, no = note("yes", false), note("no")
    emitter:register("a.b.c", no)
    emitter:register("a.b", yes)
    emitter:register("a", note("never"))
    local handler, response = emitter:emit_until_response("a.b.c")
    assert.equal(yes, handler)
    assert.is_false(response)
    assert.same({ "no a.b.c", "yes a.b.c" }, log)
    assert.same({ n = 2 }, table.pack(emitter:emit_until_response("x")))
  end)

  it("rewrite older service names when registering and when emitting", function()
    local cases = {
      { "before-send.logs.GetLogEvents", "before-send.cloudwatch-logs.GetLogEvents" },
      { "before-send.events", "before-send.eventbridge" },
      { "before-call.data.iot.Publish", "before-call.iot-data-plane.Publish" },
      { "before-call.data.jobs.iot.X", "before-call.iot-jobs-data-plane.X" },
      { "choose-signer.api.pricing", "choose-signer.pricing" },
      { "choose-signer.xapi.pricing", "choose-signer.xapi.pricing" },
      { "before-call.s3.PutObject", "before-call.s3.PutObject" },
      { "route53", "route-53" },
    }
    for _, case in ipairs(cases) do
      emitter, log = events.new(), {}
      emitter:register(case[1], note("heard"))
      emitter:emit(case[2])
      emitter:emit(case[1])
      assert.same({ "heard " .. case[2], "heard " .. case[2] }, log)
      assert.is_true(emitter:has_listeners(case[1]))
    end
  end)

  it("register a unique id once for the whole emitter", function()
    emitter:register("a", note("one"), "id")
    emitter:register("b", note("two"), "id")
    assert.same({ "one" }, heard("a"))
    assert.same({}, heard("b"))
    emitter:unregister("a", nil, "id")
    assert.same({}, heard("a"))
    emitter:register("b", note("two"), "id")
    assert.same({ "two" }, heard("b"))
  end)

  it("count a unique id when asked to, always or never", function()
    local one = note("one")
    emitter:register("a", one, "id", true)
    emitter:register("a", one, "id", true)
    emitter:unregister("a", nil, "id", true)
    assert.same({ "one" }, heard("a"))
    emitter:unregister("a", nil, "id", true)
    assert.same({}, heard("a"))
    emitter:unregister("a", nil, "id", true)

    emitter:register("a", one, "id", true)
    emitter:register("a", one, "plain")
    for _, attempt in ipairs {
      { emitter.register, "a", one, "id" },
      { emitter.register, "a", one, "plain", true },
      { emitter.unregister, "a", nil, "id" },
      { emitter.unregister, "a", nil, "plain", true },
    } do
      local ok, err = pcall(attempt[1], emitter, table.unpack(attempt, 2, 5))
      assert.is_false(ok)
      assert.equal("ValueError", err.kind)
    end
  end)

  it("take back one registration at a time and ignore what is not there", function()
    local one = note("one")
    emitter:register("a.b", one)
    emitter:register("a.b", one)
    emitter:unregister("a.b", one)
    assert.same({ "one" }, heard("a.b"))
    emitter:unregister("a", one)
    emitter:unregister("x.y.z", one)
    emitter:unregister("a.b", note("other"))
    assert.same({ "one" }, heard("a.b"))
    emitter:unregister("a.b", one)
    assert.same({}, heard("a.b"))
  end)

  it("refuse a handler that cannot be called", function()
    local ok, err = pcall(emitter.register, emitter, "a", "text")
    assert.is_false(ok)
    assert.equal("ValueError", err.kind)
    emitter:register("a", setmetatable({}, { __call = function() return 7 end }))
    assert.equal(7, emitter:emit("a")[1][2])
  end)

  it("are copied with their structure, sharing the handlers", function()
    listen("a", "a.b")
    emitter:register("a", note("id"), "id")
    local original = emitter
    emitter = original:copy()
    listen("a.*")
    emitter:unregister("a", nil, "id")
    assert.same({ "a.*", "a.b", "a" }, heard("a.b"))
    emitter = original
    assert.same({ "a.b", "a", "id" }, heard("a.b"))
  end)

  it("say whether anybody listens", function()
    listen("before-send.s3", "before-call.*.Op.x", "deep.a.b")
    local cases = {
      { "before-send.s3.PutObject", true },
      { "before-send.s3", true },
      { "before-send.ec2.PutObject", false },
      { "before-send", false },
      { "before-call.ec2", false },
      { "before-call.ec2.Op", false },
      { "before-call.ec2.Other", false },
      { "deep.b", false },
      { "", false },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], emitter:has_listeners(case[1]), case[1])
    end
  end)

  it("count a version that changes with every registration", function()
    local one = note("one")
    local seen = { emitter.version }
    assert.is_false(emitter:has_listeners("a"))
    emitter:register("a", one, "id")
    seen[2] = emitter.version
    assert.is_true(emitter:has_listeners("a"))
    emitter:register("a", one, "id")
    seen[3] = emitter.version
    emitter:unregister("a", nil, "id")
    seen[4] = emitter.version
    assert.is_false(emitter:has_listeners("a"))
    assert.is_true(seen[1] ~= seen[2] and seen[2] == seen[3] and seen[3] ~= seen[4])
  end)

  it("let a handler change the registrations while it runs", function()
    local function once() emitter:unregister("a", nil, "once") end
    emitter:register("a", once, "once")
    listen("a")
    assert.same({ "a" }, heard("a"))
    assert.same({ "a" }, heard("a"))
  end)

  it("do not remember event names without end", function()
    listen("a")
    for i = 1, 10000 do
      emitter:has_listeners("getattr.s3." .. i)
    end
    assert.is_true(emitter._found_count <= 4096)
    assert.is_true(emitter:has_listeners("a"))
  end)
end)
