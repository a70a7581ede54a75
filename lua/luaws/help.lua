--- help(x): the models' documentation of a service, an operation, a parameter or a resource.
---
---     help(ec2)                                      a client's service
---     help(ec2.describe_instances)                   an operation; also help(ec2, "describe_instances")
---     help("ec2.describe_instances")                 the same without a client
---     help("ec2.describe_instances.Filters")         a parameter; further names go further in
---     help("ec2.Instance")                           a resource; also help(instance)
local core = require("luaws.core")
local docs = require("luaws.help.docs")
local nearest = require("luaws.nearest")
local text = require("luaws.help.text")
local things = require("luaws.repl.things")

local help = {}

local LABEL_COLUMNS = 34
local RESOURCE_GROUPS = {
  "Identifiers", "Attributes", "Actions", "Sub-resources", "References", "Collections", "Waiters",
}
local GROUP_OF = {
  identifier = "Identifiers", alias = "Attributes", attribute = "Attributes", meta = "Attributes",
  action = "Actions", load = "Actions", method = "Actions", subresource = "Sub-resources",
  reference = "References", collection = "Collections", waiter = "Waiters",
}

-- ---- documentation ----

local function operation_doc(client, name)
  local service = docs.of(client)
  return service and service:operation(name) or ""
end

-- A member's own words, or those of its shape.
local function member_doc(client, shape, member, inner)
  local service = docs.of(client)
  return service and (service:member(shape, member) or service:shape(inner)) or ""
end

-- ---- pages ----

-- A page gathers lines and knows how wide it may be.
local Page = {}
local page_mt = { __name = "luaws.help.page", __index = Page }

