--- A readable dump of any value, in the look of a Lua table: keys sorted and aligned, short tables on one
--- line, ResponseMetadata last, and what is long cut with a note of how much more there is.
---
---     local pretty = require("luaws.pretty")
---     print(pretty.dump(response))
---     io.write(pretty.dump(response, { color = true, max_lines = 40 }), "\n")
---
--- The module can be called like dump itself, so that it serves as aws.pretty.
local cjson = require("cjson")
local errors = require("luaws.errors")

local pretty = {}

local DEFAULTS = {
  width = 80,        -- columns that a table on one line may fill
  max_depth = 12,    -- tables within tables
  max_items = 100,   -- of one list, and members of one table
  max_string = 400,  -- bytes of one string
  max_lines = false, -- of the whole
  color = false,
}
local MAX_ALIGNED = 32
local MAX_BINARY = 24

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
    return then true until while]]):gmatch("%l+") do
  KEYWORDS[word] = true
end

local COLORS = {
  key = "\27[36m", string = "\27[32m", number = "\27[33m", word = "\27[35m", object = "\27[34m",
  more = "\27[2m",
}

local function paint(style, kind, text)
  return style.color and COLORS[kind] .. text .. "\27[0m" or text
end

local function columns(text)
  text = text:gsub("\27%[%d*m", "")
  return utf8.len(text) or #text
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(text)
  text = text:gsub('[%c"\\]', function(c) return ESCAPES[c] or ("\\x%02X"):format(c:byte()) end)
  -- The second set of control characters too: a terminal may act on them.
  return (text:gsub("\xC2([\x80-\x9F])", function(c) return ("\\u{%02X}"):format(c:byte()) end))
end

local function escape_bytes(bytes)
  return (bytes:gsub('[^ -~]', function(c) return ("\\x%02X"):format(c:byte()) end):gsub('"', '\\"'))
end

local function is_binary(text)
  return not utf8.len(text) or text:find("[\0-\8\14-\26\28-\31]") ~= nil
end

-- The first bytes of a text, not ending within a character.
local function head(text, n)
  while n > 0 and text:find("^[\x80-\xBF]", n + 1) do
    n = n - 1
  end
  return text:sub(1, n)
end

