-- Providers of credentials whose services are slow, refuse, answer nonsense, break off or fail: what a script
-- gets, and that the same session finds credentials once they are well again.
local aws = require("luaws")
local machine = require("spec.support.machine")
local providers = require("spec.support.providers")
local server = require("spec.support.server")

local async = aws.async

-- What is done to a good reply.
local TROUBLES = {
  denied = { status = 403, body = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>" },
  malformed = { body = "<half {\"" },
  empty = { body = "" },
  cut = { cut = { after = 3, how = "close" } },
  reset = { reset = true },
  failing = { status = 503, body = "" },
}

local function kinds(denied, empty, refused)
  return { denied = denied, empty = empty, refused = refused, malformed = "ResponseParserError",
    cut = "ConnectionClosedError", reset = "ConnectionClosedError", failing = "503" }
end

-- Of what kind the error is, or its code; false where there are no credentials then, and no error.
local EXPECTED = {
  ["assume-role"] = kinds("AccessDenied", "ResponseParserError", "EndpointConnectionError"),
  ["assume-role-with-web-identity"] = kinds("AccessDenied", "ResponseParserError",
    "EndpointConnectionError"),
  sso = kinds("403", "CredentialRetrievalError", "TokenRetrievalError"), -- a token comes first
  login = kinds("403", "LoginTokenLoadError", "EndpointConnectionError"),
  -- Three times, with pauses: the other troubles are in credentials_endpoints_spec.lua.
  ["container-role"] = { cut = "CredentialRetrievalError" },
  ["iam-role"] = { denied = false, malformed = false, empty = false, cut = false, reset = false,
    failing = false, refused = false },
}

describe("credentials of a service", function()
  local peer, closed
  setup(function()
    closed = server.start{ refuse = true }
  end)
  before_each(function()
    peer = server.start()
  end)
  after_each(function()
    peer:stop()
  end)
  teardown(function()
    closed:stop()
  end)

  --- Credentials, and what is done to the last reply that leads to them; nothing else is answered.
  local function replies(method, w, trouble)
    local list = providers.all[method].replies("new", w.now + 3600, w.now)
    for name, value in pairs(trouble or {}) do
      list[#list][name] = value
    end
    list[#list].always = trouble and trouble.always
    return table.unpack(list)
  end

  local function always(trouble)
    local copy = { always = true }
    for name, value in pairs(trouble) do
      copy[name] = value
    end
    return copy
  end

  --- The access key, or false, or of what kind the error is.
  local function outcome(session)
    local ok, found = pcall(machine.keys, session)
    if ok then
      return found and found.access_key or false
    end
    return found.code or found.kind, found
  end

  for method in pairs(providers.all) do
    it("that is in trouble are missed in words, and found when it is over: " .. method, function()
      for name, trouble in pairs(TROUBLES) do
        if EXPECTED[method][name] ~= nil then
          local w <close>, session = providers.machine(method, peer.url)
          w.env.AWS_MAX_ATTEMPTS = "1"
          peer:clear()
          peer:reply(replies(method, w, always(trouble)))
          local got, err = outcome(session)
          assert.equal(EXPECTED[method][name], got, name .. ": " .. tostring(err))
          peer:clear()
          peer:reply(replies(method, w))
          assert.equal("AK-new", outcome(session), name)
        end
      end
    end)

    if EXPECTED[method].refused ~= nil then
      it("that nobody answers for are missed in words: " .. method, function()
        local w <close>, session = providers.machine(method, closed.url)
        w.env.AWS_MAX_ATTEMPTS = "1"
        assert.equal(EXPECTED[method].refused, (outcome(session)))
      end)
    end

    it("that fails once are found by asking again, where that was set up: " .. method, function()
      local w <close>, session = providers.machine(method, peer.url)
      w.env.AWS_MAX_ATTEMPTS, w.env.AWS_METADATA_SERVICE_NUM_ATTEMPTS = "2", "2"
      local good = { replies(method, w) }
      table.insert(good, 1, { status = 503, body = "" })
      peer:reply(table.unpack(good))
      assert.equal("AK-new", (outcome(session)))
      assert.equal(#good, #peer:requests())
    end)

    it("that is slow are waited for while others go on, or given up: " .. method, function()
      local w <close>, session = providers.machine(method, peer.url)
      peer:reply(replies(method, w, { hang = true, always = true }))
      assert.equal("TimeoutError", machine.raised(async.timeout, 0.3, machine.keys, session).kind)
      peer:clear()
      peer:reply(replies(method, w, { delay = 0.4 }))
      local ticks, waiting = 0, true
      local key = async.gather(function()
        local keys = machine.keys(session)
        waiting = false
        return keys.access_key
      end, function()
        while waiting do
          async.sleep(0.02)
          ticks = ticks + 1
        end
      end)
      assert.equal("AK-new", key)
      assert.is_true(ticks > 3)
    end)

    it("that have ended before they come are of no use: " .. method, function()
      local w <close>, session = providers.machine(method, peer.url)
      local list = {}
      for _ = 1, 2 do -- asked a second time, they might be better
        for _, reply in ipairs{ table.unpack(providers.all[method].replies("old", w.now - 10, w.now)) } do
          list[#list + 1] = reply
        end
      end
      peer:reply(table.unpack(list))
      local extended = method == "iam-role" -- of a service which may be down for a while
      assert.equal(extended and "AK-old" or "RuntimeError", (outcome(session)))
    end)
  end
end)
