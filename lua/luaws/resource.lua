--- Resources: objects in front of a service's operations, made from boto3's resource models.
---
---     local ec2 = aws.resource("ec2")
---     for instance in ec2.instances:filter { InstanceIds = { id } } do
---       print(instance.state.Name)
---       instance:stop()
---     end
---
--- A family is the classes of one service in one API version. Each is made when first touched and kept
--- for all clients of the session, until a handler is registered on session.events, which may have
--- something to add to a class.
local class = require("luaws.resource.class")
local core = require("luaws.core")
local definition = require("luaws.resource.definition")
local errors = require("luaws.errors")

local resource = {}

local Family = {}
local family_mt = { __name = "luaws.resource.family", __index = Family }

-- session.events → { version, families by "service version" }
local families_of = setmetatable({}, { __mode = "k" })

--- The definition of a resource, or of the service itself under its own name.
---@param name string
---@param client userdata
---@return table
function Family:definition(name, client)
  local found = self._definitions[name]
  if not found then
    found = name == self.service_name and definition.of_service(self)
      or definition.of_resource(self, name, client)
    self._definitions[name] = found
  end
  return found
end

--- The class of a resource, or of the service itself under its own name.
---@param name string
---@param client userdata
---@return table
function Family:class(name, client)
  local found = self._classes[name]
  if not found then
    found = class.new(self, self:definition(name, client), name, client)
    self._classes[name] = found
  end
  return found
end

local function family_for(events, service_name, api_version)
  local key = service_name .. " " .. api_version
  local kept = families_of[events]
  if not kept or kept.version ~= events.version then
    kept = { version = events.version, families = {} }
    families_of[events] = kept
  end
  local family = kept.families[key]
  if not family then
    family = setmetatable({
      service_name = service_name,
      api_version = api_version,
      _definitions = {},
      _classes = {},
    }, family_mt)
    kept.families[key] = family
  end
  return family
end

local function contains(list, item)
  for _, candidate in ipairs(list) do
    if candidate == item then
      return true
    end
  end
  return false
end

local function raise_no_service(session, name)
  local text = ("The '%s' resource does not exist.\nThe available resources are:\n   - %s\n"):format(
    tostring(name), table.concat(session:get_available_resources(), "\n   - "))
  if contains(session:get_available_services(), name) then
    text = text .. ("\nConsider using aws.client(\"%s\") instead of a resource for '%s'"):format(name, name)
  end
  error(errors.new("ResourceNotExistsError", text), 0)
end

-- The version of the resource model to use: the one asked for or the newest.
local function find_version(session, name, wanted)
  local versions = type(name) == "string" and core.model_versions(session._core, "resources", name) or {}
  if #versions == 0 then
    raise_no_service(session, name)
  end
  table.sort(versions)
  if wanted ~= nil and not contains(versions, wanted) then
    errors.raise("UnknownAPIVersionError", "The '%s' resource does not support an API version of: %s\n"
      .. "Valid API versions are: %s", name, tostring(wanted), table.concat(versions, ", "))
  end
  return wanted or versions[#versions]
end

local function copy_table(t)
  local copy = {}
  for key, value in pairs(t or {}) do
    copy[key] = value
  end
  return copy
end

--- Opens a service as a resource. The client behind it is of the same API version as the resource model.
---@param session table
---@param name string such as "ec2"
---@param opts table|nil as for session:client
---@return table
function resource.open(session, name, opts)
  local version = find_version(session, name, opts and opts.api_version)
  local client_opts = copy_table(opts)
  client_opts.api_version = version
  client_opts.config = copy_table(client_opts.config)
  if client_opts.config.user_agent_extra == nil then
    client_opts.config.user_agent_extra = "Resource"
  end
  return resource.of_client(session:client(name, client_opts), session, version)
end

--- The service resource in front of a client.
---@param client userdata
---@param session table
---@param api_version string
---@return table
function resource.of_client(client, session, api_version)
  local family = family_for(session.events, client.meta.service_name, api_version)
  return family:class(family.service_name, client):make(client, {})
end

--- What an object has, for completion and help: kind of member by name ("identifier", "alias",
--- "attribute", "action", "load", "waiter", "collection", "reference", "subresource", "method").
---@param object table
---@return table
function resource.members(object)
  local own = getmetatable(object).class
  local kinds = {}
  for _, name in ipairs(own.definition:names(object.meta.client)) do
    kinds[name] = own.definition.members[name].kind
  end
  for name in pairs(own.methods) do
    kinds[name] = kinds[name] or "method"
  end
  return kinds
end

return resource
