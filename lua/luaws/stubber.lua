--- aws.stubber(client): canned answers for the calls of a client, in a strict order, without network or
--- credentials.
---
---     local stub = aws.stubber(s3)
---     stub:add_response("list_buckets", { Buckets = {} }, {})
---     stub:activate()
---     s3:list_buckets{}                    -- the canned answer
---     stub:assert_no_pending_responses()
local core = require("luaws.core")
local errors = require("luaws.errors")
local methods = require("luaws.methods")

local stubber = {}

--- Stands for any value among expected parameters.
stubber.ANY = setmetatable({}, { __name = "luaws.stubber.ANY", __tostring = function() return "<ANY>" end })

local Stubber = {}
local stubber_mt = { __name = "luaws.stubber", __index = Stubber }

-- ---- answers must have the shape that the service's would have ----

local BASIC = {
  string = "string", blob = "string", boolean = "boolean", integer = "number", long = "number",
  float = "number", double = "number", character = "string",
}

local check

local function wrong_type(report, path, value, wanted)
  report[#report + 1] = ("Invalid type for parameter %s, value: %s, type: %s, valid types: %s"):format(path,
    tostring(value), type(value), wanted)
end

local function check_structure(client, shape, value, path, report)
  for _, name in ipairs(shape.required or {}) do
    if value[name] == nil then
      report[#report + 1] =
        ("Missing required parameter in %s: \"%s\""):format(path == "" and "input" or path, name)
    end
  end
  for name, item in pairs(value) do
    local member = shape.members and shape.members[name]
    if member then
      check(client, member, item, path == "" and name or path .. "." .. name, report)
    elseif not (path == "" and name == "ResponseMetadata") then
      report[#report + 1] = ("Unknown parameter in %s: \"%s\", must be one of: %s"):format(
        path == "" and "input" or path, tostring(name), table.concat(shape.member_names or {}, ", "))
    end
  end
end

-- An event stream is stubbed as the sequence of its events, each a table with one entry by its name.
local function check_events(client, shape, value, path, report)
  if type(value) ~= "table" or (next(value) ~= nil and #value == 0) then
    return wrong_type(report, path, value, "table (a list of events)")
  end
  for i, event in ipairs(value) do
    local at = ("%s[%d]"):format(path, i - 1)
    if type(event) ~= "table" or next(event) == nil or next(event, (next(event))) ~= nil then
      wrong_type(report, at, event, "table (one event by its name)")
    else
      check_structure(client, shape, event, at, report)
    end
  end
end

function check(client, shape_name, value, path, report)
  local shape = core.shape(client, shape_name)
  local kind = shape and shape.type
  if shape and shape.eventstream then
    check_events(client, shape, value, path, report)
  elseif kind == "structure" or kind == "list" or kind == "map" then
    -- A streamed payload and a document may be anything.
    if type(value) ~= "table" then
      wrong_type(report, path, value, "table")
    elseif kind == "structure" and not shape.document then
      check_structure(client, shape, value, path, report)
    elseif kind == "list" then
      for i, item in ipairs(value) do
        check(client, shape.member, item, ("%s[%d]"):format(path, i - 1), report)
      end
    elseif kind == "map" then
      for key, item in pairs(value) do
        check(client, shape.value, item, ("%s.%s"):format(path, tostring(key)), report)
      end
    end
  elseif kind == "blob" then
    if type(value) ~= "string" and type(value) ~= "table" and type(value) ~= "userdata" then
      wrong_type(report, path, value, "string, body")
    end
  elseif BASIC[kind] and type(value) ~= BASIC[kind] then
    wrong_type(report, path, value, BASIC[kind])
  elseif (kind == "integer" or kind == "long") and not math.tointeger(value) then
    wrong_type(report, path, value, "integer")
  end
end

local function check_response(client, operation, response)
  local report = {}
  if operation.output then
    check(client, operation.output, response, "", report)
  else
    for name in pairs(response) do
      if name ~= "ResponseMetadata" then
        errors.raise("ParamValidationError", "Parameter validation failed:\n"
          .. "Service response should only contain ResponseMetadata.")
      end
    end
  end
  if report[1] then
    errors.raise("ParamValidationError", "%s", "Parameter validation failed:\n" .. table.concat(report, "\n"))
  end
end

-- ---- what is expected ----

local function same(expected, actual)
  if rawequal(expected, stubber.ANY) then
    return true
  end
  if type(expected) ~= "table" or type(actual) ~= "table" then
    return expected == actual
  end
  for name, value in pairs(expected) do
    if actual[name] == nil or not same(value, actual[name]) then
      return false
    end
  end
  for name in pairs(actual) do
    if expected[name] == nil then
      return false
    end
  end
  return true
end

local function show(value)
  return require("luaws.pretty")(value)
end

local function fail(kind, operation, reason)
  errors.raise(kind, "%s", ("Error getting response stub for operation %s: %s"):format(operation, reason))
end

local function received(operation, expected, params)
  fail("StubAssertionError", operation,
    ("Expected parameters:\n%s,\nbut received:\n%s"):format(show(expected), show(params)))
end

local function check_expected(entry, operation, params)
  local expected = entry.expected_params
  if expected == nil then
    return
  end
  for name, value in pairs(expected) do
    if params[name] == nil then
      received(operation, expected, params)
    elseif not same(value, params[name]) then
      fail("StubAssertionError", operation,
        ("Expected value for parameter \"%s\":\n%s,\nbut received:\n%s"):format(name, show(value),
          show(params[name])))
    end
  end
  for name in pairs(params) do
    -- A download asks for the checksum of the object: stubs written for boto3 do not know of that.
    if expected[name] == nil and not (operation == "HeadObject" and name == "ChecksumMode") then
      received(operation, expected, params)
    end
  end
end

local function next_entry(self, operation)
  local entry = self._queue[1]
  if not entry then
    fail("UnStubbedResponseError", operation, "Unexpected API Call: A call was made but no additional calls "
      .. "expected. Either the API Call was not stubbed or it was called multiple times.")
  elseif entry.operation ~= operation then
    fail("StubResponseError", operation, "Operation mismatch: found response for " .. entry.operation .. ".")
  end
  return entry
end

local function add(self, method, entry)
  local operation = type(method) == "string" and core.operation_for_method(self._client, method)
  if not operation then
    errors.raise("ValueError", "Client does not have method: %s", tostring(method))
  end
  entry.operation = operation.name
  self._queue[#self._queue + 1] = entry
  return operation
end

local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local made = setmetatable({}, getmetatable(value))
  for name, item in pairs(value) do
    made[name] = copy(item)
  end
  return made
end

-- Sequences of events, and a streamed payload that is given as a string, become what is read from.
local function set_streams(client, operation, parsed)
  local output = operation.output and core.shape(client, operation.output)
  for member, shape_name in pairs(output and output.members or {}) do
    local shape = core.shape(client, shape_name)
    if shape and shape.eventstream and parsed[member] then
      local exceptions = {}
      for name, event in pairs(shape.members) do
        exceptions[name] = core.shape(client, event).exception and event or nil
      end
      parsed[member] = require("luaws.canned_events")(operation.name, parsed[member], exceptions)
    elseif operation.streams and member == output.payload and type(parsed[member]) == "string" then
      parsed[member] = core.body(parsed[member])
    end
  end
end

--- Adds an answer, which must fit the operation's output. A streamed body in it is given as a string, an
--- event stream as the sequence of its events.
---@param method string "list_buckets"
---@param response table
---@param expected_params table|nil what the call must be made with; nil for anything
function Stubber:add_response(method, response, expected_params)
  local operation = add(self, method, { expected_params = expected_params })
  local entry = table.remove(self._queue)
  check_response(self._client, operation, response)
  entry.status_code = 200
  entry.parsed = copy(response)
  set_streams(self._client, operation, entry.parsed)
  entry.parsed.ResponseMetadata = entry.parsed.ResponseMetadata
    or { RequestId = "abc123", HTTPStatusCode = 200, HTTPHeaders = {}, RetryAttempts = 0 }
  self._queue[#self._queue + 1] = entry
end

local ERROR_OPTIONS = { "service_error_code", "service_message", "http_status_code", "service_error_meta",
  "expected_params", "response_meta", "modeled_fields" }

--- Adds an error of the service.
---@param method string
---@param code string|table the error's code, or a table with service_error_code, service_message,
---  http_status_code = 400, service_error_meta, expected_params, response_meta, modeled_fields
---@param message string|nil
---@param status integer|nil
function Stubber:add_client_error(method, code, message, status)
  local opts = code
  if type(code) ~= "table" then
    opts = { service_error_code = code, service_message = message, http_status_code = status }
  end
  for name in pairs(opts) do
    local known = false
    for _, option in ipairs(ERROR_OPTIONS) do
      known = known or option == name
    end
    if not known then
      errors.raise("TypeError", "add_client_error: %s", require("luaws.nearest").message(tostring(name),
        ERROR_OPTIONS))
    end
  end
  status = opts.http_status_code or 400
  local parsed = copy(opts.modeled_fields) or {}
  parsed.ResponseMetadata = { HTTPStatusCode = status, HTTPHeaders = {}, RetryAttempts = 0 }
  for name, value in pairs(opts.response_meta or {}) do
    parsed.ResponseMetadata[name] = value
  end
  parsed.Error = { Message = opts.service_message or "", Code = opts.service_error_code or "" }
  for name, value in pairs(opts.service_error_meta or {}) do
    parsed.Error[name] = value
  end
  add(self, method, { expected_params = opts.expected_params, status_code = status, parsed = parsed })
end

local function answer(self)
  return function(event)
    local entry = next_entry(self, event.operation_name)
    table.remove(self._queue, 1)
    return { status_code = entry.status_code, parsed = entry.parsed }
  end
end

local function expect(self)
  return function(event)
    if not event.context.is_presign_request then
      check_expected(next_entry(self, event.operation_name), event.operation_name, event.params)
    end
  end
end

--- From now on the client's calls get the canned answers.
---@return table the stubber, which is closed (deactivated) as a `<close>` variable
function Stubber:activate()
  local emitter = self._client.meta.events
  emitter:register_first("before-parameter-build.*.*", self._expect, self._id .. "expect")
  emitter:register_first("before-call.*.*", self._answer, self._id .. "answer")
  return self
end

--- Gives the client back to the network.
function Stubber:deactivate()
  local emitter = self._client.meta.events
  emitter:unregister("before-parameter-build.*.*", self._expect, self._id .. "expect")
  emitter:unregister("before-call.*.*", self._answer, self._id .. "answer")
end

stubber_mt.__close = Stubber.deactivate

--- Raises when some answer was not asked for.
function Stubber:assert_no_pending_responses()
  local left = #self._queue
  if left > 0 then
    errors.raise("AssertionError", "%d responses remaining in queue.", left)
  end
end

methods.all("stubber", stubber_mt, Stubber)

local count = 0

--- A stubber for a client, not yet active.
---@param client userdata
---@return table
local function new(client)
  core.client_info(client) -- raises for what is no client
  count = count + 1
  local id = "luaws.stubber." .. count .. "."
  local self = setmetatable({ _client = client, _queue = {}, _id = id }, stubber_mt)
  self._expect, self._answer = expect(self), answer(self)
  return self
end

return setmetatable(stubber, { __name = "luaws.stubber.module", __call = function(_, client)
  return new(client)
end })