local function show_string(text, style)
  if is_binary(text) then
    if #text > MAX_BINARY then
      return paint(style, "string", ("<%d bytes>"):format(#text))
    end
    return paint(style, "string", '"' .. escape_bytes(text) .. '"')
  elseif #text <= style.max_string then
    return paint(style, "string", '"' .. escape(text) .. '"')
  end
  local shown = head(text, style.max_string)
  return paint(style, "string", '"' .. escape(shown) .. '"')
    .. paint(style, "more", (" … %d more bytes"):format(#text - #shown))
end

local function show_number(n)
  if math.type(n) == "integer" then
    return ("%d"):format(n)
  end
  local text = tostring(n)
  return tonumber(text) == n and text or n == n and ("%.17g"):format(n) or text
end

-- A value that is not a table to look into, or nil for one that is.
local function show_plain(value, style)
  local kind = type(value)
  if value == cjson.null then
    return paint(style, "word", "null")
  elseif kind == "string" then
    return show_string(value, style)
  elseif kind == "number" then
    return paint(style, "number", show_number(value))
  elseif kind == "boolean" or kind == "nil" then
    return paint(style, "word", tostring(value))
  end
  local mt = getmetatable(value)
  local own = type(mt) == "table" and rawget(mt, "__tostring")
  local name = type(mt) == "table" and rawget(mt, "__name")
  if own then
    return paint(style, "object", errors.shown(value))
  elseif kind ~= "table" or name then
    return paint(style, "object", ("<%s>"):format(type(name) == "string" and name or kind))
  end
end

local function show_key(key)
  if type(key) ~= "string" then
    return ("[%s]"):format(type(key) == "number" and show_number(key) or tostring(key))
  elseif key:find("^[%a_][%w_]*$") and not KEYWORDS[key] then
    return key
  end
  return ('["%s"]'):format(is_binary(key) and escape_bytes(key) or escape(key))
end

local RANKS = { number = 1, string = 2 }

local function key_before(a, b)
  if (a == "ResponseMetadata") ~= (b == "ResponseMetadata") then
    return b == "ResponseMetadata"
  end
  local rank_a, rank_b = RANKS[type(a)] or 3, RANKS[type(b)] or 3
  if rank_a ~= rank_b then
    return rank_a < rank_b
  elseif rank_a == 3 then
    return tostring(a) < tostring(b)
  end
  return a < b
end

-- The keys that are not places of the sequence, in the order to show them.
local function other_keys(t, n)
  local keys = {}
  for key in pairs(t) do
    if not (math.type(key) == "integer" and key >= 1 and key <= n) then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys, key_before)
  return keys
end

local function more(style, n, what)
  return paint(style, "more", ("… %d more%s"):format(n, what or ""))
end

local show

-- The table on one line, or nil when it takes more than room columns.
local function on_one_line(t, keys, room, style, path)
  local n = #t
  if n > style.max_items or #keys > style.max_items then
    return nil
  end
  local parts, used = {}, 2
  local function add(label, value)
    local text = show(value, 0, room - used, style, path, true)
    text = text and label .. text
    used = used + (text and columns(text) + 2 or room + 1)
    parts[#parts + 1] = text
    return used <= room
  end
  for i = 1, n do
    if not add("", t[i]) then
      return nil
    end
  end
  for _, key in ipairs(keys) do
    if not add(paint(style, "key", show_key(key)) .. " = ", t[key]) then
      return nil
    end
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function label_width(keys)
  local widest = 0
  for _, key in ipairs(keys) do
    local width = columns(show_key(key))
    widest = width <= MAX_ALIGNED and math.max(widest, width) or widest
  end
  return widest
end

local function on_many_lines(t, keys, indent, style, path)
  local n, lines = #t, { "{" }
  local inner = ("  "):rep(indent + 1)
  for i = 1, math.min(n, style.max_items) do
    local room = style.width - #inner - 1
    lines[#lines + 1] = inner .. show(t[i], indent + 1, room, style, path) .. ","
  end
  if n > style.max_items then
    lines[#lines + 1] = inner .. more(style, n - style.max_items)
  end
  local width = label_width(keys)
  for i = 1, math.min(#keys, style.max_items) do
    local key = keys[i]
    local label = show_key(key)
    local padding = (" "):rep(width - columns(label))
    local room = style.width - #inner - math.max(width, columns(label)) - 4
    lines[#lines + 1] = inner .. paint(style, "key", label) .. padding .. " = "
      .. show(t[key], indent + 1, room, style, path) .. ","
  end
  if #keys > style.max_items then
    lines[#lines + 1] = inner .. more(style, #keys - style.max_items)
  end
  lines[#lines + 1] = ("  "):rep(indent) .. "}"
  return table.concat(lines, "\n")
end

-- The text of a value that starts with `room` columns left on its line; with only_line nil rather than
-- a text of several lines. `path` holds the tables that this one is in.
function show(value, indent, room, style, path, only_line)
  local plain = show_plain(value, style)
  if plain then
    return plain
  elseif path[value] then
    return paint(style, "object", "<cycle>")
  end
  local keys = other_keys(value, #value)
  if #value == 0 and #keys == 0 then
    return "{}"
  elseif path.depth >= style.max_depth then
    return "{ " .. more(style, #value + #keys) .. " }"
  end
  path[value], path.depth = true, path.depth + 1
  local text = on_one_line(value, keys, room, style, path)
  if not text and not only_line then
    text = on_many_lines(value, keys, indent, style, path)
  end
  path[value], path.depth = nil, path.depth - 1
  return text
end

local function cut_lines(text, style)
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do
    lines[#lines + 1] = line
  end
  if #lines <= style.max_lines then
    return text
  end
  local kept = math.max(style.max_lines - 1, 0)
  return table.concat(lines, "\n", 1, kept) .. (kept > 0 and "\n" or "")
    .. more(style, #lines - kept, " lines")
end

--- The dump of a value as a string without a closing line end.
---@param value any
---@param options table|nil width, max_depth, max_items, max_string, max_lines, color
---@return string
function pretty.dump(value, options)
  local style = setmetatable({}, { __index = DEFAULTS })
  for name, setting in pairs(options or {}) do
    style[name] = setting
  end
  local text = show(value, 0, style.width, style, { depth = 0 })
  return style.max_lines and cut_lines(text, style) or text
end

return setmetatable(pretty, {
  __name = "luaws.pretty",
  __call = function(_, value, options) return pretty.dump(value, options) end,
})
