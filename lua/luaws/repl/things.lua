--- What an expression stands for, found out without running any of it: real values are only looked into,
--- calls are answered from the models. A thing is a table with `kind`:
---   value         { value }                       whatever a variable holds
---   method        { owner, name }                 owner (a thing).name or owner:name
---   client        { client }
---   shape         { client, name, output }        a modeled value; output: an operation's answer
---   body, events  { }                             a streamed payload, or a stream of events
---   fields        { names }                       a table with these
---   paginator     { client, operation }           operation: its API name
---   waiter        { client, operation }
---   resource      { client, service, type }       type: nil for the service resource itself
---   collection    { client, service, type, operation }
---   items         { of }                          what iterating gives: of is a thing
--- nil stands for what nobody knows.
local options = require("luaws.repl.options")

local things = {}

local KIND_OF = {
  ["luaws.client"] = "client", ["luaws.session"] = "session", ["luaws.paginator"] = "paginator",
  ["luaws.waiter"] = "waiter",
}
local LAZY_MODULES = {
  async = true, dynamodb = true, errors = true, jmespath = true, pretty = true, stubber = true,
  cloudfront_signer = true, progress = true,
}

local function core()
  return package.loaded["luaws.core"]
end

local function metatable_name(value)
  local mt = debug.getmetatable(value)
  return type(mt) == "table" and rawget(mt, "__name") or nil
end

-- A field of a luaws object that it keeps itself, seen without asking its metatable.
local function own(value, field)
  return type(value) == "table" and rawget(value, field) or nil
end

local function is_client(value)
  return type(value) == "userdata" and metatable_name(value) == "luaws.client"
end

-- ---- models ----

local function info(client)
  return core().client_info(client)
end

local function operation(client, method)
  return core().operation_for_method(client, method)
end

local function shape_thing(client, name)
  return client and name and { kind = "shape", client = client, name = name } or nil
end

-- What an operation answers.
local function output_thing(client, op)
  local thing = op and shape_thing(client, op.output)
  if thing then
    thing.output = true
  end
  return thing
end

local function shape_of(thing)
  return core().shape(thing.client, thing.name)
end

local function snake(name)
  return core().xform_name(name)
end

