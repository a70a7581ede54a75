-- Uses credentials from many places, one after the other, and shows all that there is to see of it: the log
-- at debug level, errors, objects, what handlers of events are given.
--
--   luaws show_secrets.lua PLAN
--
-- PLAN is a file of JSON: `now`, and `cases`, each with `name`, `home`, `env`, `profile` and `own` (the
-- `credentials` and the `token` that providers in Lua give; they fail where there are none). What is printed
-- of a case stands between "=== NAME" and "=== end".
local aws = require("luaws")
local cjson = require("cjson")

local STAGES = { "provide-client-params", "before-parameter-build", "before-endpoint-resolution",
  "before-call", "request-created", "choose-signer", "before-sign", "before-send", "before-parse",
  "response-received", "needs-retry", "after-call", "after-call-error" }
local CALLS = { { "sqs", "list_queues" }, { "codecatalyst", "list_spaces" },
  { "bedrock", "list_foundation_models" } }

local function show(...)
  for i = 1, select("#", ...) do
    local value = (select(i, ...))
    print(tostring(value), aws.pretty(value))
  end
end

-- An event and what is in it, as deep as plain tables go.
local function show_event(event)
  show(event, event.request, event.request and event.request.headers, event.response_dict, event.exception,
    event.request_dict, event.http_response, event.http_response and event.http_response.headers,
    event.parsed_response)
  for name, value in pairs(event) do
    print(name)
    show(value)
  end
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function add_own(session, own)
  local function give(what)
    return function()
      aws.async.sleep(0)
      return own[what] or error("the vault is closed")
    end
  end
  session:get_component("credential_provider"):insert_before("env",
    { METHOD = "vault", load = give("credentials") })
  session:get_component("token_provider"):insert_before("env",
    { METHOD = "vault", load_token = give("token") })
end

local function call(session, service, operation)
  local client = session:client(service)
  local _, answer = xpcall(client[operation], function(err)
    show(err)
    return { err, debug.traceback(tostring(err)) }
  end, client, {})
  show(client, client.meta, client.meta.config, answer)
  return client
end

local function run(case, now)
  local session = aws.session{ profile_name = case.profile, region_name = "eu-west-1", _env = case.env,
    _home = case.home, _clock = function() return now end, mfa_prompt = function() return "SECRETcode" end }
  if case.own then
    add_own(session, case.own)
  end
  for _, stage in ipairs(STAGES) do
    session.events:register(stage, show_event)
  end
  local ok, found = pcall(function() return session:get_credentials():get_frozen_credentials() end)
  show(ok, found, session, session:explain(), session:get_credentials(), session.full_config ~= nil)
  show(select(2, pcall(session.get_auth_token, session, { signing_name = "bedrock" })))
  local first
  for _, of in ipairs(CALLS) do
    first = call(session, of[1], of[2]) and first or session:client("sqs")
  end
  show(select(2, pcall(first.list_queues, first, { QueueNamePrefix = 42, Nonsense = true })))
end

local plan = cjson.decode(read(arg[1]))
io.stdout:setvbuf("no")
aws.set_stream_logger("", "debug")
for _, case in ipairs(plan.cases) do
  print("\n=== " .. case.name)
  show(pcall(run, case, plan.now))
  print("\n=== end")
end
