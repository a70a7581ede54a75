--- The class of one resource: turns the members of its definition into methods and properties when they
--- are first touched, and makes objects.
---
--- An object is { meta, _identifiers } with the class behind it. meta holds client, data (nil until
--- loaded), identifiers (their names) and service_name.
local action = require("luaws.resource.action")
local collection = require("luaws.resource.collection")
local errors = require("luaws.errors")
local load = require("luaws.resource.load")
local method_of = require("luaws.methods").of
local nearest = require("luaws.nearest")
local repr = require("luaws.repr")
local response = require("luaws.resource.response")

local class = {}

local Class = {}
local class_mt = { __name = "luaws.resource.class", __index = Class }

-- What handlers of creating-resource-class find in base_classes.
class.base = {}

-- Services whose resources have methods that no model speaks of; see resource/inject/.
local WITH_INJECTIONS = { dynamodb = true, ec2 = true, s3 = true }

local META = { client = true, data = true, identifiers = true, service_name = true }
local no_such_meta = nearest.no_such("meta", META)
local meta_mt = {
  __name = "luaws.resource.meta",
  __index = function(meta, name)
    return not META[name] and no_such_meta(meta, name) or nil -- there may be no data
  end,
}

local METHODS, PROPERTIES = {}, {}

function METHODS.load(self, member)
  return action.load_method(self, member)
end

function METHODS.action(self, member)
  return action.method(self, member)
end

function METHODS.waiter(_, member)
  return action.waiter_method(member)
end

