--- Calls an operation again and again until its answer is what one waits for.
---
---     local running = client:get_waiter("instance_running")
---     running:wait { InstanceIds = { id }, WaiterConfig = { MaxAttempts = 20 } }
---
--- What to call, how often and what to look for is in the service's waiters model: a row of acceptors, of
--- which the first that matches an answer says success, failure or retry.
local core = require("luaws.core")
local errors = require("luaws.errors")
local features = require("luaws.features")
local jmespath = require("luaws.jmespath")
local nearest = require("luaws.nearest")
local repr = require("luaws.repr")
local values = require("luaws.jmespath.values")

local waiter = {}

local Waiter = {}
local waiter_mt = { __name = "luaws.waiter", __index = Waiter }

local SUPPORTED_VERSION = 2

local function is_error_answer(response)
  return type(response.Error) == "table" and response.Error.Code ~= nil
end

-- The list an expression finds; nil when it finds none, or an empty one, which never matches.
local function find_list(acceptor, response)
  local found = not is_error_answer(response) and jmespath.search(acceptor.argument, response)
  return type(found) == "table" and found[1] ~= nil and found or nil
end

local MATCHERS = {}

function MATCHERS.path(acceptor, response)
  return not is_error_answer(response)
    and values.same(jmespath.search(acceptor.argument, response), acceptor.expected)
end

function MATCHERS.pathAll(acceptor, response)
  local found = find_list(acceptor, response)
  for _, item in ipairs(found or {}) do
    if not values.same(item, acceptor.expected) then
      return false
    end
  end
  return found ~= nil
end

function MATCHERS.pathAny(acceptor, response)
  for _, item in ipairs(find_list(acceptor, response) or {}) do
    if values.same(item, acceptor.expected) then
      return true
    end
  end
  return false
end

function MATCHERS.status(acceptor, response)
  local metadata = response.ResponseMetadata
  return metadata ~= nil and metadata.HTTPStatusCode == acceptor.expected
end

function MATCHERS.error(acceptor, response)
  local detail = type(response.Error) == "table" and response.Error
  if acceptor.expected == true then
    return detail and detail.Code ~= nil
  elseif acceptor.expected == false then
    return not detail
  end
  return (detail and detail.Code or "") == acceptor.expected
end

local EXPLANATIONS = {
  path = 'For expression "%s" we matched expected path: "%s"',
  pathAll = 'For expression "%s" all members matched expected path: "%s"',
  pathAny = 'For expression "%s" we matched expected path: "%s" at least once',
  status = "Matched expected HTTP status code: %s",
  error = "Matched expected service error code: %s",
}

local function explain(acceptor)
  local expected = repr.text(acceptor.expected)
  if acceptor.matcher:find("^path") then
    return EXPLANATIONS[acceptor.matcher]:format(acceptor.argument, expected)
  end
  return EXPLANATIONS[acceptor.matcher]:format(expected)
end

local function fail(self, response, reason)
  error(errors.new("WaiterError", ("Waiter %s failed: %s"):format(self.name, reason),
    { name = self.name, reason = reason, last_response = response }), 0)
end

-- An answer that says error is an answer like any other here; anything else that goes wrong is raised.
local function ask(self, params)
  local ok, response = pcall(self._call, params)
  if ok then
    return response
  end
  local err = response
  if errors.is_error(err) and err:is("ClientError") and err.response then
    return err.response
  end
  error(err, 0)
end

local function first_match(acceptors, response)
  for _, acceptor in ipairs(acceptors) do
    if MATCHERS[acceptor.matcher](acceptor, response) then
      return acceptor
    end
  end
end

-- What one answer means: true to stop, or the acceptor that matched, if any. Raises on failure.
local function judge(self, response)
  local matched = first_match(self.config.acceptors, response)
  if not matched then
    if is_error_answer(response) then
      fail(self, response, ("An error occurred (%s): %s"):format(response.Error.Code,
        response.Error.Message or "Unknown"))
    end
  elseif matched.state == "failure" then
    fail(self, response, "Waiter encountered a terminal failure state: " .. explain(matched))
  end
  return matched
end

-- What the caller wants instead of the model's delay and number of attempts.
local function check_config(config)
  nearest.check_options("WaiterConfig", config, { "Delay", "MaxAttempts" })
  for name, value in pairs(config) do
    local fits = type(value) == "number" and value >= 0 and (name ~= "Delay" or value < math.huge)
    if not fits then
      errors.raise("ValueError", "WaiterConfig: %s must be a number that is not negative, not %s", name,
        repr.value(value))
    end
  end
  return config
