--- Endpoint discovery: some services tell where their operations are to be sent.
---
--- The answer of the service's own describing operation is kept for as long as it says. A place that turns
--- out to be wrong is forgotten; when asking fails, the old answer serves on and nobody asks for a minute.
local core = require("luaws.core")
local errors = require("luaws.errors")

local discovery = {}

local MODES = { ["true"] = true, ["false"] = true, auto = true }
local REST_S = 60
local MAX_EVICTIONS = 3

local Places = {}
local places_mt = { __index = Places }

local function is_transport_failure(err)
  return errors.is_error(err) and (err:is("ConnectionError") or err:is("HTTPClientError"))
end

-- Asks the service. Nothing when it cannot be reached; what else goes wrong is raised.
function Places:_refresh(client)
  local ok, answer = pcall(client[self._method], client, {})
  if not ok then
    if not is_transport_failure(answer) then
      error(answer, 0)
    end
    self._rests_until = os.time() + REST_S
    return nil
  end
  local now = os.time()
  local endpoints = {}
  for i, endpoint in ipairs(answer.Endpoints or {}) do
    endpoints[i] = { address = endpoint.Address, expires = now + (endpoint.CachePeriodInMinutes or 0) * 60 }
  end
  self._endpoints = endpoints
  self._rests_until = nil
  return endpoints[1] and endpoints[1].address
end

function Places:_fresh()
  local now = os.time()
  for _, endpoint in ipairs(self._endpoints) do
    if now < endpoint.expires then
      return endpoint.address
    end
  end
end

-- Where to send an operation; nil leaves it to the endpoint rules.
function Places:find(client, required)
  local address = self:_fresh()
  if address then
    return address
  end
  local rests = self._rests_until ~= nil and os.time() < self._rests_until
  if not rests then
    address = self:_refresh(client)
  end
  address = address or self._endpoints[1] and self._endpoints[1].address
  if not address and required then
    address = rests and self:_refresh(client)
    if not address then
      errors.raise("EndpointDiscoveryRefreshFailed",
        "Endpoint Discovery failed to refresh the required endpoints.")
    end
  end
  return address
end

function Places:forget()
  self._endpoints = {}
end

-- ---- handlers ----

local function refuse_required(event)
  if event.model.discovery_required then
    errors.raise("EndpointDiscoveryRequired",
      "Endpoint Discovery is not enabled but this operation requires it.")
  end
end

local function discover(emitter, places, always, hyphen_id)
  emitter:register_first("request-created." .. hyphen_id, function(event)
    local model = event.model
    if not model.discovery or not (always or model.discovery_required) then
      return
    end
    local address = places:find(event.client, model.discovery_required)
    if address then
      event.request.url = address:find("^http") and address or "https://" .. address
    end
  end)
  emitter:register("needs-retry." .. hyphen_id, function(event)
    local call, context = event.call, event.context
    local status = call:status()
    if not status or status < 300 or not event.model.discovery then
      return
    end
    if status ~= 421 and not call:response_body(4096):find('[#"]InvalidEndpointException[:"]') then
      return
    end
    places:forget()
    context.evictions = (context.evictions or 0) + 1
    if context.evictions <= MAX_EVICTIONS then
      return 0
    end
  end)
end

--- Makes a new client ask its service where to send what, as far as its config says.
---@param client table
---@param needed "required" | "optional" as core.discovers says
---@param method string the describing operation's
---@param events fun(): table gives the client's own emitter
function discovery.attach(client, needed, method, events)
  local mode = core.client_discovery(client)
  if not mode then
    return -- the client was told where to send everything
  end
  local said = mode:lower():match("^%s*(.-)%s*$")
  if not MODES[said] then
    errors.raise("InvalidEndpointDiscoveryConfigurationError", "Unsupported configuration value for "
      .. 'endpoint_discovery_enabled. Expected one of ("true", "false", "auto") but got %s.', mode)
  end
  local hyphen_id = core.client_info(client).hyphen_id
  if said == "true" or said == "auto" and needed == "required" then
    local places = setmetatable({ _method = method, _endpoints = {} }, places_mt)
    discover(events(), places, said == "true", hyphen_id)
  elseif needed == "required" then
    events():register("before-parameter-build." .. hyphen_id, refuse_required)
  end
end

return discovery
