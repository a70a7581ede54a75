--- Where events meet calls: tells the core which stages of a call somebody listens to, and when it
--- stops there, calls the listeners and hands what they answered back.
---
--- A stop costs microseconds. So a handler may say as data when it wants to be asked, and the core looks:
---
---     emitter:register("needs-retry.s3", events.when({ failed = true }, redirect))
---
--- Any of these that holds is reason enough:
---   failed = true            the answer says error, or there is none (after it was sent)
---   header = "expires"       the answer has this header, in lower case
---   error_document = true    the answer says 200, and its body is XML that tells of an error or breaks off
---   param = "SSECustomerKey" this parameter is given (before the call is made)
---   odd_name = "Bucket"      this parameter is given and is no plain name: letters, digits, "-", ".", "_"
--- and `operation`, a function of an operation's model, tells once whether it is about that operation at all.
--- A handler that has learnt something about a client which no condition sees calls
--- core.client_unguard(client).
local core = require("luaws.core")
local events = require("luaws.events")

local hooks = {}

-- ORDER HOOKS: as enum luaws_hook in client/call.h, then the two of bindings/l_plan.h.
local STAGES = {
  [0] = "before-endpoint-resolution", "before-call", "request-created", "choose-signer", "before-sign",
  "before-send", "before-parse", "response-received", "needs-retry",
}
local CHOOSE_SIGNER <const>, BEFORE_SIGN <const> = 3, 4
local PARAMS <const>, AFTER <const> = 9, 10

local function emitter_of(client)
  return core.client_fields(client)._events or core.client_class(client)._events
end

-- Names are put together once for each class of clients: names[stage][operation].
local function names_of(class)
  local names = {}
  class._event_names = names
  return setmetatable(names, { __index = function(_, stage)
    local prefix = stage .. "." .. class._info.hyphen_id .. "."
    local of_stage = setmetatable({}, { __index = function(known, operation)
      local name = prefix .. operation
      known[operation] = name
      return name
    end })
    names[stage] = of_stage
    return of_stage
  end })
end

local function event_name(stage, client, operation)
  local class = core.client_class(client)
  return (class._event_names or names_of(class))[stage][operation]
end

local function model_of(client, operation)
  local class = core.client_class(client)
  local models = class._operations
  if not models then
    models = {}
    class._operations = models
  end
  local model = models[operation]
  if not model then
    model = core.operation(client, operation)
    models[operation] = model
  end
  return model
end

