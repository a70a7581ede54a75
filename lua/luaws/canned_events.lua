--- A stubbed event stream: a sequence of events, read as one that comes from a service.
local errors = require("luaws.errors")

local Canned = {}
local canned_mt = { __name = "luaws.events", __index = Canned }

local function next_event(self)
  if self._closed then
    errors.raise("ValueError", "the event stream is closed")
  end
  local at = self._at + 1
  local event = self._events[at]
  if event == nil then
    return nil
  end
  self._at = at
  local name, value = next(event)
  if not self._exceptions[name] then
    return event
  end
  self._at = #self._events
  local response = { Error = { Code = name, Message = value.message or value.Message or "" } }
  for member, what in pairs(value) do
    response[member] = what
  end
  error(errors.client_error(self._operation, response,
    { kind = "EventStreamError", shape = self._exceptions[name] }), 0)
end

--- An iterator over the events still to come; one that is an exception is raised, and is the last.
function Canned:events()
  if self._closed then
    errors.raise("ValueError", "the event stream is closed")
  end
  return function()
    return next_event(self)
  end
end

--- Ends it; fine twice.
function Canned:close()
  self._closed = true
end

canned_mt.__close = Canned.close

function canned_mt:__tostring()
  return ("luaws.events(%s)"):format(self._closed and "closed" or "open")
end

--- Makes one.
---@param operation string its name, for errors
---@param events table a sequence of { Name = {…} }
---@param exceptions table names of events that are exceptions, each with its shape's name
---@return table
return function(operation, events, exceptions)
  return setmetatable({ _operation = operation, _events = events, _exceptions = exceptions, _at = 0 },
    canned_mt)
end
