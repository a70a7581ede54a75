--- A client that answers from a script instead of the network, and the few things of luaws.core that the
--- Lua modules ask for, over models given as tables. Replace package.loaded["luaws.core"] by fake.core
--- before the module under test is required.
local fake = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local core = {}
fake.core = core

function core.base64_encode(s)
  local out = {}
  for i = 1, #s, 3 do
    local a, b, c = s:byte(i, i + 2)
    local bits = (a << 16) + ((b or 0) << 8) + (c or 0)
    for k = 0, 3 do
      local place = (bits >> (18 - 6 * k)) & 63
      out[#out + 1] = (k == 2 and not b or k == 3 and not c) and "=" or ALPHABET:sub(place + 1, place + 1)
    end
  end
  return table.concat(out)
end

function core.base64_decode(s)
  local text = s:gsub("=+$", "")
  if #s % 4 ~= 0 or text:find("[^%w+/]") then
    return nil
  end
  local bits, n, out = 0, 0, {}
  for c in text:gmatch(".") do
    bits, n = (bits << 6) + ALPHABET:find(c, 1, true) - 1, n + 6
    if n >= 8 then
      n = n - 8
      out[#out + 1] = string.char((bits >> n) & 255)
    end
  end
  return table.concat(out)
end

--- Nobody hears of features here.
function core.features()
  return 0
end

--- Good enough for the names used in specs; the real one is the core's.
function core.xform_name(name)
  return (name:gsub("(%l)(%u)", "%1_%2"):gsub("(%u)(%u%l)", "%1_%2"):lower())
end

function core.task()
  return nil
end

-- models.<type>.<service> is the tree of a model file.
fake.models = {}

local function deep_copy(value)
  if type(value) ~= "table" then
    return value
  end
  local copy = {}
  for key, item in pairs(value) do
    copy[key] = deep_copy(item)
  end
  return copy
end

function core.model(_, kind, service, _, ...)
  local at = fake.models[kind] and fake.models[kind][service]
  for _, step in ipairs { ... } do
    at = type(at) == "table" and at[step] or nil
  end
  return deep_copy(at)
end

function core.model_versions(_, kind, service)
  return fake.models[kind] and fake.models[kind][service] and { "2020-01-01" } or {}
end

function core.model_services(_, kind)
  local names = {}
  for name in pairs(fake.models[kind] or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local Model = {}

function Model:operation(name)
  return self._operations[name]
end

function Model:operation_for_method(method)
  for name, operation in pairs(self._operations) do
    if core.xform_name(name) == method then
      return operation
    end
  end
end

function Model:operation_names()
  local names = {}
  for name in pairs(self._operations) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

function Model:shape(name)
  return self._shapes[name]
end

--- A client of `service` whose operations are in description.operations (name → { input, output }) and
--- shapes in description.shapes. `answer` is a function(method_name, params) or a row of answers; an
--- answer with a metatable (an error) is raised. What was called is in client.calls.
---@param service string
---@param description table
---@param answer function|table
---@return table
function fake.client(service, description, answer)
  local client = { calls = {} }
  local operations = {}
  for name, operation in pairs(description.operations or {}) do
    operations[name] = {
      name = name, method_name = core.xform_name(name), input = operation.input, output = operation.output,
    }
  end
  client.meta = {
    service_name = service,
    api_version = "2020-01-01",
    service_model = setmetatable({
      service_name = service, _operations = operations, _shapes = description.shapes or {},
    }, { __index = Model }),
    events = description.events,
    session = description.session,
  }
  for name in pairs(operations) do
    local method = core.xform_name(name)
    client[method] = function(_, params)
      client.calls[#client.calls + 1] = { method, deep_copy(params) }
      local reply
      if type(answer) == "function" then
        reply = answer(method, params)
      else
        reply = table.remove(answer, 1)
        assert(reply ~= nil, "a call nobody expected: " .. method)
      end
      if getmetatable(reply) then
        error(reply, 0)
      end
      return reply
    end
  end
  return client
end

return fake
