--- What a resource model says about one resource, with every name as it appears on objects.
---
--- A definition's members are { kind, name, model }, found by name. Kinds are "identifier", "alias",
--- "load", "action", "subresource", "reference", "collection", "waiter" and "attribute". When two want
--- one name, the earlier in this row keeps it and the other becomes <name>_<kind>:
---   meta, load, identifiers, actions, subresources and references, collections, waiters, attributes
--- Attributes come from a shape with up to a hundred members, so they are read when first asked for.
local core = require("luaws.core")
local errors = require("luaws.errors")

local definition = {}

local Definition = {}
local definition_mt = { __name = "luaws.resource.definition", __index = Definition }

local function needs_data(has)
  for _, identifier in ipairs(has.resource.identifiers or {}) do
    if identifier.source == "data" then
      return true
    end
  end
  return false
end

-- The name that a member of this kind gets, which is then taken.
local function claim(self, kind, name)
  if self._taken[name] then
    local longer = name .. "_" .. kind
    if self._taken[longer] then
      errors.raise("ValueError", "Problem renaming %s %s to %s!", self.name, kind, longer)
    end
    self._renamed[kind .. " " .. name] = longer
    name = longer
  end
  self._taken[name] = true
  return name
end

local function add(self, kind, name, model)
  name = claim(self, kind, name)
  self.members[name] = { kind = kind, name = name, model = model }
end

local function add_has(self, name, has)
  if needs_data(has) then
    add(self, "reference", core.xform_name(name), has)
  else
    add(self, "subresource", name, has)
    self._subresources[#self._subresources + 1] = name
  end
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t or {}) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local function add_all(self, model)
  if model.load then
    self._taken.load = true
    self.members.load = { kind = "load", name = "load", model = model.load }
    self.members.reload = { kind = "load", name = "reload", model = model.load }
  end
  for i, identifier in ipairs(model.identifiers or {}) do
    local name = claim(self, "identifier", core.xform_name(identifier.name))
    self.identifiers[i] = name
    self.members[name] = { kind = "identifier", name = name, model = identifier }
  end
  for _, name in ipairs(sorted_keys(model.actions)) do
    add(self, "action", core.xform_name(name), model.actions[name])
  end
  for _, name in ipairs(sorted_keys(self._has)) do
    add_has(self, name, self._has[name])
  end
  for _, name in ipairs(sorted_keys(model.hasMany)) do
    add(self, "collection", core.xform_name(name), model.hasMany[name])
  end
  for _, name in ipairs(sorted_keys(model.waiters)) do
    add(self, "waiter", core.xform_name("WaitUntil" .. name), model.waiters[name])
  end
end

local function add_attributes(self, shape)
  local is_identifier, aliases = {}, {}
  for _, name in ipairs(self.identifiers) do
    is_identifier[name] = true
  end
  for _, member in ipairs(shape.member_names) do
    claim(self, "attribute", core.xform_name(member))
  end
  local function final_name(member)
    local name = core.xform_name(member)
    return self._renamed["attribute " .. name] or name
  end
  for i, identifier in ipairs(self._model.identifiers or {}) do
    if identifier.memberName then
      aliases[final_name(identifier.memberName)] = self.identifiers[i]
    end
  end
  for _, member in ipairs(shape.member_names) do
    if not is_identifier[core.xform_name(member)] then
      local name = final_name(member)
      self.members[name] = aliases[name]
          and { kind = "alias", name = name, identifier = aliases[name], member = member }
        or { kind = "attribute", name = name, member = member }
    end
  end
end

--- The member of that name, or nil.
---@param name string
---@param client userdata of the service; models are read through it
---@return table|nil
function Definition:member(name, client)
  if self._read then
    self:_read(client)
  end
  local member = self.members[name]
  if member == nil and self._find_other then
    member = self:_find_other(name, client)
  end
  if member == nil and not self._attributes_read then
    local shape = self._model.shape and client.meta.service_model:shape(self._model.shape)
    self._attributes_read = true
    if shape then
      add_attributes(self, shape)
      member = self.members[name]
    end
  end
  return member
end

--- All names, sorted.
---@param client userdata
---@return table
function Definition:names(client)
  self:subresources(client)
  return sorted_keys(self.members)
end

--- The names of the subresources, sorted.
---@param client userdata
---@return table
function Definition:subresources(client)
  self:member("", client)
  if self._read_others then
    self:_read_others(client)
  end
  table.sort(self._subresources)
  return self._subresources
end

local function new(family, name)
  return setmetatable({
    name = name,
    identifiers = {},
    members = {},
    family = family,
    _taken = { meta = true },
    _renamed = {},
    _subresources = {},
  }, definition_mt)
end

local function fill(self, model, has)
  self._model, self._has = model, has
  self.batch_actions = model.batchActions or {}
  add_all(self, model)
end

--- The definition of a resource.
---@param family table service_name, api_version
---@param name string such as "Bucket"
---@param client userdata
---@return table
function definition.of_resource(family, name, client)
  local model = core.model(client, "resources", family.service_name, family.api_version, "resources", name)
  if not model then
    errors.raise("KeyError", "the resource model of %s has no %s", family.service_name, tostring(name))
  end
  local self = new(family, name)
  fill(self, model, model.has)
  return self
end

-- A resource that the service's own `has` does not speak of: all its identifiers are the caller's.
local function add_plain(self, name)
  add(self, "subresource", name, { resource = { type = name, identifiers = {} } })
  self._subresources[#self._subresources + 1] = name
end

--- The definition of a service. Every resource of the model is a subresource of the service, under the
--- name that `has` gives it or its own; those of their own name are found when asked for. Nothing is
--- read before a member is, so that opening a service costs next to nothing.
---@param family table
---@return table
function definition.of_service(family)
  local function read(through, ...)
    return core.model(through, "resources", family.service_name, family.api_version, ...)
  end
  local self = new(family, family.service_name)
  local spoken_of = {}
  self._read = function(_, client)
    local model = read(client, "service") or {}
    local has = {}
    for name, item in pairs(model.has or {}) do
      if read(client, "resources", item.resource.type) then
        has[name], spoken_of[item.resource.type] = item, true
      end
    end
    fill(self, model, has)
    self._read = nil
  end
  self._find_other = function(_, name, any_client)
    if spoken_of[name] or self.members[name] or not name:find("^%u")
      or not read(any_client, "resources", name) then
      return nil
    end
    add_plain(self, name)
    return self.members[name]
  end
  self._read_others = function(_, any_client)
    local all = read(any_client, "resources") or {}
    self._read_others = nil
    for name in pairs(all) do
      if not spoken_of[name] and not self.members[name] then
        add_plain(self, name)
      end
    end
  end
  return self
end

return definition
