--- DynamoDB's numbers: decimal, up to 38 significant digits.
---
--- A number is taken apart as { negative, digits, exponent }: digits without zeros at either end ("" for
--- zero), the value being digits times ten to the exponent. What a Lua integer or a double holds exactly is
--- a Lua number; for a double that means that its shortest decimal text has the same digits. Everything
--- else is a number object, which keeps the digits and can be compared, but not calculated with.
local errors = require("luaws.errors")
local methods = require("luaws.methods")

local number = {}

local MAX_DIGITS <const> = 38
local MIN_EXPONENT <const>, MAX_EXPONENT <const> = -130, 126 -- of the first digit
local INTEGER_DIGITS <const> = 19
local DOUBLE_DIGITS <const> = 17

local Number = {}
local number_mt = { __name = "luaws.dynamodb.number", __index = Number }

local function parse(text)
  local sign, whole, rest = text:match("^([+-]?)(%d*)(.*)$")
  local fraction, power = rest:match("^%.(%d*)(.*)$")
  if not fraction then
    fraction, power = "", rest
  end
  local exponent = power == "" and 0 or tonumber(power:match("^[eE]([+-]?%d+)$"))
  if whole .. fraction == "" or not exponent then
    return nil
  end
  local digits = (whole .. fraction):gsub("^0+", "")
  local short = digits:gsub("0+$", "")
  if short == "" then
    return { negative = false, digits = "", exponent = 0 }
  end
  return { negative = sign == "-", digits = short, exponent = exponent - #fraction + #digits - #short }
end

-- The power of ten of the first digit.
local function magnitude(n)
  return n.digits == "" and -math.huge or n.exponent + #n.digits - 1
end

local function check_limits(n, text)
  if #n.digits > MAX_DIGITS then
    errors.raise("ValueError", "DynamoDB's numbers have at most %d significant digits: %s", MAX_DIGITS, text)
  elseif n.digits ~= "" and not (magnitude(n) >= MIN_EXPONENT and magnitude(n) <= MAX_EXPONENT) then
    errors.raise("ValueError", "out of the range of DynamoDB's numbers: %s", text)
  end
end

-- Text of a number as short as it gets: plain while that needs few zeros, else with an exponent.
local function write(n)
  if n.digits == "" then
    return "0"
  end
  local sign, digits, power = n.negative and "-" or "", n.digits, magnitude(n)
  if power < -6 or power > 20 then
    local fraction = #digits > 1 and "." .. digits:sub(2) or ""
    return ("%s%s%sE%+d"):format(sign, digits:sub(1, 1), fraction, power)
  elseif n.exponent >= 0 then
    return sign .. digits .. ("0"):rep(n.exponent)
  elseif power >= 0 then
    return sign .. digits:sub(1, power + 1) .. "." .. digits:sub(power + 2)
  end
  return sign .. "0." .. ("0"):rep(-power - 1) .. digits
end

-- The shortest decimal number that reads back as this double.
local function of_double(value)
  for precision = 14, 16 do
    local text = ("%%.%de"):format(precision):format(value)
    if precision == 16 or tonumber(text) == value then
      -- Between the first digit and the others is the locale's decimal point.
      local sign, first, fraction, power = text:match("^(%-?)(%d)%D*(%d*)e([+-]%d+)$")
      return parse(("%s%s.%se%s"):format(sign, first, fraction, power))
    end
  end
end

local function same(a, b)
  return a.negative == b.negative and a.digits == b.digits and a.exponent == b.exponent
end

local function parts_of(value)
  if getmetatable(value) == number_mt then
    return value._parts
  end
  local integer = math.tointeger(value)
  if integer then
    return parse(("%d"):format(integer))
  elseif value ~= value or value == math.huge or value == -math.huge then
    errors.raise("TypeError", "Infinity and NaN not supported")
  end
  return of_double(value)
end

local function new(parts, text)
  return setmetatable({ digits = text, _parts = parts }, number_mt)
end

--- True for a Lua number and for a number object.
---@param value any
---@return boolean
function number.is_number(value)
  return type(value) == "number" or getmetatable(value) == number_mt
end

--- True for a number object.
---@param value any
---@return boolean
function number.is_object(value)
  return getmetatable(value) == number_mt
end

-- Decimal numbers of up to 15 digits go through a double and back unchanged.
local SAFE_DIGITS <const> = 15

--- As number.write for what most numbers are; nil for one that takes a longer look.
---@param value number
---@return string|nil
function number.write_common(value)
  local integer = math.tointeger(value)
  if integer then
    return ("%d"):format(integer)
  end
  local text = ("%.15g"):format(value)
  return tonumber(text) == value and text:find("^%-?%d+%.%d+$") and text or nil
end

--- As number.read for what most numbers are; nil for one that takes a longer look.
---@param text string
---@return number|nil
function number.read_common(text)
  if #text <= SAFE_DIGITS and (text:find("^%-?%d+$") or text:find("^%-?%d+%.%d+$")) then
    local value = tonumber(text)
    return math.tointeger(value) or value
  end
end

--- The text that DynamoDB is sent. Number objects and integers are exact, and so is a double that a Lua
--- integer equals; of any other the text is the shortest that reads back as it. Raises what DynamoDB has no
--- number for.
---@param value number|table
---@return string
function number.write(value)
  if getmetatable(value) == number_mt then
    return value.digits
  end
  local common = number.write_common(value)
  if common then
    return common
  end
  local parts = parts_of(value)
  local text = write(parts)
  check_limits(parts, text)
  return text
end

--- The value of a text from DynamoDB.
---@param text string
---@return number|table
function number.read(text)
  local common = number.read_common(text)
  if common then
    return common
  end
  local parts = parse(text)
  if not parts then
    errors.raise("ValueError", "not a number: %s", text)
  end
  check_limits(parts, text)
  if parts.digits == "" then
    return 0
  elseif parts.exponent >= 0 and magnitude(parts) < INTEGER_DIGITS then
    local sign = parts.negative and "-" or ""
    local integer = tonumber(sign .. parts.digits .. ("0"):rep(parts.exponent))
    if math.type(integer) == "integer" then
      return integer
    end
  end
  if #parts.digits <= DOUBLE_DIGITS then
    local double = tonumber(("%s%sE%d"):format(parts.negative and "-" or "", parts.digits, parts.exponent))
    if same(of_double(double), parts) then
      return double
    end
  end
  return new(parts, text)
end

--- A number object. Its text is kept as it was given, but for what DynamoDB does not count anyway.
---@param value string|number|table
---@return table
function number.new(value)
  if getmetatable(value) == number_mt then
    return value
  elseif type(value) == "number" then
    local parts = parts_of(value)
    check_limits(parts, tostring(value))
    return new(parts, number.write(value))
  elseif type(value) ~= "string" then
    errors.raise("TypeError", "number() takes a string of digits or a Lua number, not a %s", type(value))
  end
  local text = value:match("^%s*(.-)%s*$")
  local parts = parse(text)
  if not parts then
    errors.raise("ValueError", "not a number: %s", value)
  end
  check_limits(parts, text)
  local sign, rest = text:match("^([+-]?)0*(.*)$")
  local _, count = rest:match("^[^eE]*"):gsub("%d", "")
  if parts.digits == "" or count > MAX_DIGITS or not rest:find("^%d") or rest:find("%.$") then
    return new(parts, write(parts))
  end
  return new(parts, (sign == "-" and "-" or "") .. rest)
end

--- A text that is the same for all numbers of the same value.
---@param value number|table
---@return string
function number.key(value)
  local parts = parts_of(value)
  return ("%s%sE%d"):format(parts.negative and "-" or "", parts.digits, parts.exponent)
end

--- The nearest Lua number.
---@return number
function Number:to_number()
  local parts = self._parts
  local text = (parts.negative and "-" or "") .. (parts.digits == "" and "0" or parts.digits)
  local integer = parts.exponent >= 0 and parts.exponent < INTEGER_DIGITS
    and math.tointeger(tonumber(text .. ("0"):rep(parts.exponent)))
  return integer or tonumber(("%sE%d"):format(text, parts.exponent))
end

methods.check("number", number_mt, Number)

local function before(a, b)
  a, b = parts_of(a), parts_of(b)
  if a.negative ~= b.negative then
    return a.negative
  end
  local smaller, larger = a, b
  if a.negative then
    smaller, larger = b, a
  end
  local one, other = magnitude(smaller), magnitude(larger)
  if one ~= other then
    return one < other
  end
  local length = math.max(#a.digits, #b.digits)
  local function padded(n)
    return n.digits .. ("0"):rep(length - #n.digits)
  end
  one, other = padded(smaller), padded(larger)
  -- Not one < other, which goes by the locale.
  for i = 1, length do
    if one:byte(i) ~= other:byte(i) then
      return one:byte(i) < other:byte(i)
    end
  end
  return false
end

local function check_comparable(a, b)
  if not (number.is_number(a) and number.is_number(b)) then
    errors.raise("TypeError", "a number of DynamoDB can only be compared with a number")
  end
end

function number_mt.__eq(a, b)
  return getmetatable(a) == number_mt and getmetatable(b) == number_mt and same(a._parts, b._parts)
end

function number_mt.__lt(a, b)
  check_comparable(a, b)
  return before(a, b)
end

function number_mt.__le(a, b)
  check_comparable(a, b)
  return not before(b, a)
end

function number_mt:__tostring()
  return self.digits
end

return number
