--- Bytes as an attribute of their own type; a Lua string by itself is text.
local errors = require("luaws.errors")

local binary = {}

local binary_mt = { __name = "luaws.dynamodb.binary" }

--- True for an object made here.
---@param value any
---@return boolean
function binary.is_binary(value)
  return getmetatable(value) == binary_mt
end

--- A binary. Its field `bytes` is the string.
---@param bytes string|table
---@return table
function binary.new(bytes)
  if binary.is_binary(bytes) then
    return bytes
  elseif type(bytes) ~= "string" then
    errors.raise("TypeError", "binary() takes a string, not a %s", type(bytes))
  end
  return setmetatable({ bytes = bytes }, binary_mt)
end

function binary_mt.__eq(a, b)
  return binary.is_binary(a) and binary.is_binary(b) and a.bytes == b.bytes
end

function binary_mt:__len()
  return #self.bytes
end

local function escape(c)
  return (c == '"' or c == "\\") and "\\" .. c or ("\\x%02X"):format(c:byte())
end

function binary_mt:__tostring()
  return 'binary("' .. self.bytes:gsub('[%c\x7F-\xFF"\\]', escape) .. '")'
end

return binary
