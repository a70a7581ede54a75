--- Clients: every operation of a service is a method.
---
--- A client is a userdata of the core with two tables: its class, which all clients of a service and version
--- share and which fills up with methods as they are used, and its own fields, which stay nearly empty.
local core = require("luaws.core")
local errors = require("luaws.errors")

local client = {}

-- What every client can do beside its service's operations. A class begins as a copy of it.
local Client = { close = core.client_close }

local classes = setmetatable({}, { __mode = "v" })

-- Which services have a module of their own; looking for a file costs more than making a client.
local WITH_MODULE = require("luaws.service")

-- What each service's module listens to: registered once, for classes come and go.
local of_modules = {}

local function module_events(module)
  local emitter = of_modules[module]
  if not emitter and module.register then
    emitter = require("luaws.events").new()
    module.register(emitter)
    of_modules[module] = emitter
  end
  return emitter
end

-- A new emitter: the handlers of the service's module, and after them what the session has.
local function combine(session_events, class)
  local emitter = require("luaws.events").new()
  if class._events then
    emitter:add(class._events)
  end
  if session_events then
    emitter:add(session_events)
  end
  return emitter
end

-- Handlers of creating-client-class may add methods and take some away: such a client has its own class.
local function with_attributes(made, class, emitter, session)
  local info = class._info
  local name = "creating-client-class." .. info.hyphen_id
  if not emitter:has_listeners(name) then
    return class
  end
  local attributes, own = {}, {}
  for known, value in pairs(class) do
    if type(value) == "function" then
      attributes[known] = value
    else
      own[known] = value
    end
  end
  emitter:emit(name, { class_attributes = attributes, base_classes = {}, client = made, session = session })
  for known, value in pairs(attributes) do
    own[known] = value
  end
  return own
end

local function new_class(made)
  local class = {}
  for name, method in pairs(Client) do
    class[name] = method
  end
  local info = core.client_info(made)
  local module = WITH_MODULE[info.service_name]
    and require("luaws.service." .. info.service_name:gsub("-", "_"))
  if module then
    for name, method in pairs(module.methods or {}) do
      class[name] = method
    end
  end
  require("luaws.methods").check("client", getmetatable(made), class)
  class._info = info
  class._discovers, class._discovery_method = core.discovers(made)
  if module then
    class._events = module_events(module)
  end
  return class
end

-- Handlers of creating-serializer may have times sent to the millisecond.
local function set_up_serializer(made, info, emitter)
  local name = "creating-serializer." .. info.endpoint_prefix
  if not emitter:has_listeners(name) then
    return
  end
  local event = { serializer_kwargs = {}, protocol_name = info.protocol,
    service_model = made.meta.service_model }
  emitter:emit(name, event)
  if event.serializer_kwargs.timestamp_precision == "millisecond" then
    core.client_tell_milliseconds(made)
  end
end

--- Whose method a function is: the name of a service, and the method's.
---@param method function
---@return string|nil
---@return string|nil
function client.owner(method)
  for _, class in pairs(classes) do
    for name, known in pairs(class) do
      if known == method then
        return class._info.service_name, name
      end
    end
  end
end

--- Makes a client of a session; session:client calls this.
function client.new(session, name, opts)
  local made = core.client(session._core, name, opts)
  local key = core.client_service(made)
  local class = classes[key]
  if not class then
    core.client_bind(made, {}, {}, false)
    class = new_class(made)
    classes[key] = class
  end
  local fields = { _session = session }
  local listened = rawget(session, "_events")
  if listened and listened.version > 0 then
    fields._events = combine(listened, class)
    class = with_attributes(made, class, fields._events, session)
  end
  if class._discovers then
    require("luaws.discovery").attach(made, class._discovers, class._discovery_method, function()
      fields._events = fields._events or combine(nil, class)
      return fields._events
    end)
  end
  local emitter = fields._events or class._events
  core.client_bind(made, class, fields, emitter ~= nil)
  if emitter then
    set_up_serializer(made, class._info, emitter)
  end
  return made
end

-- ---- meta ----

local META = {}
local meta_mt = { __name = "luaws.client.meta" }

function META.service_model(meta)
  return require("luaws.service_model").new(meta._client)
end

function META.endpoint_url(meta)
  return core.client_endpoint_url(meta._client)
end

function META.config(meta)
  return core.client_config(meta._client)
end

