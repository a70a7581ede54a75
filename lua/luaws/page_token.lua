--- The text that stands for a place in a row of pages, so that paging can go on there another day.
--- It is the base64 of a JSON object: the service's own token or tokens, and boto_truncate_amount, how
--- many items of that page were already handed out. Byte strings within (DynamoDB keys) are base64 once
--- more, and boto_encoded_keys lists their paths. Tokens made here are read by botocore and the other
--- way round. A key of DynamoDB's resources that is no plain value is { ["luaws:binary"] = base64 } or
--- { ["luaws:number"] = digits }; botocore makes no tokens of such keys.
local cjson = require("cjson")
local core = require("luaws.core")
local errors = require("luaws.errors")
local json = require("luaws.jmespath.json")
local repr = require("luaws.repr")
local values = require("luaws.jmespath.values")

local page_token = {}

local OFFSET = "boto_truncate_amount"
local ENCODED = "boto_encoded_keys"
local BINARY, NUMBER = "luaws:binary", "luaws:number"

-- The shape of a member, item or value of a shape; nil where the model does not tell.
local function shape_below(model, shape, key)
  if not (model and shape) then
    return nil
  end
  local name = shape.member or shape.value
  if shape.type == "structure" then
    name = shape.members and shape.members[key]
  end
  return name and model:shape(name)
end

local function extend(path, step)
  local longer = table.move(path, 1, #path, 1, {})
  longer[#longer + 1] = step
  return longer
end

local function is_object(value, name)
  local mt = getmetatable(value)
  return mt ~= nil and mt.__name == "luaws.dynamodb." .. name
end

-- A copy of value in which every blob is base64 text; the paths of those are added to `encoded`. A blob
-- is what the model calls one, and any string that is no UTF-8.
local function encode_bytes(value, path, encoded, model, shape)
  if type(value) == "string" then
    if shape and shape.type == "blob" or not utf8.len(value) then
      encoded[#encoded + 1] = path
      return core.base64_encode(value)
    end
    return value
  elseif type(value) ~= "table" then
    return value
  elseif is_object(value, "binary") then
    return { [BINARY] = core.base64_encode(value.bytes) }
  elseif is_object(value, "number") then
    return { [NUMBER] = value.digits }
  end
  local copy = setmetatable({}, getmetatable(value))
  if values.is_array(value) then
    for i, item in ipairs(value) do
      copy[i] = encode_bytes(item, extend(path, i - 1), encoded, model, shape_below(model, shape))
    end
    return copy
  end
  for key, item in pairs(value) do
    copy[key] = encode_bytes(item, extend(path, key), encoded, model, shape_below(model, shape, key))
  end
  return copy
end

--- The text for tokens and an offset.
---@param keys table the names of the input tokens, in the model's order
---@param tokens table their values; nil for one that is not there
---@param offset integer|nil
---@param model table|nil the client's service model and ...
---@param shape table|nil ... the operation's input shape, which tell blobs from text
---@return string
function page_token.encode(keys, tokens, offset, model, shape)
  local parts, encoded = {}, {}
  for i, key in ipairs(keys) do
    local value = encode_bytes(tokens[key], { key }, encoded, model, shape_below(model, shape, key))
    parts[i] = json.encode(key) .. ": " .. json.encode(value)
  end
  if offset then
    parts[#parts + 1] = ('"%s": %d'):format(OFFSET, offset)
  end
  if encoded[1] then
    parts[#parts + 1] = ('"%s": %s'):format(ENCODED, json.encode(encoded))
  end
  return core.base64_encode("{" .. table.concat(parts, ", ") .. "}")
end

-- base64 as Python reads it: what is not of its alphabet is passed over.
local function decode_base64(text)
  local ok, bytes = pcall(core.base64_decode, (text:gsub("[^%w+/=]", "")))
  return ok and bytes or nil
end

-- What the JSON stood for: nulls are nothing, and keys of DynamoDB are themselves again.
local function restore(value)
  if value == cjson.null then
    return nil
  elseif type(value) ~= "table" then
    return value
  elseif type(value[BINARY]) == "string" then
    return require("luaws.dynamodb.binary").new(decode_base64(value[BINARY]) or "")
  elseif type(value[NUMBER]) == "string" then
    return require("luaws.dynamodb.number").new(value[NUMBER])
  end
  for key, item in pairs(value) do
    value[key] = restore(item)
  end
  return value
end

local function decode_path(tokens, path)
  local container = tokens
  for i = 1, #path do
    local step = path[i]
    if type(step) == "number" then
      step = step + 1
    end
    if type(container) ~= "table" then
      return
    elseif i < #path then
      container = container[step]
    elseif type(container[step]) == "string" then
      container[step] = decode_base64(container[step])
    end
  end
end

-- The JSON object in a token, or nil when the text is something else.
local function read_json(text)
  local bytes = decode_base64(text)
  if not bytes or not utf8.len(bytes) then
    return nil
  end
  local ok, tokens = json.decode(bytes)
  if not ok or type(tokens) ~= "table" or tokens[1] ~= nil then
    return nil
  end
  return tokens
end

local function index_set(list)
  local set = {}
  for _, item in ipairs(list) do
    set[item] = true
  end
  return set
end

local function decode_new(text, keys)
  local tokens = read_json(text)
  if not tokens then
    return nil
  end
  local offset, encoded = tokens[OFFSET], tokens[ENCODED]
  tokens[OFFSET], tokens[ENCODED] = nil, nil
  local known = index_set(keys)
  for key in pairs(tokens) do
    -- A service's own token may well be base64 of some JSON too.
    if not known[key] then
      return nil
    end
  end
  if next(tokens) == nil and offset == nil then
    return nil
  end
  for _, path in ipairs(encoded or {}) do
    decode_path(tokens, path)
  end
  return restore(tokens), math.tointeger(offset) or 0
end

local function split_old(text)
  local parts, start = {}, 1
  while true do
    local first, last = text:find("___", start, true)
    parts[#parts + 1] = text:sub(start, first and first - 1)
    if not first then
      return parts
    end
    start = last + 1
  end
end

-- The form of old: the tokens and, when one more is there than tokens are asked for, the offset, with
-- "___" between them. Anything else is a token of the service itself.
local function decode_old(text, keys)
  local parts, offset = split_old(text), 0
  if #parts == #keys + 1 then
    local last = parts[#parts]:match("^%s*([+-]?%d+)%s*$")
    if last then
      offset, parts[#parts] = math.tointeger(tonumber(last)) or 0, nil
    else
      parts = { text }
    end
  end
  if #parts > #keys then
    errors.raise("ValueError", "Bad starting token: %s", text)
  end
  local tokens = {}
  for i, part in ipairs(parts) do
    tokens[keys[i]] = part ~= "None" and part or nil
  end
  return tokens, offset
end

--- The tokens and the offset in a text; the old form token___offset and a plain token of the service
--- are taken too.
---@param text string
---@param keys table the names of the input tokens
---@return table tokens
---@return integer offset
function page_token.decode(text, keys)
  if type(text) == "number" then
    text = tostring(text)
  elseif type(text) ~= "string" then
    errors.raise("ValueError", "Bad starting token: %s", repr.text(text))
  end
  local tokens, offset = decode_new(text, keys)
  if tokens then
    return tokens, offset
  end
  return decode_old(text, keys)
end

return page_token
