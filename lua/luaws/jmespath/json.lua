--- JSON as JMESPath needs it, where lua-cjson differs: integers stay integers, an empty array and an
--- empty object are told apart, and what is written has sorted keys and ASCII only. Policies are
--- written with it, too.
local values = require("luaws.jmespath.values")

local json = {}

local MAX_DEPTH = 500
local ESCAPES = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}
local WORDS = {
  { "true", true },
  { "false", false },
  { "null", values.null },
  { "NaN", 0 / 0 },
  { "Infinity", math.huge },
  { "-Infinity", -math.huge },
}

local function fail(place, text)
  error({ place = place, text = text }, 0)
end

local function skip(s, i)
  return s:find("[^ \t\n\r]", i) or #s + 1
end

-- Four hex digits at i, else an error.
local function hex4(s, i)
  local digits = s:match("^%x%x%x%x", i)
  if not digits then
    fail(i, "bad \\u escape")
  end
  return tonumber(digits, 16)
end

local function read_escape(s, i, out)
  local c = s:sub(i, i)
  if c ~= "u" then
    out[#out + 1] = ESCAPES[c] or fail(i, "bad escape")
    return i + 1
  end
  local code = hex4(s, i + 1)
  i = i + 5
  if code >= 0xD800 and code <= 0xDBFF and s:find("^\\u[dD][c-fC-F]%x%x", i) then
    code = 0x10000 + ((code - 0xD800) << 10) + (hex4(s, i + 2) - 0xDC00)
    i = i + 6
  end
  out[#out + 1] = utf8.char(code)
  return i
end

-- The string whose opening quote is before i, and the place after its closing one.
local function read_string(s, i)
  local out = {}
  while true do
    local stop = s:find('[\0-\x1F"\\]', i)
    if not stop then
      fail(i, "unclosed string")
    end
    out[#out + 1] = s:sub(i, stop - 1)
    local c = s:byte(stop)
    if c == 0x22 then
      return table.concat(out), stop + 1
    elseif c == 0x5C then
      i = read_escape(s, stop + 1, out)
    else
      fail(stop, "control character in a string")
    end
  end
end

local function read_number(s, i)
  local whole = s:match("^%-?0", i) or s:match("^%-?[1-9]%d*", i)
  if not whole then
    fail(i, "not a value")
  end
  local stop = i + #whole
  local fraction = s:match("^%.%d+", stop) or ""
  stop = stop + #fraction
  local exponent = s:match("^[eE][+-]?%d+", stop) or ""
  return tonumber(whole .. fraction .. exponent), stop + #exponent
end

local read_value

local function read_array(s, i, depth)
  local out, n = {}, 0
  i = skip(s, i)
  if s:sub(i, i) == "]" then
    return values.new_array(), i + 1
  end
  while true do
    n = n + 1
    out[n], i = read_value(s, i, depth)
    i = skip(s, i)
    local c = s:sub(i, i)
    if c == "]" then
      return out, i + 1
    elseif c ~= "," then
      fail(i, "',' or ']' expected")
    end
    i = i + 1
  end
end

local function read_object(s, i, depth)
  local out = {}
  i = skip(s, i)
  if s:sub(i, i) == "}" then
    return values.new_object(), i + 1
  end
  while true do
    i = skip(s, i)
    if s:sub(i, i) ~= '"' then
      fail(i, "a key in double quotes expected")
    end
    local key
    key, i = read_string(s, i + 1)
    i = skip(s, i)
    if s:sub(i, i) ~= ":" then
      fail(i, "':' expected")
    end
    out[key], i = read_value(s, i + 1, depth)
    i = skip(s, i)
    local c = s:sub(i, i)
    if c == "}" then
      return out, i + 1
    elseif c ~= "," then
      fail(i, "',' or '}' expected")
    end
    i = i + 1
  end
end

function read_value(s, i, depth)
  if depth > MAX_DEPTH then
    fail(i, "nested too deep")
  end
  i = skip(s, i)
  local c = s:sub(i, i)
  if c == '"' then
    return read_string(s, i + 1)
  elseif c == "[" then
    return read_array(s, i + 1, depth + 1)
  elseif c == "{" then
    return read_object(s, i + 1, depth + 1)
  end
  for _, word in ipairs(WORDS) do
    local stop = i + #word[1]
    if s:sub(i, stop - 1) == word[1] then
      return word[2], stop
    end
  end
  return read_number(s, i)
end

local function read_document(s)
  local value, i = read_value(s, 1, 0)
  i = skip(s, i)
  if i <= #s then
    fail(i, "something after the value")
  end
  return value
end

--- The value of a JSON text; null is cjson's null.
---@param s string
---@return boolean ok
---@return any value or, when not ok, what is wrong with the text
function json.decode(s)
  local ok, value = pcall(read_document, s)
  if not ok then
    value = type(value) == "table" and value.text or tostring(value)
  end
  return ok, value
end

local QUOTED = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n",
  ["\r"] = "\\r", ["\t"] = "\\t" }

local function quote_code(code)
  if code < 0x10000 then
    return ("\\u%04x"):format(code)
  end
  code = code - 0x10000
  return ("\\u%04x\\u%04x"):format(0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))
end

local function quote(s)
  s = s:gsub('[\0-\x1F\x7F"\\]', function(c) return QUOTED[c] or ("\\u%04x"):format(c:byte()) end)
  if not s:find("[\x80-\xFF]") then
    return '"' .. s .. '"'
  end
  if utf8.len(s, 1, -1, true) then
    s = s:gsub("[\xC2-\xFD][\x80-\xBF]+", function(c) return quote_code(utf8.codepoint(c, 1, 1, true)) end)
  else
    s = s:gsub("[\x80-\xFF]", "\\ufffd")
  end
  return '"' .. s .. '"'
end

-- Shortest digits that read back the same, with an exponent below 1e-4 and from 1e16 on.
local function format_float(n)
  if n ~= n then
    return "NaN"
  elseif n == math.huge or n == -math.huge then
    return n > 0 and "Infinity" or "-Infinity"
  end
  local text
  for digits = 0, 16 do
    text = ("%%.%de"):format(digits):format(n)
    if tonumber(text) == n then
      break
    end
  end
  -- Between the first digit and the others is the locale's decimal point.
  local sign, first, others, exponent = text:match("^(%-?)(%d)%D*(%d*)e([+-]%d+)$")
  local digits = others == "" and first or first .. "." .. others
  exponent = tonumber(exponent)
  if exponent < -4 or exponent >= 16 then
    return ("%s%se%s%02d"):format(sign, digits, exponent < 0 and "-" or "+", math.abs(exponent))
  end
  digits = digits:gsub("%.", "")
  if exponent < 0 then
    return sign .. "0." .. ("0"):rep(-exponent - 1) .. digits
  end
  digits = digits .. ("0"):rep(exponent + 1 - #digits)
  local fraction = digits:sub(exponent + 2)
  return sign .. digits:sub(1, exponent + 1) .. "." .. (fraction == "" and "0" or fraction)
end

local function write(value, out, depth, space)
  if depth > MAX_DEPTH then
    error("a value nested too deep", 0)
  end
  local kind = values.type_of(value)
  if kind == "null" then
    out[#out + 1] = "null"
  elseif kind == "string" then
    out[#out + 1] = quote(value)
  elseif kind == "number" then
    out[#out + 1] = math.type(value) == "integer" and ("%d"):format(value) or format_float(value)
  elseif kind == "boolean" then
    out[#out + 1] = tostring(value)
  elseif kind == "array" then
    for i, item in ipairs(value) do
      out[#out + 1] = i == 1 and "[" or "," .. space
      write(item, out, depth + 1, space)
    end
    out[#out + 1] = #value == 0 and "[]" or "]"
  elseif kind == "object" then
    local keys = values.sorted_keys(value)
    for i, key in ipairs(keys) do
      out[#out + 1] = (i == 1 and "{" or "," .. space) .. quote(tostring(key)) .. ":" .. space
      write(value[key], out, depth + 1, space)
    end
    out[#out + 1] = #keys == 0 and "{}" or "}"
  else
    out[#out + 1] = quote(kind == "expref" and "expression" or tostring(value))
  end
end

--- A string in quotes, in ASCII.
json.quote = quote

--- The JSON text of a value, without white space, or with a space after each comma and colon.
---@param value any
---@param spaced boolean|nil
---@return string
function json.encode(value, spaced)
  local out = {}
  write(value, out, 0, spaced and " " or "")
  return table.concat(out)
end

return json