-- What a condition says, as core.plan takes it.
local function add_conditions(list, bit, condition)
  for _, kind in ipairs{ "failed", "header", "error_document", "param", "odd_name" } do
    local value = condition[kind]
    if value then
      list[#list + 1] = { bit, kind, value ~= true and value or nil }
    end
  end
end

-- Where calls of an operation stop, false where nowhere.
local function make_plan(emitter, client, operation)
  local always, conditions = 0, {}
  local function look(bit, ...)
    for _, stage in ipairs{ ... } do
      local wanted = emitter:conditions(event_name(stage, client, operation))
      if not wanted or bit == AFTER and wanted[1] then
        always = always | 1 << bit
      end
      for _, condition in ipairs(wanted or {}) do
        if not condition.operation or condition.operation(model_of(client, operation)) then
          add_conditions(conditions, bit, condition)
        end
      end
    end
  end
  for bit = 0, #STAGES do
    look(bit, STAGES[bit])
  end
  look(PARAMS, "provide-client-params", "before-parameter-build")
  look(AFTER, "after-call", "after-call-error")
  return (always ~= 0 or conditions[1]) and core.plan(always, conditions) or false
end

-- emitter → { version =, [class of clients] = { [operation] = plan } }
local plans = setmetatable({}, { __mode = "k" })

local function plans_of(emitter, class)
  local known = plans[emitter]
  if not known or known.version ~= emitter.version then
    known = setmetatable({ version = emitter.version }, { __mode = "k" })
    plans[emitter] = known
  end
  local by_operation = known[class]
  if not by_operation then
    by_operation = {}
    known[class] = by_operation
  end
  return by_operation
end

--- Where a call of this operation stops: a plan of the core's, or nil.
function hooks.plan(client, operation)
  local class = core.client_class(client)
  local emitter = core.client_fields(client)._events or class._events
  if not emitter then
    return nil
  end
  local by_operation = plans_of(emitter, class)
  local plan = by_operation[operation]
  if plan == nil then
    plan = make_plan(emitter, client, operation)
    by_operation[operation] = plan
  end
  return plan or nil
end

-- What costs something is made when a handler asks for it.
local function operation_model(event)
  return model_of(event.client, event.operation_name)
end

local LATE = {
  model = operation_model, operation_model = operation_model, operation = operation_model,
  endpoint = function(event)
    return { host = event.client.meta.endpoint_url }
  end,
  request_signer = function(event)
    return event.call and require("luaws.request_signer").new(event)
  end,
  -- After the call: what is left of the answer.
  http_response = function(event)
    local metadata = event.parsed and event.parsed.ResponseMetadata
    return metadata and { status_code = metadata.HTTPStatusCode, headers = metadata.HTTPHeaders }
  end,
}

local event_mt = {}
function event_mt:__index(name)
  return LATE[name] and LATE[name](self)
end

local function new_event(event)
  return setmetatable(event, event_mt)
end

local function shallow_copy(map)
  local copy = {}
  for name, value in pairs(map) do
    copy[name] = value
  end
  return copy
end

--- Asks the listeners of the parameters. The caller's table is never changed.
---@param is_presign boolean|nil
---@return table params those to be used
---@return table context the call's own table that its listeners share. A listener may leave in it
---  `endpoint_builtins`: values of the endpoint's built-in parameters, by AWS's names for them.
---@return integer more stages that this call must stop at
function hooks.params(client, operation, params, is_presign)
  local emitter = emitter_of(client)
  local context = { is_presign_request = is_presign }
  local event = new_event { params = shallow_copy(params), context = context, client = client,
    operation_name = operation }
  local name = event_name("provide-client-params", client, operation)
  if emitter:has_listeners(name) then
    local replaced = events.first_non_none_response(emitter:emit(name, event))
    if replaced ~= nil then
      event.params = shallow_copy(replaced)
    end
  end
  emitter:tell(event_name("before-parameter-build", client, operation), event)
  return event.params, context, context.endpoint_builtins and 1 or 0
end

--- As hooks.params where somebody listens, else the parameters as they are: for a presigned URL.
function hooks.asked_params(client, operation, params)
  if not core.plan_asks(client, hooks.plan(client, operation), params) then
    return params, { is_presign_request = true }, 0
  end
  return hooks.params(client, operation, params, true)
end

-- ---- the request as handlers see it: writes go through to the call ----

local headers_mt = { __name = "luaws.headers" }

local function find_header(headers, name)
  name = name:lower()
  for known, value in pairs(headers._values) do
    if known:lower() == name then
      return known, value
    end
  end
end

function headers_mt:__index(name)
  local _, value = find_header(self, name)
  return value
end

function headers_mt:__newindex(name, value)
  local known = find_header(self, name)
  if known then
    self._values[known] = nil
  end
  value = value ~= nil and tostring(value) or nil
  self._values[name] = value
  self._call:set_header(name, value)
end

function headers_mt:__pairs()
  return next, self._values, nil
end

local SETTERS = { method = "set_method", url = "set_url", body = "set_body" }
local request_mt = { __name = "luaws.request" }

-- Everything of a request but its body, which may be streamed, is read at the first look.
function request_mt:__index(name)
  if name == "body" then
    return self._call:request_body()
  end
  if name == "headers" or name == "_values" then
    local method, url, values = self._call:request()
    rawset(self, "_values", { method = method, url = url, url_path = url:match("^[^:]*://[^/?]*([^?]*)"),
      query_string = url:match("?(.*)$") or "" })
    rawset(self, "headers", setmetatable({ _values = values, _call = self._call }, headers_mt))
    return rawget(self, name)
  end
  return self._values[name]
end

function request_mt:__newindex(name, value)
  local setter = SETTERS[name]
  if not setter then
    self._values[name] = value
    return
  end
  if name ~= "body" then
    self._values[name] = value
  end
  self._call[setter](self._call, value)
end

local function request_of(call, context)
  return setmetatable({ _call = call, context = context }, request_mt)
end

-- ---- the response, the same way ----

local response_headers_mt = { __name = "luaws.headers" }

function response_headers_mt:__index(name)
  return self._call:response_header(name)
end

function response_headers_mt:__newindex(name, value)
  self._call:set_response_header(name:lower(), value ~= nil and tostring(value) or nil)
end

function response_headers_mt:__pairs()
  return pairs(self._call:response_headers())
end

local response_mt = { __name = "luaws.response" }

function response_mt:__index(name)
  local call = self._call
  if name == "status_code" then
    return call:status()
  elseif name == "body" then
    return call:response_body()
  elseif name == "headers" then
    local headers = setmetatable({ _call = call }, response_headers_mt)
    rawset(self, "headers", headers)
    return headers
  elseif name == 1 then
    return self -- botocore has a pair there
  elseif name == 2 then
    return call:parsed()
  end
end

function response_mt:__newindex(name, value)
  local call = self._call
  if name == "status_code" then
    call:set_response(value)
  elseif name == "body" then
    call:set_response(call:status(), value)
  end
end

-- The answer as the call will return it; nil where its body is a stream, which is read once.
function LATE.parsed_response(event)
  return event.response_dict and event.call:parsed()
end

local function response_of(call)
  return call:status() and setmetatable({ _call = call }, response_mt) or nil
end

-- ---- one function per stage ----

local run = {}

run[0] = function(emitter, event, call)
  local names, params = call:endpoint_builtins(), call:endpoint_params()
  local before, builtins = {}, {}
  for builtin, name in pairs(names) do
    before[builtin] = params[name]
    builtins[builtin] = params[name]
  end
  for builtin, value in pairs(event.context.endpoint_builtins or {}) do
    builtins[builtin] = value
  end
  event.builtins = builtins
  emitter:tell(event.stage_name, event)
  for builtin, name in pairs(names) do
    if before[builtin] ~= builtins[builtin] then
      call:set_endpoint_param(name, builtins[builtin])
    end
  end
end

local function check_answer(event, response)
  if type(response) ~= "table" then
    require("luaws.errors").raise("TypeError",
      "a handler of %s answers with a table { status_code, headers, body }, not a %s", event.stage_name,
      type(response))
  end
end

local function answer(call, response)
  call:answer(response.status_code or 200, response.headers or {}, response.body or "")
end

-- A handler may answer with bytes, or with a result that is there already: { parsed =, status_code = }.
run[1] = function(emitter, event, call)
  event.request = request_of(call, event.context)
  event.params = event.request -- the request's parts, as botocore
  local _, response = emitter:emit_until_response(event.stage_name, event)
  if response == nil then
    return
  end
  check_answer(event, response)
  if response.parsed == nil then
    answer(call, response)
  elseif (response.status_code or 200) < 300 then
    call:give(response.parsed, true)
  else
    call:give(require("luaws.errors").client_error(event.operation_name, response.parsed), false)
  end
end

run[2] = function(emitter, event, call)
  event.request = request_of(call, event.context)
  emitter:tell(event.stage_name, event)
end

local function tell_signer(event, call)
  event.signature_version, event.signing_name, event.region_name, event.signature_configured = call:signer()
end

run[3] = function(emitter, event, call)
  tell_signer(event, call)
  local _, version = emitter:emit_until_response(event.stage_name, event)
  if version ~= nil then
    call:set_signature_version(version)
  end
end

run[4] = function(emitter, event, call)
  tell_signer(event, call)
  run[2](emitter, event, call)
end

run[5] = function(emitter, event, call)
  event.request = request_of(call)
  local response = events.first_non_none_response(emitter:emit(event.stage_name, event))
  if response ~= nil then
    check_answer(event, response)
    answer(call, response)
  end
end

run[6] = function(emitter, event, call)
  event.response_dict = response_of(call)
  event.customized_response_dict = {}
  emitter:tell(event.stage_name, event)
  if next(event.customized_response_dict) ~= nil then
    event.context._customized = event.customized_response_dict
    call:listen_after()
  end
end

run[7] = function(emitter, event, call)
  event.response_dict = response_of(call)
  event.exception = call:error()
  emitter:tell(event.stage_name, event)
end

run[8] = function(emitter, event, call)
  event.response = response_of(call)
  event.caught_exception = call:error()
  event.attempts = call:attempt()
  event.request = request_of(call, event.context)
  event.request_dict = event.request
  local delay = events.first_non_none_response(emitter:emit(event.stage_name, event))
  if delay ~= nil then
    call:set_retry_delay(type(delay) == "number" and delay or nil)
  end
end

--- Calls the listeners of one stage; the core goes on when this returns.
function hooks.run(client, call, stage, params)
  local operation = call:operation_name()
  run[stage](emitter_of(client), new_event {
    stage_name = event_name(STAGES[stage], client, operation),
    operation_name = operation,
    params = params,
    context = call:context(),
    client = client,
    call = call,
    is_presign = call:is_presign(),
  }, call)
end

--- Asks who listens to signatures of one that no call makes: `unsent` has those methods of a call that the
--- stages need.
function hooks.ask_signers(client, unsent)
  for stage = CHOOSE_SIGNER, BEFORE_SIGN do
    hooks.run(client, unsent, stage)
  end
end

-- Listeners may have put another error into what the service answered.
local function read_again(err)
  local detail = err.response.Error
  if type(detail) == "table" then
    err.code = detail.QueryErrorCode and err.code or detail.Code or "Unknown"
    err.message = detail.Message or "Unknown"
  end
end

--- Hands the result to whoever listens after the call, then returns or raises it.
function hooks.after(client, operation, ok, result, params, context)
  local emitter = emitter_of(client)
  context = context or {}
  local event = new_event { params = params, context = context, client = client, operation_name = operation }
  if type(result) == "table" and (ok or result.response) then
    event.parsed = ok and result or result.response
    for name, value in pairs(context._customized or {}) do
      event.parsed[name] = value
    end
    emitter:emit(event_name("after-call", client, operation), event)
    if not ok then
      read_again(result)
    end
  else
    event.exception = result
    emitter:emit(event_name("after-call-error", client, operation), event)
  end
  if not ok then
    error(result, 0)
  end
  return result
end

--- Gives a call the keys of its bucket, where those of the client will not do.
function hooks.identify(client, call, params)
  return require("luaws.s3_express").identify(client, call, params)
end

--- Lets a task give the events of a call: see luaws.event_feed.
function hooks.feed(writer, next_event)
  return require("luaws.event_feed")(writer, next_event)
end

--- What a listener of getattr.SERVICE.NAME offers for a name that a client does not have.
function hooks.getattr(client, name)
  local emitter = emitter_of(client)
  if not emitter then
    return nil
  end
  local event = event_name("getattr", client, name)
  if not emitter:has_listeners(event) then
    return nil
  end
  local _, value = emitter:emit_until_response(event, { client = client })
  return value
end

return hooks
