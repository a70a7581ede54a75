-- Credentials that end are renewed once, however many tasks need them: for every provider that renews.
local aws = require("luaws")
local machine = require("spec.support.machine")
local providers = require("spec.support.providers")
local server = require("spec.support.server")

local NOW, iso = machine.NOW, machine.iso
local TASKS = 1000

describe("expired credentials", function()
  local peer
  setup(function()
    peer = server.start()
  end)
  teardown(function()
    peer:stop()
  end)

  --- What a thousand tasks find, each name with the number of those that found it.
  local function found_by_tasks(session)
    local items, found = {}, {}
    for i = 1, TASKS do
      items[i] = i
    end
    aws.async.map(items, function()
      local k = machine.keys(session)
      local all = table.concat({ k.access_key, k.secret_key, k.token }, " ")
      found[all] = (found[all] or 0) + 1
    end, { concurrency = TASKS })
    return found
  end

  for method, provider in pairs(providers.all) do
    it("of " .. method .. " are renewed once by 1,000 tasks", function()
      local w <close>, session = providers.machine(method, peer.url)
      for round = 1, 3 do
        w.now = NOW + 7200 * round
        peer:clear()
        local replies = provider.replies(tostring(round), w.now + 3600, w.now)
        peer:reply(table.unpack(replies))
        local name = ("AK-%d SECRET-%d TOKEN-%d"):format(round, round, round)
        assert.same({ [name] = TASKS }, found_by_tasks(session))
        assert.equal(#replies, #peer:requests())
        assert.equal(method, session:get_credentials().method)
      end
    end)
  end

  it("of the environment are read again, the same by 1,000 tasks", function()
    local w <close> = machine.new()
    local session = w.session()
    for round = 1, 3 do
      w.now = NOW + 7200 * round
      w.env.AWS_ACCESS_KEY_ID, w.env.AWS_SECRET_ACCESS_KEY = "AK-" .. round, "SECRET-" .. round
      w.env.AWS_SESSION_TOKEN, w.env.AWS_CREDENTIAL_EXPIRATION = "TOKEN-" .. round, iso(w.now + 3600)
      local name = ("AK-%d SECRET-%d TOKEN-%d"):format(round, round, round)
      assert.same({ [name] = TASKS }, found_by_tasks(session))
    end
    w.now, w.env.AWS_CREDENTIAL_EXPIRATION = w.now + 7200, nil
    local err = machine.raised(machine.keys, session)
    assert.same({ "PartialCredentialsError",
      "Partial credentials found in env, missing: AWS_CREDENTIAL_EXPIRATION" }, { err.kind, err.message })
  end)
end)
