--- Named events along the path of a call, and who listens to them.
---
--- A name is a row of parts with dots between them: "before-send.s3.GetObject". A handler registered
--- for "before-send" or "before-send.s3" hears it as well, and "*" stands for any one part. Handlers are
--- kept in a tree with a node per part; each node has three lists, so that register_first and
--- register_last order handlers within one name only. Longer names run before shorter ones along one
--- branch, and at every part the "*" branch runs wholly before the exact one (botocore's order).
---
---     local emitter = events.new()
---     emitter:register("before-send.s3", function(event) event.request.headers["x-a"] = "b" end)
---     emitter:emit("before-send.s3.GetObject", { request = request })
---
--- A handler may come with a condition (events.when): calls that do not meet it then need not stop for it.
---
--- What an event name finds is remembered until the next registration, so that an event nobody
--- listens to costs one table look-up.
local errors = require("luaws.errors")
local methods = require("luaws.methods")

local events = {}

local Emitter = {}
local emitter_mt = { __name = "luaws.events", __index = Emitter }

local FIRST, MIDDLE, LAST = 1, 2, 3
local MAX_CACHED = 4096

--- Older names of services, rewritten to the hyphenized service id wherever they are a part of an
--- event name. The order matters: only the first that fits is rewritten.
events.ALIASES = {
  { "api.mediatailor", "mediatailor" },
  { "api.pricing", "pricing" },
  { "api.sagemaker", "sagemaker" },
  { "apigateway", "api-gateway" },
  { "application-autoscaling", "application-auto-scaling" },
  { "appstream2", "appstream" },
  { "autoscaling", "auto-scaling" },
  { "autoscaling-plans", "auto-scaling-plans" },
  { "ce", "cost-explorer" },
  { "cloudhsmv2", "cloudhsm-v2" },
  { "cloudsearchdomain", "cloudsearch-domain" },
  { "cognito-idp", "cognito-identity-provider" },
  { "config", "config-service" },
  { "cur", "cost-and-usage-report-service" },
  { "data.iot", "iot-data-plane" },
  { "data.jobs.iot", "iot-jobs-data-plane" },
  { "data.mediastore", "mediastore-data" },
  { "datapipeline", "data-pipeline" },
  { "devicefarm", "device-farm" },
  { "directconnect", "direct-connect" },
  { "discovery", "application-discovery-service" },
  { "dms", "database-migration-service" },
  { "ds", "directory-service" },
  { "dynamodbstreams", "dynamodb-streams" },
  { "elasticbeanstalk", "elastic-beanstalk" },
  { "elasticfilesystem", "efs" },
  { "elasticloadbalancing", "elastic-load-balancing" },
  { "elasticmapreduce", "emr" },
  { "elb", "elastic-load-balancing" },
  { "elbv2", "elastic-load-balancing-v2" },
  { "email", "ses" },
  { "entitlement.marketplace", "marketplace-entitlement-service" },
  { "es", "elasticsearch-service" },
  { "events", "eventbridge" },
  { "cloudwatch-events", "eventbridge" },
  { "iot-data", "iot-data-plane" },
  { "iot-jobs-data", "iot-jobs-data-plane" },
  { "kinesisanalytics", "kinesis-analytics" },
  { "kinesisvideo", "kinesis-video" },
  { "lex-models", "lex-model-building-service" },
  { "lex-runtime", "lex-runtime-service" },
  { "logs", "cloudwatch-logs" },
  { "machinelearning", "machine-learning" },
  { "marketplace-entitlement", "marketplace-entitlement-service" },
  { "marketplacecommerceanalytics", "marketplace-commerce-analytics" },
  { "metering.marketplace", "marketplace-metering" },
  { "meteringmarketplace", "marketplace-metering" },
  { "mgh", "migration-hub" },
  { "models.lex", "lex-model-building-service" },
  { "monitoring", "cloudwatch" },
  { "mturk-requester", "mturk" },
  { "resourcegroupstaggingapi", "resource-groups-tagging-api" },
  { "route53", "route-53" },
  { "route53domains", "route-53-domains" },
  { "runtime.lex", "lex-runtime-service" },
  { "runtime.sagemaker", "sagemaker-runtime" },
  { "sdb", "simpledb" },
  { "secretsmanager", "secrets-manager" },
  { "serverlessrepo", "serverlessapplicationrepository" },
  { "servicecatalog", "service-catalog" },
  { "states", "sfn" },
  { "stepfunctions", "sfn" },
  { "storagegateway", "storage-gateway" },
  { "streams.dynamodb", "dynamodb-streams" },
  { "tagging", "resource-groups-tagging-api" },
}

local function split(name)
  local parts, n = {}, 0
  for part in (name .. "."):gmatch("([^.]*)%.") do
    n = n + 1
    parts[n] = part
  end
  return parts
end

local function index_of(list, value)
  for i, item in ipairs(list) do
    if item == value then
      return i
    end
  end
end

-- Where the parts of `old` stand in a row in `parts`.
local function find_run(parts, old)
  for start = 1, #parts - #old + 1 do
    local same = true
    for i, part in ipairs(old) do
      same = same and parts[start + i - 1] == part
    end
    if same then
      return start
    end
  end
end

local function rewrite(aliases, name)
  local parts = split(name)
  for _, alias in ipairs(aliases) do
    local old, new = alias[1], alias[2]
    if not old:find(".", 1, true) then
      local place = index_of(parts, old)
      if place then
        parts[place] = new
        return table.concat(parts, ".")
      end
    elseif name:find(old, 1, true) then
      local run = split(old)
      local place = find_run(parts, run)
      if place then
        table.move(parts, place + #run, #parts + #run - 1, place + 1)
        parts[place] = new
      end
      return table.concat(parts, ".")
    end
  end
  return name
end

local function callable(handler)
  local mt = getmetatable(handler)
  return type(handler) == "function" or type(mt) == "table" and mt.__call ~= nil
end

local function check_name(event_name)
  if type(event_name) ~= "string" then
    errors.raise("TypeError", "the name of an event is a string, not a %s", type(event_name))
  end
end

local function check_callable(handler)
  if not callable(handler) then
    errors.raise("ValueError", "event handler %s cannot be called", tostring(handler))
  end
end

local function new_node()
  return { children = {} }
end

local function copy_node(node)
  local copy = new_node()
  for section = FIRST, LAST do
    local list = node[section]
    copy[section] = list and table.move(list, 1, #list, 1, {})
  end
  for part, child in pairs(node.children) do
    copy.children[part] = copy_node(child)
  end
  return copy
end

local function find_node(root, name)
  local node = root
  for _, part in ipairs(split(name)) do
    node = node and node.children[part]
  end
  return node
end

local function make_node(root, name)
  local node = root
  for _, part in ipairs(split(name)) do
    local child = node.children[part]
    if not child then
      child = new_node()
      node.children[part] = child
    end
    node = child
  end
  return node
end

-- Every node whose name fits the front of `parts`, exact branches first. ORDER HANDLERS: collect()
-- reads this backwards, which puts "*" before exact and long before short.
local function visit(node, parts, i, visited)
  visited[#visited + 1] = node
  if i > #parts then
    return
  end
  local exact, any = node.children[parts[i]], node.children["*"]
  if exact then
    visit(exact, parts, i + 1, visited)
  end
  if any then
    visit(any, parts, i + 1, visited)
  end
end

local function collect(root, name)
  local visited, found = {}, {}
  visit(root, split(name), 1, visited)
  for i = #visited, 1, -1 do
    for section = FIRST, LAST do
      for _, handler in ipairs(visited[i][section] or {}) do
        found[#found + 1] = handler
      end
    end
  end
  return found
end

local function changed(emitter)
  emitter.version = emitter.version + 1
  emitter._found, emitter._found_count = {}, 0
end

-- The handlers for an event (with the rewritten name in `name`), or false when there is none.
local function look_up(emitter, event_name)
  local name = rewrite(emitter._aliases, event_name)
  local found = collect(emitter._root, name)
  found.name = name
  if found[1] == nil then
    found = false
  end
  if emitter._found_count >= MAX_CACHED then
    emitter._found, emitter._found_count = {}, 0
  end
  emitter._found[event_name] = found
  emitter._found_count = emitter._found_count + 1
  return found
end

local function check_count_use(entry, unique_id, uses_count)
  if (entry.count ~= nil) ~= (uses_count or false) then
    errors.raise("ValueError", "unique id %s was first registered %s a counter; later uses must be the same",
      tostring(unique_id), entry.count and "with" or "without")
  end
end

local function register(emitter, section, event_name, handler, unique_id, uses_count)
  check_name(event_name)
  check_callable(handler)
  if unique_id ~= nil then
    local entry = emitter._unique[unique_id]
    if entry then
      check_count_use(entry, unique_id, uses_count)
      entry.count = entry.count and entry.count + 1
      return
    end
    emitter._unique[unique_id] = { handler = handler, count = uses_count and 1 or nil }
  end
  local node = make_node(emitter._root, rewrite(emitter._aliases, event_name))
  node[section] = node[section] or {}
  table.insert(node[section], handler)
  changed(emitter)
end

--- Calls handler for every event of this name, or below it. With a unique_id, registering the same id
--- again does nothing, unless unique_id_uses_count: then it counts, and as many unregisters are needed.
---@param event_name string
---@param handler function gets one table: what the event carries, and event_name
---@param unique_id any
---@param unique_id_uses_count boolean|nil
function Emitter:register(event_name, handler, unique_id, unique_id_uses_count)
  register(self, MIDDLE, event_name, handler, unique_id, unique_id_uses_count)
end

--- As register, before the other handlers of the same name.
function Emitter:register_first(event_name, handler, unique_id, unique_id_uses_count)
  register(self, FIRST, event_name, handler, unique_id, unique_id_uses_count)
end

--- As register, after the other handlers of the same name.
function Emitter:register_last(event_name, handler, unique_id, unique_id_uses_count)
  register(self, LAST, event_name, handler, unique_id, unique_id_uses_count)
end

--- Takes back one registration, named by its handler or its unique_id. One that is not there is ignored.
---@param event_name string
---@param handler function|nil
---@param unique_id any
---@param unique_id_uses_count boolean|nil
function Emitter:unregister(event_name, handler, unique_id, unique_id_uses_count)
  check_name(event_name)
  if unique_id ~= nil then
    local entry = self._unique[unique_id]
    if not entry then
      return
    end
    check_count_use(entry, unique_id, unique_id_uses_count)
    if entry.count and entry.count > 1 then
      entry.count = entry.count - 1
      return
    end
    handler = entry.handler
    self._unique[unique_id] = nil
  end
  local node = find_node(self._root, rewrite(self._aliases, event_name))
  if not node then
    return
  end
  for section = FIRST, LAST do
    local place = node[section] and index_of(node[section], handler)
    if place then
      table.remove(node[section], place)
      changed(self)
      return
    end
  end
end

for _, name in ipairs{ "register", "register_first", "register_last", "unregister" } do
  Emitter[name] = methods.of("events", emitter_mt, name, Emitter[name])
end

--- Calls every handler of the event, in order.
---@param event_name string
---@param event table|nil what the handlers get; event_name is filled in
---@return table responses a sequence of { handler, response }
function Emitter:emit(event_name, event)
  local found = self._found[event_name]
  if found == nil then
    found = look_up(self, event_name)
  end
  local responses = {}
  if not found then
    return responses
  end
  event = event or {}
  for i = 1, #found do
    local handler = found[i]
    event.event_name = found.name
    responses[i] = { handler, (handler(event)) }
  end
  return responses
end

--- As emit, for events of which nobody wants to know what the handlers returned.
---@param event_name string
---@param event table
function Emitter:tell(event_name, event)
  local found = self._found[event_name]
  if found == nil then
    found = look_up(self, event_name)
  end
  for i = 1, found and #found or 0 do
    event.event_name = found.name
    found[i](event)
  end
end

--- Calls the handlers of the event until one returns something.
---@param event_name string
---@param event table|nil
---@return function|nil handler the last one called
---@return any response what it returned
function Emitter:emit_until_response(event_name, event)
  local found = self._found[event_name]
  if found == nil then
    found = look_up(self, event_name)
  end
  if not found then
    return nil, nil
  end
  event = event or {}
  for i = 1, #found do
    event.event_name = found.name
    local response = found[i](event)
    if response ~= nil then
      return found[i], response
    end
  end
  return found[#found], nil
end

--- Whether anybody hears an event of this full name. Ask it before making the event's table;
--- the answer holds as long as `emitter.version` stays the same.
---@param event_name string
---@return boolean
function Emitter:has_listeners(event_name)
  local found = self._found[event_name]
  if found == nil then
    found = look_up(self, event_name)
  end
  return found ~= false
end

--- The conditions of all who hear this event: a sequence of tables as given to events.when, nil where
--- somebody hears it whatever happens; empty where nobody does.
---@param event_name string
---@return table|nil
function Emitter:conditions(event_name)
  local found = self._found[event_name]
  if found == nil then
    found = look_up(self, event_name)
  end
  local conditions = {}
  for i, handler in ipairs(found or {}) do
    conditions[i] = type(handler) == "table" and rawget(handler, "when") or nil
    if not conditions[i] then
      return nil
    end
  end
  return conditions
end

--- An emitter of its own with the same registrations; the handlers themselves are shared.
---@return table
function Emitter:copy()
  local copy = events.new { aliases = self._aliases }
  copy._root = copy_node(self._root)
  for id, entry in pairs(self._unique) do
    copy._unique[id] = { handler = entry.handler, count = entry.count }
  end
  return copy
end

local function add_node(node, other)
  for section = FIRST, LAST do
    local list = other[section]
    if list and list[1] ~= nil then
      node[section] = node[section] or {}
      table.move(list, 1, #list, #node[section] + 1, node[section])
    end
  end
  for part, child in pairs(other.children) do
    node.children[part] = node.children[part] or new_node()
    add_node(node.children[part], child)
  end
end

--- Takes over the registrations of another emitter as if they were made here now.
---@param other table
function Emitter:add(other)
  add_node(self._root, other._root)
  for id, entry in pairs(other._unique) do
    self._unique[id] = self._unique[id] or { handler = entry.handler, count = entry.count }
  end
  changed(self)
end

--- A new emitter. Its field `version` changes with every registration.
---@param opts table|nil aliases: a sequence of { old, new } instead of events.ALIASES
---@return table
function events.new(opts)
  return setmetatable({
    version = 0,
    _aliases = opts and opts.aliases or events.ALIASES,
    _root = new_node(),
    _unique = {},
    _found = {},
    _found_count = 0,
  }, emitter_mt)
end

local conditional_mt = { __call = function(self, event) return self.handler(event) end }

--- A handler that need not be called unless a condition holds. It is a promise that the handler would do
--- nothing otherwise, not a filter: where another handler hears the event, or in some other way of calling,
--- it is called all the same. What a condition may say is told in luaws.hooks.
---@param condition table
---@param handler function
---@return table handler to be registered
function events.when(condition, handler)
  check_callable(handler)
  return setmetatable({ when = condition, handler = handler }, conditional_mt)
end

--- The first response that is not nil, out of what emit returned.
---@param responses table
---@param default any
---@return any
function events.first_non_none_response(responses, default)
  for _, pair in ipairs(responses) do
    if pair[2] ~= nil then
      return pair[2]
    end
  end
  return default
end

return events