local function sorted_keys(t, into)
  local names = into or {}
  for name in pairs(t) do
    if type(name) == "string" then
      names[#names + 1] = name
    end
  end
  return names
end

-- Names of paginators and waiters as a client's methods take them, each with its API name.
local function modeled(client, section, key)
  local known = info(client)
  local found = core().model(client, section, known.service_name, known.api_version, key) or {}
  local names = {}
  for name, value in pairs(found) do
    names[snake(name)] = { name = name, model = value }
  end
  return names
end

--- The names of all services, or of those that have resources.
---@param what string|nil "resource"
function things.services(what)
  local aws = package.loaded.luaws
  local ok, names = pcall(function()
    local session = aws.default_session()
    return what == "resource" and session:get_available_resources() or session:get_available_services()
  end)
  return ok and names or {}
end

-- A client to look models up with: it never calls anybody.
local model_clients = {}
local function model_client(service)
  if model_clients[service] == nil then
    local ok, client = pcall(function()
      return package.loaded.luaws.default_session():client(service, { region_name = "us-east-1" })
    end)
    model_clients[service] = ok and client or false
  end
  return model_clients[service] or nil
end
things.model_client = model_client

-- ---- resources ----

--- The model of a resource as boto3 writes it, or nil.
---@param thing table of kind resource
function things.resource_model(thing)
  local service = info(thing.client).service_name
  if thing.type then
    return core().model(thing.client, "resources", service, nil, "resources", thing.type)
  end
  return core().model(thing.client, "resources", service, nil, "service")
end

-- The class of a resource. It is made for a client of our own: making one touches a client's events.
local services_opened = {}
local function class_of(thing)
  local service = info(thing.client).service_name
  local client = things.model_client(service)
  local opened = services_opened[service]
  if client and opened == nil then
    local ok, object = pcall(function()
      local versions = core().model_versions(client, "resources", service)
      return require("luaws.resource").of_client(client, client.meta.session, versions[#versions])
    end)
    opened = ok and object or false
    services_opened[service] = opened
  end
  if not opened then
    return nil
  end
  local family = debug.getmetatable(opened).class.family
  local ok, class = pcall(family.class, family, thing.type or service, client)
  return ok and class or nil, client
end

-- What each kind of a definition's members is: a method or a field.
local IS_METHOD = { load = true, action = true, waiter = true, subresource = true }

local function target_of(thing, member, shape)
  local client = thing.client
  if member.kind == "subresource" or member.kind == "reference" then
    return { kind = "resource", client = client, type = member.model.resource.type }
  elseif member.kind == "collection" then
    return { kind = "collection", client = client, type = member.model.resource.type,
      operation = member.model.request.operation }
  elseif member.kind == "attribute" and shape then
    return shape_thing(client, shape.members[member.member])
  end
end

--- name → { "field" or "method", kind, what it gives (a thing) or nil, the action's model or nil }, of
--- everything that a resource has. Kinds are those of luaws.resource.definition, and "method".
---@param thing table of kind resource
function things.resource_members(thing)
  local class, client = class_of(thing)
  local members = { meta = { "field", "meta" } }
  if not class then
    return members
  end
  local model = things.resource_model(thing)
  local shape = model and model.shape and core().shape(thing.client, model.shape)
  for _, name in ipairs(class.definition:names(client)) do
    local member = class.definition:member(name, client)
    members[name] = { IS_METHOD[member.kind] and "method" or "field", member.kind,
      target_of(thing, member, shape), member.kind == "action" and member.model or nil }
  end
  for name in pairs(class.methods) do
    members[name] = members[name] or { "method", "method" }
  end
  return members
end

local COLLECTION_METHODS = { "all", "filter", "limit", "page_size", "pages" }
local CHAINING = { all = true, filter = true, limit = true, page_size = true }

local function collection_names(thing)
  local names = table.pack(table.unpack(COLLECTION_METHODS))
  local model = things.resource_model({ client = thing.client, type = thing.type }) or {}
  for name in pairs(model.batchActions or {}) do
    names[#names + 1] = snake(name)
  end
  return names
end

-- ---- what a value is ----

local function classify_resource(value)
  local class, meta = debug.getmetatable(value).class, own(value, "meta")
  local client = own(meta, "client")
  if type(class) == "table" and is_client(client) then
    local is_service = class.name == class.family.service_name
    return { kind = "resource", client = client, type = not is_service and class.name or nil }
  end
end

local function classify_collection(value)
  local kind, client = own(value, "_kind"), own(own(own(value, "_parent"), "meta"), "client")
  if type(kind) == "table" and is_client(client) then
    return { kind = "collection", client = client, type = kind.type, operation = kind.operation }
  end
end

-- A paginator or waiter calls an operation of a client through a function of its own, which holds the client.
local function classify_caller(value, kind)
  local thing = { kind = kind, value = value }
  local call, config = own(value, "_call"), own(value, "config")
  for i = 1, type(call) == "function" and 8 or 0 do
    local _, held = debug.getupvalue(call, i)
    thing.client = thing.client or (is_client(held) and held) or nil
  end
  if thing.client then
    local op = kind == "paginator" and core().operation_for_method(thing.client, own(value, "_method"))
    thing.operation = op and op.name or type(config) == "table" and config.operation or nil
  end
  return thing
end

--- The thing that a value is.
---@param value any
---@return table|nil
function things.of_value(value)
  if value == nil then
    return nil
  elseif is_client(value) then
    return { kind = "client", client = value }
  end
  local name = metatable_name(value)
  local kind = KIND_OF[name]
  if kind == "session" then
    return { kind = "session", value = value }
  elseif kind == "paginator" or kind == "waiter" then
    return classify_caller(value, kind)
  elseif name == "luaws.resource" then
    return classify_resource(value)
  elseif name == "luaws.collection" or name == "luaws.collection_manager" then
    return classify_collection(value)
  elseif value == package.loaded.luaws then
    return { kind = "module", value = value }
  elseif name == "luaws.client.meta" then
    return { kind = "meta", value = value }
  end
  return { kind = "value", value = value }
end

-- ---- members ----

-- A table or userdata, with the tables that its metatables name as __index.
local function lookup(value, key)
  for _ = 1, 16 do
    if type(value) == "table" then
      local found = rawget(value, key)
      if found ~= nil then
        return found
      end
    end
    local mt = debug.getmetatable(value)
    value = type(mt) == "table" and rawget(mt, "__index") or nil
    if type(value) ~= "table" then
      return nil
    end
  end
end

local function value_names(value, methods_only, into)
  local names = into or {}
  for _ = 1, 16 do
    if type(value) == "table" then
      for key, item in next, value do
        if type(key) == "string" and key:find("^[%a_][%w_]*$")
            and (not methods_only or type(item) == "function") then
          names[#names + 1] = key
        end
      end
    end
    local mt = debug.getmetatable(value)
    value = type(mt) == "table" and rawget(mt, "__index") or nil
    if type(value) ~= "table" then
      break
    end
  end
  return names
end

local MEMBER = {}

function MEMBER.value(thing, name)
  return things.of_value(lookup(thing.value, name))
end

function MEMBER.module(thing, name)
  local value = rawget(thing.value, name)
  if value == nil and LAZY_MODULES[name] then
    local ok, module = pcall(require, "luaws." .. name)
    value = ok and module or nil
  end
  if type(value) == "function" then
    return { kind = "method", owner = thing, name = name, value = value }
  end
  return things.of_value(value)
end

function MEMBER.session(thing, name)
  return { kind = "method", owner = thing, name = name }
end

function MEMBER.client(thing, name)
  if name == "meta" then
    return { kind = "meta", client = thing.client }
  elseif name == "try" then
    return { kind = "client", client = thing.client, try = true }
  elseif name == "exceptions" then
    return { kind = "exceptions", client = thing.client }
  end
  return { kind = "method", owner = thing, name = name }
end

MEMBER.paginator, MEMBER.waiter, MEMBER.collection = MEMBER.session, MEMBER.session, MEMBER.session

function MEMBER.meta(thing, name)
  local meta = thing.value or thing.client.meta
  return things.of_value(name == "service_model" and meta.service_model or rawget(meta, name))
end

function MEMBER.shape(thing, name)
  local shape = shape_of(thing)
  if thing.output and name == "ResponseMetadata" then
    return { kind = "fields", names = options.RESPONSE_METADATA }
  elseif shape and shape.type == "structure" then
    local member = shape_thing(thing.client, shape.members[name])
    local inner = member and shape_of(member)
    if inner and inner.eventstream then
      return { kind = "events" }
    elseif inner and inner.type == "blob" and thing.output and shape.payload == name then
      return { kind = "body" }
    end
    return member
  elseif shape and shape.type == "map" then
    return shape_thing(thing.client, shape.value)
  end
end

function MEMBER.resource(thing, name)
  local member = things.resource_members(thing)[name]
  if member and member[1] == "field" then
    return member[3]
  end
  member = member or {}
  return { kind = "method", owner = thing, name = name, makes = member[3], action = member[4] }
end

--- thing.name or thing:name.
function things.member(thing, name)
  local find = thing and MEMBER[thing.kind]
  return find and find(thing, name) or nil
end

--- thing[key]; key is a string, a number, or nil where it is computed.
function things.index(thing, key)
  if thing.kind == "shape" then
    local shape = shape_of(thing)
    if shape and shape.type == "list" then
      return shape_thing(thing.client, shape.member)
    elseif shape and shape.type == "map" then
      return shape_thing(thing.client, shape.value)
    end
  elseif thing.kind == "value" and key ~= nil then
    return things.of_value(lookup(thing.value, key))
  end
  return type(key) == "string" and things.member(thing, key) or nil
end

local NAMES = {}

function NAMES.value(thing, methods)
  return value_names(thing.value, methods)
end

function NAMES.module(thing)
  return sorted_keys(LAZY_MODULES, value_names(thing.value))
end

function NAMES.session(_, methods)
  return methods and options.SESSION_METHODS or options.SESSION_FIELDS
end

function NAMES.client(thing, methods)
  if thing.try then
    return sorted_keys(core().methods(thing.client))
  end
  -- After a dot the operations too: help(ec2.describe_instances).
  local names = sorted_keys(core().methods(thing.client))
  local own_names = methods and options.CLIENT_METHODS or options.CLIENT_FIELDS
  table.move(own_names, 1, #own_names, #names + 1, names)
  if not methods then
    return names
  end
  for name, value in pairs(core().client_class(thing.client)) do
    if type(value) == "function" then
      names[#names + 1] = name
    end
  end
  return names
end

function NAMES.meta()
  return options.META_FIELDS
end

function NAMES.exceptions(thing)
  return sorted_keys(core().error_codes(thing.client))
end

function NAMES.shape(thing, methods)
  local shape = not methods and shape_of(thing)
  local names = shape and shape.member_names or {}
  if not methods and thing.output then
    names[#names + 1] = "ResponseMetadata"
  end
  return names
end

function NAMES.fields(thing, methods)
  return not methods and thing.names or {}
end

function NAMES.body(thing, methods)
  return methods and options.BODY_METHODS[thing.kind] or {}
end

NAMES.events = NAMES.body

function NAMES.paginator(_, methods)
  return methods and { "paginate" } or {}
end

function NAMES.waiter(_, methods)
  return methods and { "wait" } or {}
end

function NAMES.resource(thing, methods)
  local names = {}
  for name, member in pairs(things.resource_members(thing)) do
    if (member[1] == "method") == (methods or false) then
      names[#names + 1] = name
    end
  end
  return names
end

function NAMES.collection(thing, methods)
  return methods and collection_names(thing) or {}
end

--- The names that may follow thing. (or thing: with methods).
---@param thing table|nil
---@param methods boolean
---@return table
function things.names(thing, methods)
  local list = thing and NAMES[thing.kind]
  return list and list(thing, methods) or {}
end

-- ---- calls ----

local function opens_client(thing)
  return thing.kind == "method" and (thing.owner.kind == "module" or thing.owner.kind == "session")
end

--- What calling thing gives. args: the arguments that are plain strings, by their place.
---@param thing table
---@param args table
---@return table|nil
function things.result(thing, args)
  if thing.kind ~= "method" then
    return nil
  end
  local owner, name = thing.owner, thing.name
  if opens_client(thing) and (name == "client" or name == "resource") then
    local client = args[1] and model_client(args[1])
    return client and { kind = name, client = client }
  elseif opens_client(thing) and (name == "session" or name == "default_session") then
    return { kind = "session" }
  elseif owner.kind == "client" then
    local client = owner.client
    if name == "get_paginator" then
      local op = args[1] and operation(client, args[1])
      return op and { kind = "paginator", client = client, operation = op.name }
    elseif name == "get_waiter" then
      local waiter = args[1] and modeled(client, "waiters", "waiters")[args[1]]
      return waiter and { kind = "waiter", client = client, operation = waiter.model.operation }
    end
    return output_thing(client, operation(client, name))
  elseif owner.kind == "paginator" and name == "paginate" and owner.client then
    local op = core().operation(owner.client, owner.operation)
    return op and { kind = "items", of = output_thing(owner.client, op) }
  elseif owner.kind == "collection" and CHAINING[name] then
    return owner
  elseif thing.makes then
    return thing.makes
  end
end

--- What a loop over thing gives: `for x in thing do`.
function things.each(thing)
  if thing and thing.kind == "items" then
    return thing.of
  elseif thing and thing.kind == "collection" then
    return { kind = "resource", client = thing.client, type = thing.type }
  end
end

local function names_of(t)
  return { names = sorted_keys(t) }
end

local function operation_input(client, op, extra)
  return op and { shape = shape_thing(client, op.input), extra = extra } or nil
end

local function client_argument(client, name, n, args)
  if name == "get_waiter" then
    return n == 1 and names_of(modeled(client, "waiters", "waiters")) or nil
  elseif name == "get_paginator" or name == "can_paginate" then
    return n == 1 and names_of(modeled(client, "paginators", "pagination")) or nil
  elseif name == "generate_presigned_url" then
    return n == 1 and names_of(core().methods(client))
      or n == 2 and options.presign(args[1] and operation_input(client, operation(client, args[1]))) or nil
  end
  local transfer = options.transfer(name)
  if transfer then
    return n > 1 and transfer or nil
  end
  return n == 1 and operation_input(client, operation(client, name)) or nil
end

--- What may be given as the n-th argument of thing: { shape = thing, extra = { member = names } } for a
--- table of parameters, { names = … } for a string, { options = … } for a table with these keys; nil when
--- nobody knows.
---@param thing table
---@param n integer
---@param args table the arguments that are plain strings, by their place
---@return table|nil
function things.argument(thing, n, args)
  if thing.kind ~= "method" then
    return nil
  end
  local owner, name = thing.owner, thing.name
  if opens_client(thing) and (name == "client" or name == "resource") then
    return n == 1 and { names = things.services(name) } or n == 2 and options.CLIENT or nil
  elseif opens_client(thing) and (name == "session" or name == "setup_default_session") then
    return n == 1 and options.SESSION or nil
  elseif opens_client(thing) and name == "get_available_regions" then
    return n == 1 and { names = things.services("client") } or nil
  elseif owner.kind == "client" then
    return client_argument(owner.client, name, n, args)
  elseif owner.kind == "paginator" and name == "paginate" and owner.client then
    return operation_input(owner.client, core().operation(owner.client, owner.operation), options.PAGINATE)
  elseif owner.kind == "waiter" and name == "wait" and owner.client then
    return operation_input(owner.client, core().operation(owner.client, owner.operation), options.WAIT)
  elseif owner.kind == "collection" and name == "filter" then
    return operation_input(owner.client, core().operation(owner.client, owner.operation))
  elseif owner.kind == "resource" and options.transfer(name) then
    return n > 1 and options.transfer(name) or nil
  elseif thing.action and thing.action.request then
    return operation_input(owner.client, core().operation(owner.client, thing.action.request.operation))
  end
end

--- What belongs under a key of a table that `expected` describes, or in its list when key is nil.
---@param expected table|nil
---@param key string|nil
---@return table|nil
function things.within(expected, key)
  if not expected then
    return nil
  elseif expected.extra and key and expected.extra[key] then
    return { options = expected.extra[key] }
  elseif expected.inside and key and expected.inside[key] then
    return expected.inside[key]
  elseif expected.options then
    return key == "region_name" and { names = things.regions() } or key == "profile_name"
      and { names = things.profiles() } or nil
  end
  local shape = expected.shape and shape_of(expected.shape)
  if not shape then
    return nil
  end
  local inner = shape.type == "structure" and shape.members[key] or shape.type == "map" and shape.value
    or shape.type == "list" and not key and shape.member
  if not inner then
    return nil
  end
  -- The member that words were written for: those of Filters list the names of filters.
  local written = shape.type == "structure" and { shape.name, key } or expected.written
  local within_list = shape.type == "structure" and (key == "Name" or key == "Key") and expected.written
  return { shape = shape_thing(expected.shape.client, inner), written = within_list or written }
end

--- The keys of a table that `expected` describes.
---@param expected table|nil
---@return table
function things.keys(expected)
  if expected and expected.options then
    return expected.options
  end
  local shape = expected and expected.shape and shape_of(expected.shape)
  local names = shape and shape.member_names and { table.unpack(shape.member_names) } or {}
  local keys = shape and shape.type == "map" and shape.key and core().shape(expected.shape.client, shape.key)
  if keys and keys.enum then
    names = keys.enum
  end
  return expected and expected.extra and sorted_keys(expected.extra, names) or names
end

--- The strings that `expected` allows: the values of an enum, services, waiters, … and names that only the
--- documentation lists, such as those of filters.
---@param expected table|nil
---@return table
function things.values(expected)
  if expected and expected.names then
    return expected.names
  end
  local shape = expected and expected.shape and shape_of(expected.shape)
  if shape and not shape.enum and shape.type == "string" and expected.written then
    local docs = require("luaws.help.docs")
    local service = docs.of(expected.shape.client)
    return docs.listed_names(service and service:member(expected.written[1], expected.written[2]))
  end
  return shape and shape.enum or {}
end

local function ask_session(ask)
  local ok, names = pcall(function()
    return ask(package.loaded.luaws.default_session())
  end)
  return ok and names or {}
end

function things.regions()
  return ask_session(function(session)
    local names = {}
    for _, partition in ipairs(session:get_available_partitions()) do
      for _, region in ipairs(session:get_available_regions("ec2", { partition_name = partition })) do
        names[#names + 1] = region
      end
    end
    return names
  end)
end

function things.profiles()
  return ask_session(function(session) return session.available_profiles end)
end

return things
