--- Values the way botocore's messages show them: 'text' in quotes, True and False, {'Key': 'value'}.
--- Messages are compared and grepped for, so they keep that form.
local values = require("luaws.jmespath.values")

local repr = {}

local ESCAPES = { ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape_byte(c)
  return ESCAPES[c] or ("\\x%02x"):format(c:byte())
end

-- Single quotes, unless the text has some and no double ones.
local function quote(text)
  local mark = text:find("'", 1, true) and not text:find('"', 1, true) and '"' or "'"
  text = text:gsub("[%c\\]", escape_byte)
  if mark == "'" then
    text = text:gsub("'", "\\'")
  end
  if not utf8.len(text) then
    text = text:gsub("[\x80-\xFF]", escape_byte)
  end
  return mark .. text .. mark
end

local function show_table(t, keys)
  local parts = {}
  if not keys and values.is_array(t) then
    for i, item in ipairs(t) do
      parts[i] = repr.value(item)
    end
    return "[" .. table.concat(parts, ", ") .. "]"
  end
  if not keys then
    keys = {}
    for key in pairs(t) do
      keys[#keys + 1] = key
    end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  end
  for i, key in ipairs(keys) do
    parts[i] = repr.value(key) .. ": " .. repr.value(t[key])
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

--- A value as it stands inside another one.
---@param value any
---@param keys table|nil for a map: its keys in the order to show, which also shows absent ones
---@return string
function repr.value(value, keys)
  local kind = type(value)
  if kind == "nil" then
    return "None"
  elseif kind == "boolean" then
    return value and "True" or "False"
  elseif kind == "string" then
    return quote(value)
  elseif kind == "table" and not (getmetatable(value) or {}).__tostring then
    return show_table(value, keys)
  end
  return tostring(value)
end

--- A value on its own: as above, but a string is just its text.
---@param value any
---@return string
function repr.text(value)
  return type(value) == "string" and value or repr.value(value)
end

return repr
