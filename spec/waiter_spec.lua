local fake = require("spec.support.fake_client")
package.loaded["luaws.core"] = fake.core
local errors = require("luaws.errors")
local json = require("luaws.jmespath.json")
local values = require("luaws.jmespath.values")
local waiter = require("luaws.waiter")

local function read_fixture(name)
  local file <close> = assert(io.open("spec/fixtures/" .. name))
  local ok, value = json.decode(file:read("a"))
  assert(ok, value)
  return value
end

local function client_with(answer)
  fake.models.waiters = { svc = { version = 2, waiters = {
    ThingReady = { operation = "GetThing", delay = 5, maxAttempts = 3, acceptors = {
      { state = "success", matcher = "path", argument = "State", expected = "ready" },
      { state = "failure", matcher = "path", argument = "State", expected = "broken" },
      { state = "retry", matcher = "error", expected = "NotFound" },
    } },
    AThingGone = { operation = "GetThing", delay = 5, maxAttempts = 3, acceptors = {} },
  } } }
  return fake.client("svc", { operations = { GetThing = {} } }, answer)
end

local function wait(client, params, name)
  local slept = {}
  local ok, err = pcall(function()
    waiter.get(client, name or "thing_ready", function(seconds) slept[#slept + 1] = seconds end):wait(params)
  end)
  return ok, err, slept
end

describe("waiter", function()
  it("does what botocore does for every row of answers in waiter.json", function()
    for i, case in ipairs(read_fixture("waiter.json")) do
      local got = { calls = 0, slept = {} }
      local function call()
        got.calls = got.calls + 1
        local raised, answer = table.unpack(case.answers[got.calls])
        if raised then
          error(errors.client_error("GetThing", answer), 0)
        end
        return answer
      end
      local function sleep(seconds)
        got.slept[#got.slept + 1] = seconds
      end
      local ok, err = pcall(function()
        waiter.new("ThingDone", call, case.config, sleep):wait(case.params)
      end)
      if not ok then
        got.error, got.last = tostring(err), err.last_response
      end
      assert(values.same(case.want, got), ("case %d: %s, not %s"):format(i, json.encode(got),
        json.encode(case.want)))
    end
  end)

  it("calls again after the delay until a success", function()
    local client = client_with {
      errors.client_error("GetThing", { Error = { Code = "NotFound" } }),
      { State = "making" },
      { State = "ready" },
    }
    local ok, _, slept = wait(client, { Id = "x" })
    assert.is_true(ok)
    assert.same({ 5, 5 }, slept)
    assert.same({ "get_thing", { Id = "x" } }, client.calls[3])
  end)

  it("takes Delay and MaxAttempts from WaiterConfig without changing it", function()
    local params = { Id = "x", WaiterConfig = { Delay = 0.5, MaxAttempts = 2 } }
    local ok, err, slept = wait(client_with { {}, {} }, params)
    assert.is_false(ok)
    assert.same({ 0.5 }, slept)
    assert.same({ Id = "x", WaiterConfig = { Delay = 0.5, MaxAttempts = 2 } }, params)
    assert.equal("Waiter ThingReady failed: Max attempts exceeded", tostring(err))
  end)

  it("raises a WaiterError that tells the name, the reason and the last answer", function()
    local answer = { State = "broken" }
    local _, err = wait(client_with { answer }, {})
    assert.equal("WaiterError", err.kind)
    assert.equal("ThingReady", err.name)
    assert.equal('Waiter encountered a terminal failure state: For expression "State" we matched expected '
      .. 'path: "broken"', err.reason)
    assert.equal(answer, err.last_response)
  end)

  it("raises what is not the service's answer as it is", function()
    local lost = errors.new("EndpointConnectionError", "nobody there")
    local _, err = wait(client_with { lost }, {})
    assert.equal(lost, err)
  end)

  it("is found by its snake case name", function()
    local client = client_with {}
    assert.same({ "a_thing_gone", "thing_ready" }, waiter.names(client))
    local _, err = wait(client, {}, "ThingReady")
    assert.same({ "ValueError", "Waiter does not exist: ThingReady; did you mean 'thing_ready'?" },
      { err.kind, tostring(err) })
    fake.models.waiters = {}
    assert.same({}, waiter.names(client))
    _, err = wait(client, {})
    assert.equal("Waiter does not exist: thing_ready", tostring(err))
  end)

  it("refuses a model of another version and a matcher nobody knows", function()
    local client = client_with {}
    fake.models.waiters.svc.version = 1
    local _, err = wait(client, {})
    assert.equal("Error processing waiter config: Unsupported waiter version, supported version must be: 2, "
      .. "but version of waiter config is: 1", tostring(err))
    _, err = pcall(waiter.new, "W", print, { acceptors = { { matcher = "path2" } } })
    assert.same({ "WaiterConfigError", "Error processing waiter config: Unknown acceptor: path2" },
      { err.kind, tostring(err) })
  end)
end)