end

local function check_wait(self, params)
  if getmetatable(self) ~= waiter_mt then
    errors.raise("TypeError", "wait is a method: call it as waiter:wait{...}")
  elseif params ~= nil and type(params) ~= "table" then
    errors.raise("TypeError", "wait takes its parameters in one table, not a %s", type(params))
  end
end

--- Waits. Raises WaiterError (with last_response, name and reason) on a failure state, on an error
--- that nothing accepts and when MaxAttempts calls were not enough.
---@param params table|nil the operation's parameters, and WaiterConfig = { Delay, MaxAttempts }
function Waiter:wait(params)
  check_wait(self, params)
  local copy = {}
  for name, value in pairs(params or {}) do
    copy[name] = value
  end
  local config = check_config(copy.WaiterConfig or {})
  copy.WaiterConfig = nil
  local delay = config.Delay or self.config.delay
  local max_attempts = config.MaxAttempts or self.config.maxAttempts
  local ever_matched = false
  local attempts = 0
  while true do
    local response = ask(self, copy)
    attempts = attempts + 1
    local matched = judge(self, response)
    if matched and matched.state == "success" then
      return
    end
    ever_matched = ever_matched or matched ~= nil
    if attempts >= max_attempts then
      -- Where the last answer matched nothing, botocore names the acceptor it looked at last.
      local acceptors = self.config.acceptors
      fail(self, response, "Max attempts exceeded" .. (ever_matched
        and ". Previously accepted state: " .. explain(matched or acceptors[#acceptors]) or ""))
    end
    self._sleep(delay)
  end
end

function waiter_mt.__tostring(self)
  return "waiter " .. self.name
end

local function check_acceptors(config)
  for _, acceptor in ipairs(config.acceptors) do
    if not MATCHERS[acceptor.matcher] then
      errors.raise("WaiterConfigError", "Error processing waiter config: Unknown acceptor: %s",
        tostring(acceptor.matcher))
    end
  end
end

local function sleep(seconds)
  require("luaws.async").sleep(seconds)
end

setmetatable(Waiter, { __index = nearest.no_such("waiter", setmetatable({ name = true, config = true },
  { __index = Waiter })) })

--- A waiter that asks through call(params) and goes by a model's entry.
---@param name string the model's name, for messages
---@param call function
---@param config table delay, maxAttempts, acceptors
---@param pause function|nil instead of sleeping: gets the seconds
---@return table
function waiter.new(name, call, config, pause)
  check_acceptors(config)
  return setmetatable({ name = name, config = config, _call = call, _sleep = pause or sleep }, waiter_mt)
end

local function model(client, ...)
  local meta = client.meta
  return core.model(client, "waiters", meta.service_name, meta.api_version, ...)
end

local function check_version(client)
  local version = model(client, "version")
  if version ~= SUPPORTED_VERSION then
    errors.raise("WaiterConfigError", "Error processing waiter config: Unsupported waiter version, "
      .. "supported version must be: %d, but version of waiter config is: %s", SUPPORTED_VERSION,
      repr.text(version == nil and "unknown" or version))
  end
end

-- The model's names, sorted.
local function model_names(client)
  local names = {}
  for name in pairs(model(client, "waiters") or {}) do
    names[#names + 1] = name
  end
  if names[1] then
    check_version(client)
  end
  table.sort(names)
  return names
end

--- The names get takes, in the order of the model's.
---@param client userdata
---@return table
function waiter.names(client)
  local names = model_names(client)
  for i, name in ipairs(names) do
    names[i] = core.xform_name(name)
  end
  return names
end

--- The waiter of that name.
---@param client userdata
---@param waiter_name string such as "instance_running"
---@param pause function|nil as for new
---@return table
function waiter.get(client, waiter_name, pause)
  local names = {}
  for _, name in ipairs(model_names(client)) do
    names[#names + 1] = core.xform_name(name)
    if names[#names] == waiter_name then
      local config = model(client, "waiters", name)
      local method = client[core.xform_name(config.operation)]
      return waiter.new(name, function(params)
        return features.during("waiter", method, client, params)
      end, config, pause)
    end
  end
  local near = nearest.find(tostring(waiter_name), names)[1]
  errors.raise("ValueError", "Waiter does not exist: %s%s", tostring(waiter_name),
    near and ("; did you mean '%s'?"):format(near) or "")
end

return waiter
