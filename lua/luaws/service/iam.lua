--- IAM: policy documents come as JSON, percent-encoded; scripts get tables.
local core = require("luaws.core")

local iam = {}

local function decode(text)
  local ok, value = pcall(require("cjson").decode, core.percent_decode(text))
  return ok and value or text
end

local function decode_policies(client, value, shape_name)
  local shape = core.shape(client, shape_name)
  if shape.type == "structure" then
    for name, member in pairs(shape.members) do
      if value[name] ~= nil then
        if member == "policyDocumentType" then
          value[name] = decode(value[name])
        else
          decode_policies(client, value[name], member)
        end
      end
    end
  elseif shape.type == "list" then
    local member = core.shape(client, shape.member)
    if member.type == "structure" or member.type == "list" then
      for _, item in ipairs(value) do
        decode_policies(client, item, shape.member)
      end
    end
  end
end

-- output shape → whether some policy is in it
local holds = {}

local function holds_policy(client, shape_name, seen)
  if shape_name == "policyDocumentType" then
    return true
  elseif seen[shape_name] then
    return false
  end
  seen[shape_name] = true
  local shape = core.shape(client, shape_name)
  for _, member in pairs(shape.type == "structure" and shape.members or { shape.member }) do
    if holds_policy(client, member, seen) then
      return true
    end
  end
  return false
end

local function decode_answer(event)
  local output = event.model.output
  if not output or event.parsed.Error then
    return
  end
  if holds[output] == nil then
    holds[output] = holds_policy(event.client, output, {})
  end
  if holds[output] then
    decode_policies(event.client, event.parsed, output)
  end
end

function iam.register(emitter)
  emitter:register("after-call.iam", decode_answer)
end

return iam
