--- Where events meet calls: tells the core which stages of a call somebody listens to, and when it stops there,
--- calls the listeners and hands what they answered back.
local core = require("luaws.core")
local events = require("luaws.events")

local hooks = {}

-- ORDER HOOKS: as enum luaws_hook in client/call.h, then the two of bindings/l_call.c.
local STAGES = {
  [0] = "before-endpoint-resolution", "before-call", "request-created", "choose-signer", "before-sign",
  "before-send", "before-parse", "response-received", "needs-retry",
}
local PARAMS, AFTER = 1 << 9, 1 << 10

local function emitter_of(client)
  return core.client_fields(client)._events or core.client_class(client)._events
end

local function info_of(client)
  return core.client_class(client)._info
end

local function event_name(stage, client, operation)
  return stage .. "." .. info_of(client).hyphen_id .. "." .. operation
end

-- emitter → { version =, [operation] = mask }
local masks = setmetatable({}, { __mode = "k" })

local function make_mask(emitter, client, operation)
  local mask = 0
  local function heard(stage)
    return emitter:has_listeners(event_name(stage, client, operation))
  end
  for bit = 0, #STAGES do
    if heard(STAGES[bit]) then
      mask = mask | 1 << bit
    end
  end
  if heard("provide-client-params") or heard("before-parameter-build") then
    mask = mask | PARAMS
  end
  if heard("after-call") or heard("after-call-error") or mask & 1 << 6 ~= 0 then
    mask = mask | AFTER
  end
  return mask
end