function META.method_to_api_mapping(meta)
  return core.methods(meta._client)
end

--- The client's own events: a copy of its session's and its service's, made when first touched.
function META.events(meta)
  local fields = core.client_fields(meta._client)
  if not fields._events then
    fields._events = combine(nil, core.client_class(meta._client))
  end
  core.client_listen(meta._client, true)
  return fields._events
end

function META.session(meta)
  return core.client_fields(meta._client)._session
end

-- What core.client_info gives, of which some may be nil.
local INFO = { region_name = true, partition = true, user_agent = true, service_name = true }
local no_such_meta = require("luaws.nearest").no_such("client.meta", setmetatable({}, {
  __index = setmetatable(INFO, { __index = META }),
}))

function meta_mt:__index(name)
  local make = META[name]
  if make then
    local value = make(self)
    rawset(self, name, value)
    return value
  elseif not rawget(INFO, name) then
    return no_such_meta(self, name)
  end
end

-- ---- fields that are made when first touched ----

local LAZY = {}

function LAZY.meta(self)
  local meta = core.client_info(self)
  meta._client = self
  return setmetatable(meta, meta_mt)
end

--- client.try:head_object{…} returns nil and the error instead of raising. Ctrl-C is none of the call's.
function LAZY.try(self)
  return setmetatable({}, {
    __name = "luaws.client.try",
    __index = function(methods, name)
      local method = self[name]
      local function try(me, ...)
        if me ~= methods then
          errors.raise("TypeError", "%s is a method: call it as client.try:%s(...)", name, name)
        end
        local results = table.pack(pcall(method, self, ...))
        if results[1] then
          return table.unpack(results, 2, results.n)
        elseif errors.is_interruption(results[2]) then
          error(results[2], 0)
        end
        return nil, results[2]
      end
      rawset(methods, name, try)
      return try
    end,
  })
end

--- client.exceptions.NoSuchKey: what err:is() also takes.
function LAZY.exceptions(self)
  local codes = core.error_codes(self)
  local exceptions = { ClientError = { name = "ClientError" } }
  for name, code in pairs(codes) do
    exceptions[name] = { name = name, code = code }
  end
  function exceptions.from_code(code)
    for name, known in pairs(codes) do
      if known == code then
        return exceptions[name]
      end
    end
    return exceptions.ClientError
  end
  local info = core.client_info(self)
  return setmetatable(exceptions, {
    __index = function(_, name)
      local names = {}
      for known in pairs(codes) do
        names[#names + 1] = known
      end
      table.sort(names)
      errors.raise("AttributeError", "%s has no exception '%s'. Valid exceptions are: %s", info.class_name,
        tostring(name), table.concat(names, ", "))
    end,
  })
end

-- ---- methods beside the operations ----

function Client:can_paginate(name)
  return require("luaws.paginate").can_paginate(self, name)
end

function Client:get_paginator(name)
  return require("luaws.paginate").get(self, name)
end

function Client:get_waiter(name)
  return require("luaws.waiter").get(self, name)
end

--- A URL that makes one call when it is fetched, by whoever has it.
---@param method string "get_object"
---@param opts table|nil { Params, ExpiresIn = 3600, HttpMethod }
---@return string
function Client:generate_presigned_url(method, opts)
  return require("luaws.presign").url(self, method, opts)
end

function LAZY.waiter_names(self)
  return require("luaws.waiter").names(self)
end

local function method_names(self)
  local names = {}
  for name in pairs(core.methods(self)) do
    names[#names + 1] = name
  end
  for name in pairs(Client) do
    names[#names + 1] = name
  end
  return names
end

-- What is neither method nor field nor operation.
core.on_missing(function(self, name)
  local make = LAZY[name]
  if make then
    local value = make(self)
    rawset(core.client_fields(self), name, value)
    return value
  end
  if type(name) ~= "string" then
    return nil
  end
  local injected = require("luaws.hooks").getattr(self, name)
  if injected ~= nil then
    return injected
  end
  if name:sub(1, 1) == "_" then
    return nil
  end
  local info = core.client_info(self)
  errors.raise("AttributeError", "%s has %s", info.service_name, require("luaws.nearest").message(name,
    method_names(self)))
end)

core.set_hooks(setmetatable({}, {
  __index = function(self, name)
    local hook = require("luaws.hooks")[name]
    rawset(self, name, hook)
    return hook
  end,
}))

return client