function METHODS.subresource(self, member)
  local target = member.model.resource
  return function(object, ...)
    if type(object) ~= "table" or type(rawget(object, "meta")) ~= "table" then
      errors.raise("TypeError", "%s is a method: call it as object:%s(...)", member.name, member.name)
    end
    local names, found = response.identifiers(target.identifiers, object, {}, nil)
    local positional = {}
    for i, name in ipairs(names) do
      positional[i] = found[name]
    end
    local client = object.meta.client
    return self.family:class(target.type, client):construct(client, positional, #names, ...)
  end
end

function PROPERTIES.identifier(_, member)
  return function(object) return rawget(object, "_identifiers")[member.name] end
end

function PROPERTIES.alias(_, member)
  return function(object) return rawget(object, "_identifiers")[member.identifier] end
end

function PROPERTIES.attribute(self, member)
  local name = member.member
  return function(object)
    local data = object.meta.data
    if data == nil then
      if not self.loadable then
        errors.raise("ResourceLoadException", "%s has no load method", self.full_name)
      end
      data = load(object)
      if data == nil then
        errors.raise("ResourceLoadException", "%s: the service's answer to load has no data for it",
          tostring(object))
      end
    end
    return data[name]
  end
end

function PROPERTIES.reference(self, member)
  local handler = response.handler(self.family, member.model.resource)
  return function(object)
    local data = object.meta.data
    if data == nil and self.loadable then
      data = load(object)
    end
    return handler(object, {}, data)
  end
end

function PROPERTIES.collection(self, member)
  local kind = collection.kind(self.family, member, self.name)
  return function(object) return collection.manager(kind, object) end
end

local function get_available_subresources(object)
  local self = getmetatable(object).class
  local names = self.definition:subresources(object.meta.client)
  return table.move(names, 1, #names, 1, {})
end

local function unknown_name(self, name, client)
  local names = self.definition:names(client)
  for extra in pairs(self.methods) do
    names[#names + 1] = extra
  end
  names[#names + 1] = "meta"
  errors.raise("AttributeError", "%s has %s", self.full_name, nearest.message(name, names))
end

-- Makes the method or property behind a name that is used for the first time. Returns false when there
-- is no such name.
local function resolve(self, name, client)
  local member = self.definition:member(name, client)
  if not member then
    return false
  elseif METHODS[member.kind] then
    self.methods[name] = METHODS[member.kind](self, member)
  else
    self.properties[name] = PROPERTIES[member.kind](self, member)
  end
  return true
end

local function index(self)
  local methods, properties = self.methods, self.properties
  return function(object, name)
    local method = methods[name]
    if method ~= nil then
      return method
    end
    local get = properties[name]
    if get then
      return get(object)
    elseif type(name) ~= "string" or name:find("^_") then
      return nil
    elseif name == "meta" then -- it is the object's own, not the class's
      errors.raise("AttributeError", "this %s has lost its meta", self.full_name)
    elseif not resolve(self, name, object.meta.client) then
      unknown_name(self, name, object.meta.client)
    end
    return object[name]
  end
end

-- Scripts may keep notes on an object, but one whose name is nearly that of a member is a mistake.
local function check_note(self, object, name)
  if type(name) ~= "string" or #name < 4 or name:find("^_") then
    return
  end
  for _, known in ipairs(self.definition:names(object.meta.client)) do
    if nearest.distance(name, known, 1) <= 1 then
      errors.raise("AttributeError", "cannot set '%s' of %s; did you mean '%s', which cannot be set either?",
        name, self.full_name, known)
    end
  end
end

local function refuse_new_index(self)
  return function(object, name, value)
    if type(name) == "string" and (self.methods[name] ~= nil or self.properties[name] ~= nil
      or self.definition:member(name, object.meta.client)) then
      errors.raise("AttributeError", "cannot set '%s' of %s", name, self.full_name)
    end
    check_note(self, object, name)
    rawset(object, name, value)
  end
end

local function same_resource(a, b)
  local mt_a, mt_b = getmetatable(a), getmetatable(b)
  if type(mt_a) ~= "table" or type(mt_b) ~= "table" or not (mt_a.class and mt_b.class)
    or mt_a.class.full_name ~= mt_b.class.full_name then
    return false
  end
  local other = rawget(b, "_identifiers")
  for name, value in pairs(rawget(a, "_identifiers")) do
    if other[name] ~= value then
      return false
    end
  end
  return true
end

local function show(object)
  local self = getmetatable(object).class
  local parts = {}
  for i, name in ipairs(self.definition.identifiers) do
    parts[i] = name .. "=" .. repr.value(rawget(object, "_identifiers")[name])
  end
  return ("%s(%s)"):format(self.full_name, table.concat(parts, ", "))
end

--- An object with these identifiers, all of which must be there, and data if it is known already.
---@param client userdata
---@param identifiers table by name; kept
---@param data table|nil
---@return table
function Class:make(client, identifiers, data)
  for _, name in ipairs(self.definition.identifiers) do
    if identifiers[name] == nil then
      errors.raise("ValueError", "Required parameter %s not set", name)
    end
  end
  local object = setmetatable({
    meta = setmetatable({
      client = client,
      data = data,
      identifiers = self.definition.identifiers,
      service_name = self.family.service_name,
    }, meta_mt),
    _identifiers = identifiers,
  }, self.metatable)
  for _, init in ipairs(self.inits) do
    init(object)
  end
  return object
end

--- An object from a caller's arguments: identifiers in order, the last argument a table with some by
--- name.
---@param client userdata
---@param given table identifiers that come first
---@param count integer how many of those
---@return table
function Class:construct(client, given, count, ...)
  local order = self.definition.identifiers
  local arguments, n = { ... }, select("#", ...)
  local named = {}
  if type(arguments[n]) == "table" and getmetatable(arguments[n]) == nil then
    named, n = arguments[n], n - 1
  end
  if count + n > #order then
    errors.raise("TypeError", "%s takes %d identifier%s, but %d were given", self.full_name, #order - count,
      #order - count == 1 and "" or "s", n)
  end
  local identifiers = {}
  for i = 1, count + n do
    if i <= count then
      identifiers[order[i]] = given[i]
    else
      identifiers[order[i]] = arguments[i - count]
    end
  end
  for name, value in pairs(named) do
    if name == "client" then
      client = value
    else
      local member = self.definition.members[name]
      if not member or member.kind ~= "identifier" then
        local near = nearest.find(tostring(name), order)[1]
        errors.raise("ValueError", "Unknown keyword argument: %s%s", tostring(name),
          near and ("; did you mean '%s'?"):format(near) or "")
      end
      identifiers[name] = value
    end
  end
  return self:make(client, identifiers)
end

-- Adds a table of methods; its `init` is called with each new object.
local function add_methods(self, added)
  for name, method in pairs(added or {}) do
    if name == "init" then
      self.inits[#self.inits + 1] = method
    else
      self.methods[name] = method_of("object", self.metatable, name, method)
    end
  end
end

-- Adds what luaws itself gives to the resources of this service: to all of them, and to this one.
local function add_injections(self)
  local service_name = self.family.service_name
  if WITH_INJECTIONS[service_name] then
    local injections = require("luaws.resource.inject." .. service_name)
    add_methods(self, injections["*"])
    add_methods(self, injections[self.name == service_name and "ServiceResource" or self.name])
  end
end

-- Lets the handlers of creating-resource-class add to the class. class_attributes shows what is there
-- and takes new methods; every table put into base_classes lends its functions, and its `init` is
-- called with each new object.
local function inject(self, client)
  local emitter = client.meta.events
  local event_name = "creating-resource-class." .. self.full_name
  if not (emitter and emitter:has_listeners(event_name)) then
    return
  end
  local attributes = setmetatable({}, {
    __index = function(_, name)
      if self.methods[name] == nil and self.properties[name] == nil and not resolve(self, name, client) then
        return nil
      end
      return self.methods[name] or self.properties[name]
    end,
  })
  local bases = { class.base }
  emitter:emit(event_name, {
    class_attributes = attributes,
    base_classes = bases,
    service_context = {
      service_name = self.family.service_name,
      api_version = self.family.api_version,
      service_model = client.meta.service_model,
    },
  })
  for _, base in ipairs(bases) do
    if base.init then
      self.inits[#self.inits + 1] = base.init
    end
    for name, method in pairs(base) do
      if name ~= "init" and attributes[name] == nil then
        self.methods[name] = method
      end
    end
  end
  for name, method in next, attributes do
    self.methods[name], self.properties[name] = method, nil
  end
end

--- The class for a definition.
---@param family table
---@param definition table
---@param name string the resource's, or the service's
---@param client userdata
---@return table
function class.new(family, definition, name, client)
  local self = setmetatable({
    name = name,
    full_name = ("%s.%s"):format(family.service_name,
      name == family.service_name and "ServiceResource" or name),
    family = family,
    definition = definition,
    methods = {},
    properties = {},
    inits = {},
  }, class_mt)
  self.metatable = {
    __name = "luaws.resource",
    class = self,
    __index = index(self),
    __newindex = refuse_new_index(self),
    __eq = same_resource,
    __tostring = show,
  }
  add_methods(self, { get_available_subresources = get_available_subresources })
  add_injections(self)
  inject(self, client)
  -- A service has no load; asking its definition would read it.
  self.loadable = self.methods.load ~= nil
    or name ~= family.service_name and definition.members.load ~= nil
  return self
end

return class