--- Which stages of a call of this operation somebody listens to, as bits.
function hooks.mask(client, operation)
  local emitter = emitter_of(client)
  if not emitter then
    return 0
  end
  local known = masks[emitter]
  if not known or known.version ~= emitter.version then
    known = { version = emitter.version }
    masks[emitter] = known
  end
  -- One emitter may serve clients of several services (a session's copy): the service is part of the key.
  local key = info_of(client).hyphen_id .. "." .. operation
  local mask = known[key]
  if not mask then
    mask = make_mask(emitter, client, operation)
    known[key] = mask
  end
  return mask
end

-- A call's own table that its handlers share, by its parameters.
local contexts = setmetatable({}, { __mode = "k" })

local function context_of(params)
  local context = contexts[params]
  if not context then
    context = {}
    contexts[params] = context
  end
  return context
end

--- Asks the listeners of the parameters; returns those to be used. The caller's table is never changed.
function hooks.params(client, operation, params)
  local emitter = emitter_of(client)
  local copy = {}
  for name, value in pairs(params) do
    copy[name] = value
  end
  local context = {}
  local model = core.operation(client, operation)
  local responses = emitter:emit(event_name("provide-client-params", client, operation),
    { params = copy, model = model, context = context, client = client })
  local replaced = events.first_non_none_response(responses)
  if replaced ~= nil then
    copy = replaced
  end
  contexts[copy] = context
  emitter:emit(event_name("before-parameter-build", client, operation),
    { params = copy, model = model, context = context, client = client })
  return copy
end

--- As hooks.params where somebody listens, else the parameters as they are.
function hooks.asked_params(client, operation, params)
  if hooks.mask(client, operation) & PARAMS == 0 then
    return params
  end
  return hooks.params(client, operation, params)
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

function request_mt:__index(name)
  if name == "body" then
    return self._call:request_body()
  end
end

function request_mt:__newindex(name, value)
  local setter = SETTERS[name]
  if setter then
    self._call[setter](self._call, value)
    if name ~= "body" then
      rawset(self, "_" .. name, value)
    end
  else
    rawset(self, name, value)
  end
end

local function request_of(call)
  local method, url, values = call:request()
  local headers = setmetatable({ _values = values, _call = call }, headers_mt)
  local request = { _call = call, _method = method, _url = url, headers = headers }
  return setmetatable(request, {
    __name = request_mt.__name,
    __index = function(self, name)
      if name == "method" or name == "url" then
        return rawget(self, "_" .. name)
      end
      return request_mt.__index(self, name)
    end,
    __newindex = request_mt.__newindex,
  })
end

local function response_of(call)
  local status, headers, body = call:response()
  return status and { status_code = status, headers = headers, body = body }
end

-- ---- one function per stage ----

local run = {}

run[0] = function(emitter, event, call)
  local before = call:endpoint_params()
  local builtins = {}
  for name, value in pairs(before) do
    builtins[name] = value
  end
  event.builtins = builtins
  emitter:emit(event.event, event)
  for name, value in pairs(builtins) do
    if before[name] ~= value then
      call:set_endpoint_param(name, value)
    end
  end
  for name in pairs(before) do
    if builtins[name] == nil then
      call:set_endpoint_param(name, nil)
    end
  end
end

local function answer(call, response)
  call:answer(response.status_code or 200, response.headers or {}, response.body or "")
end

run[1] = function(emitter, event, call)
  event.request = request_of(call)
  local _, response = emitter:emit_until_response(event.event, event)
  if response ~= nil then
    answer(call, response)
  end
end

run[2] = function(emitter, event, call)
  event.request = request_of(call)
  emitter:emit(event.event, event)
end

run[3] = function(emitter, event, call)
  local _, version = emitter:emit_until_response(event.event, event)
  if version ~= nil then
    call:set_signature_version(version)
  end
end

run[4] = run[2]

run[5] = function(emitter, event, call)
  event.request = request_of(call)
  local response = events.first_non_none_response(emitter:emit(event.event, event))
  if response ~= nil then
    answer(call, response)
  end
end

run[6] = function(emitter, event, call)
  local response = response_of(call)
  event.response_dict = response
  event.customized_response_dict = event.context._customized or {}
  local status, body = response.status_code, response.body
  local headers = {}
  for name, value in pairs(response.headers) do
    headers[name] = value
  end
  emitter:emit(event.event, event)
  event.context._customized = event.customized_response_dict
  if response.status_code ~= status or response.body ~= body then
    call:set_response(response.status_code, response.body)
  end
  for name, value in pairs(response.headers) do
    if headers[name] ~= value then
      call:set_response_header(name, tostring(value))
    end
    headers[name] = nil
  end
  for name in pairs(headers) do
    call:set_response_header(name, nil)
  end
end

run[7] = function(emitter, event, call)
  event.response_dict = response_of(call)
  event.exception = call:error()
  emitter:emit(event.event, event)
end

run[8] = function(emitter, event, call)
  event.response = response_of(call)
  event.caught_exception = call:error()
  event.attempts = call:attempt()
  event.request = request_of(call)
  local delay = events.first_non_none_response(emitter:emit(event.event, event))
  if delay ~= nil then
    call:set_retry_delay(type(delay) == "number" and delay or nil)
  end
end

--- Calls the listeners of one stage; the core goes on when this returns.
function hooks.run(client, call, stage, params)
  local operation = call:operation_name()
  local event = {
    event = event_name(STAGES[stage], client, operation),
    operation_name = operation,
    params = params,
    context = context_of(params),
    client = client,
    is_presign = call:is_presign(),
  }
  run[stage](emitter_of(client), event, call)
end

--- Hands the result to whoever listens after the call, then returns or raises it.
function hooks.after(client, operation, ok, result, params)
  local emitter = emitter_of(client)
  local event = { context = context_of(params), client = client, operation_name = operation }
  if type(result) == "table" and (ok or result.response) then
    event.parsed = ok and result or result.response
    for name, value in pairs(event.context._customized or {}) do
      event.parsed[name] = value
    end
    emitter:emit(event_name("after-call", client, operation), event)
    result = event.replaced or result
  else
    event.exception = result
    emitter:emit(event_name("after-call-error", client, operation), event)
  end
  if not ok then
    error(result, 0)
  end
  return result
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