function Page:line(fmt, ...)
  self.lines[#self.lines + 1] = select("#", ...) > 0 and fmt:format(...) or fmt
end

function Page:doc(html, indent)
  local body = text.render(html or "", self.width - (indent or 0), indent)
  if body ~= "" then
    self:line("%s", body)
  end
end

function Page:heading(title)
  self:line("")
  self:line("%s", title)
end

-- Two columns: what something is, and the beginning of what is said of it.
function Page:entry(label, words)
  local room = self.width - LABEL_COLUMNS - 2
  local gap = LABEL_COLUMNS - (utf8.len(label) or #label)
  local lines = text.wrap(words, math.max(room, 20))
  if gap < 1 then
    self:line("  %s", label)
    gap, label = LABEL_COLUMNS, ""
  end
  self:line("%s", (("  " .. label .. (" "):rep(gap) .. (lines[1] or "")):gsub("%s+$", "")))
  for i = 2, #lines do
    self:line("%s%s", (" "):rep(LABEL_COLUMNS + 2), lines[i])
  end
end

function Page:columns(names)
  local widest = 0
  for _, name in ipairs(names) do
    widest = math.max(widest, #name)
  end
  local across = math.max(1, (self.width - 2) // (widest + 2))
  local down = (#names + across - 1) // across
  for row = 1, down do
    local cells = {}
    for i = row, #names, down do
      cells[#cells + 1] = names[i] .. (i + down <= #names and (" "):rep(widest + 2 - #names[i]) or "")
    end
    self:line("  %s", table.concat(cells))
  end
end

-- ---- what to say of a type ----

local function type_name(client, name)
  local shape = core.shape(client, name)
  if not shape then
    return name
  elseif shape.type == "list" then
    return "list of " .. type_name(client, shape.member)
  elseif shape.type == "map" then
    return "map of " .. type_name(client, shape.value)
  elseif shape.document then
    return "any value"
  elseif shape.eventstream then
    return "stream of events"
  end
  return shape.type == "structure" and shape.name or shape.enum and "enum" or shape.type
end

-- Through lists and maps to the structure that has members, if there is one.
local function structure_of(client, name)
  for _ = 1, 16 do
    local shape = name and core.shape(client, name)
    if not shape or shape.type == "structure" then
      return shape
    end
    name = shape.member or shape.value
  end
end

local function enum_of(client, name)
  for _ = 1, 16 do
    local shape = name and core.shape(client, name)
    if not shape or shape.enum then
      return shape and shape.enum
    end
    name = shape.member or shape.value
  end
end

local function members(page, client, shape)
  local required = {}
  for _, name in ipairs(shape.required or {}) do
    required[name] = true
  end
  for _, name in ipairs(shape.member_names) do
    local inner = shape.members[name]
    local words = text.first_sentence(member_doc(client, shape.name, name, inner))
    page:entry(name .. (required[name] and " *" or ""), ("(%s) %s"):format(type_name(client, inner), words))
  end
  if next(required) then
    page:line("  * required")
  end
end

-- ---- topics ----

local function service_page(page, client)
  local info = core.client_info(client)
  page:line("%s: %s, API version %s", info.service_name, info.full_name or info.service_id, info.api_version)
  page:line("")
  page:doc(docs.of(client) and docs.of(client):service(), 2)
  local names = {}
  for name in pairs(core.methods(client)) do
    names[#names + 1] = name
  end
  table.sort(names)
  page:heading(("%d operations"):format(#names))
  page:columns(names)
  page:line("")
  page:line('More: help("%s.%s")', info.service_name, names[1])
end

local function operation_page(page, client, method)
  local op = core.operation_for_method(client, method)
  local service = core.client_info(client).service_name
  page:line("%s:%s{…}   (%s)%s", service, op.method_name, op.name, op.deprecated and ", deprecated" or "")
  page:line("")
  page:doc(operation_doc(client, op.name), 2)
  local input, output = op.input and core.shape(client, op.input), op.output and core.shape(client, op.output)
  if input and #input.member_names > 0 then
    page:heading("Parameters")
    members(page, client, input)
  end
  if output and #output.member_names > 0 then
    page:heading("Returns")
    members(page, client, output)
  end
  if #op.errors > 0 then
    page:heading("Errors")
    page:columns(op.errors)
  end
  local first = input and input.member_names[1]
  if first then
    page:line("")
    page:line('More: help("%s.%s.%s")', service, op.method_name, first)
  end
end

local function complain(page, name, names)
  page:line("%s", nearest.message(name, names))
end

-- The member that the path names, in the operation's parameters or else in its answer.
local function find_member(client, op, path)
  local near = {}
  for _, top in ipairs({ op.input or false, op.output or false }) do
    local shape, member = top and core.shape(client, top), nil
    for i, name in ipairs(path) do
      shape = i == 1 and shape or structure_of(client, member.inner)
      local inner = shape and shape.members and shape.members[name]
      if not inner then
        if i > (near.depth or 0) then
          near = { depth = i, name = name, names = shape and shape.member_names }
        end
        member = nil
        break
      end
      member = { shape = shape, name = name, inner = inner }
    end
    if member then
      return member
    end
  end
  return nil, near
end

local function member_page(page, client, op, path)
  local member, near = find_member(client, op, path)
  if not member then
    return complain(page, near.name or path[1], near.names or {})
  end
  local where = core.client_info(client).service_name .. "." .. op.method_name
  page:line("%s.%s   (%s)", where, table.concat(path, "."), type_name(client, member.inner))
  page:line("")
  page:doc(member_doc(client, member.shape.name, member.name, member.inner), 2)
  local values = enum_of(client, member.inner)
  if values then
    page:heading("Values")
    page:columns(values)
  end
  local inner = structure_of(client, member.inner)
  if inner and #inner.member_names > 0 then
    page:heading("Members")
    members(page, client, inner)
  end
end

local function resource_page(page, thing)
  local service = core.client_info(thing.client).service_name
  local model = things.resource_model(thing)
  page:line("%s.%s   (resource)", service, thing.type or "ServiceResource")
  local service_docs = model.shape and docs.of(thing.client)
  if service_docs and service_docs:shape(model.shape) then
    page:line("")
    page:doc(service_docs:shape(model.shape), 2)
  end
  local groups = {}
  for name, member in pairs(things.resource_members(thing)) do
    local group = GROUP_OF[member[2]]
    groups[group] = groups[group] or {}
    table.insert(groups[group], name)
  end
  for _, group in ipairs(RESOURCE_GROUPS) do
    if groups[group] then
      table.sort(groups[group])
      page:heading(group)
      page:columns(groups[group])
    end
  end
  page:line("")
  page:line('More: help("%s.%s.NAME")', service, thing.type or "ServiceResource")
end

local function resource_member_page(page, thing, name)
  local member = things.resource_members(thing)[name]
  local service = core.client_info(thing.client).service_name
  local where = ("%s.%s.%s"):format(service, thing.type or "ServiceResource", name)
  if not member then
    local names = {}
    for known in pairs(things.resource_members(thing)) do
      names[#names + 1] = known
    end
    return complain(page, name, names)
  elseif member[4] and member[4].request then
    page:line("%s, which calls:", where)
    page:line("")
    return operation_page(page, thing.client, core.xform_name(member[4].request.operation))
  elseif member[2] == "collection" then
    page:line("%s: a collection of %s, from:", where, member[3].type)
    page:line("")
    return operation_page(page, thing.client, core.xform_name(member[3].operation))
  elseif member[3] and member[3].kind == "resource" then
    return resource_page(page, member[3])
  end
  page:line("%s", where)
  local shape = things.resource_model(thing).shape
  local shape_members = shape and core.shape(thing.client, shape)
  for api_name, inner in pairs(shape_members and shape_members.members or {}) do
    if core.xform_name(api_name) == name then
      page:line("")
      page:doc(member_doc(thing.client, shape, api_name, inner), 2)
    end
  end
end

-- The page of "ec2.describe_instances.Filters", cut at its dots.
local function path_page(page, client, path)
  local name = table.remove(path, 1)
  if not name then
    return service_page(page, client)
  end
  local op = core.operation_for_method(client, name) or core.operation(client, name)
  if op then
    if #path == 0 then
      return operation_page(page, client, op.method_name)
    end
    return member_page(page, client, op, path)
  end
  local thing = { kind = "resource", client = client, type = name ~= "ServiceResource" and name or nil }
  if things.resource_model(thing) then
    if #path == 0 then
      return resource_page(page, thing)
    end
    return resource_member_page(page, thing, path[1])
  end
  if type(rawget(core.client_class(client), name)) == "function" then
    return page:line("%s:%s(…) is a method of luaws's own, which docs/ explains; AWS has no such operation",
      core.client_info(client).service_name, name)
  end
  local names = {}
  for known in pairs(core.methods(client)) do
    names[#names + 1] = known
  end
  complain(page, name, names)
end

local function split(topic)
  local path = {}
  for part in topic:gmatch("[^.:]+") do
    path[#path + 1] = part
  end
  return path
end

local function topic_page(page, topic)
  local path = split(topic)
  local service = table.remove(path, 1) or ""
  if service == "aws" and #path > 0 then
    return page:line("%s is luaws's own: docs/ explains it; help() tells what this knows", topic)
  end
  local client = things.model_client(service)
  if client then
    return path_page(page, client, path)
  end
  complain(page, service, things.services())
end

-- Which method of which client a function is: clients that variables hold are asked, then whoever made it.
local function find_method(fn, env)
  for _, value in next, env do
    local thing = things.of_value(value)
    local class = thing and thing.kind == "client" and core.client_class(value)
    for name, method in pairs(class or {}) do
      if method == fn then
        return value, name
      end
    end
  end
  local service, name = require("luaws.client").owner(fn)
  return service and things.model_client(service), name
end

local function intro_page(page)
  page:line('help(x) explains a service, an operation, a parameter or a resource:')
  page:line('  help("ec2")  help(ec2)')
  page:line('  help("ec2.describe_instances")  help(ec2.describe_instances)')
  page:line('  help("ec2.describe_instances.Filters")')
  page:line('  help("ec2.Instance")  help(instance)')
  page:line('The module is in `aws`: aws.client("ec2"), aws.resource("s3"), aws.session{ region_name = … }')
  page:line('Tab completes names, parameters and values; `_` is the last result.')
end

local function value_page(page, value, env)
  local thing = things.of_value(value)
  if not thing then
    return intro_page(page)
  elseif type(value) == "function" then
    local client, name = find_method(value, env)
    if client then
      return path_page(page, client, { name })
    end
  elseif thing.kind == "client" then
    return service_page(page, value)
  elseif thing.kind == "resource" then
    return resource_page(page, thing)
  elseif thing.kind == "collection" then
    return operation_page(page, thing.client, core.xform_name(thing.operation))
  elseif (thing.kind == "paginator" or thing.kind == "waiter") and thing.operation then
    return operation_page(page, thing.client, core.xform_name(thing.operation))
  end
  page:line("nothing is known of this %s; help() tells what there is", type(value))
end

--- The help on x as a string.
---@param x any a client, a resource, a method of a client, or a text such as "ec2.describe_instances.Filters"
---@param name string|nil with a client: what of it
---@param options table|nil width (80), env (_G): where clients are looked for that a method may belong to
---@return string
function help.text(x, name, options)
  options = options or {}
  local page = setmetatable({ lines = {}, width = options.width or 80 }, page_mt)
  local thing = things.of_value(x)
  if type(x) == "string" then
    topic_page(page, name and x .. "." .. name or x)
  elseif thing and thing.kind == "client" and name then
    path_page(page, x, split(name))
  elseif thing and thing.kind == "resource" and name then
    resource_member_page(page, thing, name)
  else
    value_page(page, x, options.env or _G)
  end
  return table.concat(page.lines, "\n")
end

--- The topics that `typed` may be completed to: "ec2", "ec2.describe_instances", …
---@param typed string
---@return table
function help.topics(typed)
  local front, service, path = typed:match("^(([^.]+)%.(.-))[^.]*$")
  if not front then
    return things.services()
  end
  local client, names = things.model_client(service), {}
  path = client and split(path) or {}
  if client and #path == 0 then
    for name in pairs(core.methods(client)) do
      names[#names + 1] = front .. name
    end
    local info = core.client_info(client)
    for name in pairs(core.model(client, "resources", info.service_name, nil, "resources") or {}) do
      names[#names + 1] = front .. name
    end
    return names
  end
  local op = client and core.operation_for_method(client, table.remove(path, 1))
  local member = op and #path > 0 and find_member(client, op, path)
  local shape = member and structure_of(client, member.inner) or op and #path == 0 and op.input
    and core.shape(client, op.input)
  for i, name in ipairs(shape and shape.member_names or {}) do
    names[i] = front .. name
  end
  return names
end

return setmetatable(help, {
  __name = "luaws.help",
  __call = function(_, x, name)
    io.write(help.text(x, name, { width = help.width and help.width() }), "\n")
  end,
  __tostring = function() return "help(x) explains x; help() tells more" end,
})
