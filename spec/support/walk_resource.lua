-- Does with resources of luaws what scripts/walk-resources does with boto3's, and tells what came of it.
--
-- Reads JSON lines { service, version, class, identifiers, data, steps, answers } and answers each with
-- { calls, result, data, error }. `steps` are done one after the other with what the step before gave:
-- { "get", name }, { "call", name, arguments… }, { "names" }, { "gather" } (the objects of a collection),
-- { "sizes" } (of its pages). Calls are { operation, parameters } as the resource makes them;
-- answers[operation] is what they get, in order, the last again and again.
local aws = require("luaws")
local cjson = require("cjson")
local collection = require("luaws.resource.collection")
local resource = require("luaws.resource")
local walk_values = require("spec.support.walk_values")

local session = aws.session({})
local opened = {}

-- The operation's answers and the calls made so far, of the question that is being answered.
local answers, calls

local function open(service, version)
  local key = service .. " " .. version
  if not opened[key] then
    local object = session:resource(service, {
      api_version = version, region_name = "us-east-1", aws_access_key_id = "a", aws_secret_access_key = "b",
    })
    local events = object.meta.client.meta.events
    events:register_first("provide-client-params", function(event)
      calls[#calls + 1] = { event.operation_name, walk_values.tell(event.params) }
    end)
    events:register_first("before-call", function(event)
      local row = answers[event.operation_name] or { {} }
      local answer = #row > 1 and table.remove(row, 1) or row[1]
      local parsed = walk_values.read(answer)
      local code = parsed.Error and 400 or 200
      parsed.ResponseMetadata = { HTTPStatusCode = code }
      return { status_code = code, parsed = parsed }
    end)
    opened[key] = object
  end
  return opened[key]
end

local function make(question)
  local service = open(question.service, question.version)
  local own = getmetatable(service).class
  local client = service.meta.client
  if question.class == own.name then
    return service
  end
  local class = own.family:class(question.class, client)
  return class:construct(client, {}, 0, table.unpack(question.identifiers))
end

local STEPS = {}

function STEPS.get(object, name)
  return object[name]
end

function STEPS.call(object, name, ...)
  local arguments = table.pack(...)
  for i = 1, arguments.n do
    arguments[i] = walk_values.read(arguments[i])
  end
  return object[name](object, table.unpack(arguments, 1, arguments.n))
end

function STEPS.gather(found)
  local objects = {}
  for object in found do
    objects[#objects + 1] = object
  end
  return objects
end

function STEPS.sizes(found)
  local sizes = {}
  for page in found:pages() do
    sizes[#sizes + 1] = #page
  end
  return sizes
end

function STEPS.names(object)
  if not walk_values.is_resource(object) then
    return collection.names(object)
  end
  local names = { "meta" }
  for name in pairs(resource.members(object)) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function run(question, out)
  local value = make(question)
  local object = value
  if question.data then
    object.meta.data = walk_values.read(question.data)
  else
    object.meta.data = nil
  end
  local ok, err = pcall(function()
    for _, step in ipairs(question.steps) do
      value = STEPS[step[1]](value, table.unpack(step, 2))
    end
    out.result = walk_values.tell(value)
  end)
  out.data = object.meta.data and walk_values.tell(object.meta.data) or nil
  if not ok then
    error(err, 0)
  end
end

for line in io.lines() do
  local question = cjson.decode(line)
  answers, calls = question.answers, {}
  local out = {}
  local ok, err = pcall(run, question, out)
  out.calls = #calls > 0 and calls or nil
  if not ok then
    out.error = { kind = type(err) == "table" and err.kind or "bug", message = tostring(err) }
  end
  io.write(cjson.encode(out), "\n")
  io.flush()
end
