-- Of fuzz_lua_text: the first byte says what the rest is read as. Errors are luaws's own, and what was read
-- can be written and reads as the same again.
local binary = require("luaws.dynamodb.binary")
local convert = require("luaws.dynamodb.convert")
local core = require("luaws.core")
local errors = require("luaws.errors")
local form = require("luaws.service.form")
local glob = require("luaws.transfer.glob")
local help_text = require("luaws.help.text")
local json = require("luaws.jmespath.json")
local number = require("luaws.dynamodb.number")
local page_token = require("luaws.page_token")
local param_path = require("luaws.param_path")
local pretty = require("luaws.pretty")
local tokens = require("luaws.repl.tokens")

-- What a function returns; nothing when it raised an error of ours.
local function try(f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then
    return table.unpack(results, 2, results.n)
  end
  assert(errors.is_error(results[2]), tostring(results[2]))
  return nil
end

local KEYS = { "Marker", "NextToken" }

local function read_page_token(text)
  local found, offset = try(page_token.decode, text, KEYS)
  if found then
    local again, offset_again = page_token.decode(page_token.encode(KEYS, found, offset), KEYS)
    assert(offset == offset_again, "another offset")
    assert(type(found.Marker) == type(again.Marker), "another token")
  end
end

local function read_number(text)
  local value = try(number.read, text)
  if value then
    assert(number.key(number.read(number.write(value))) == number.key(value), "another number")
  end
  local object = try(number.new, text)
  if object then
    assert(number.key(number.new(object.digits)) == number.key(object), "another number")
    assert(value == nil or number.key(value) == number.key(object), "read and new differ")
    local before = object < object
    assert(not before and object <= object and object == object, "no order")
    object:to_number()
  end
end

-- What the parsers make of an answer: the model's types, whatever was sent.
local function is_attribute(value)
  if type(value) ~= "table" then
    return false
  end
  for kind, inner in pairs(value) do
    local fits = kind == "BOOL" or kind == "NULL" and type(inner) == "boolean"
      or (kind == "S" or kind == "N" or kind == "B") and type(inner) == "string"
    if not fits then
      if type(inner) ~= "table" then
        return false
      end
      for key, item in pairs(inner) do
        local good = kind == "L" and type(key) == "number" and is_attribute(item)
          or kind == "M" and type(key) == "string" and is_attribute(item)
          or type(key) == "number" and type(item) == "string"
        if not good then
          return false
        end
      end
    end
  end
  return true
end

local function read_attribute(text)
  -- The parsers make UTF-8 of all that is text.
  local ok, value = json.decode(utf8.len(text) and text or "")
  local plain = ok and is_attribute(value) and try(convert.deserialize, value)
  if plain ~= nil and plain ~= false then
    local written = try(convert.serialize, plain)
    assert(written, "what was read cannot be written")
    try(pretty.dump, written)
  end
end

local function read_markup(text)
  help_text.render(text, 60)
  help_text.first_sentence(text)
end

local function match_name(text)
  local pattern, name = text:match("^([^\n]*)\n?(.*)$")
  glob.match(pattern, name:sub(1, 100))
end

local function split_tokens(text)
  local list = tokens.split(text)
  for i = 1, list and #list or 0 do
    tokens.enclosing(list, i)
    tokens.ends_expression(list[i])
  end
end

local function read_form(text)
  local value = form.get(text, "Action")
  assert(form.get(form.without(text, "Action"), "Action") == nil, "it is still there")
  if value then
    local changed = form.with(form.without(text, "Action"), "Action", value)
    assert(form.get(changed, "Action") == value, "another value")
  end
end

local function build_params(text)
  -- A large index makes as many tables.
  if not text:find("%d%d%d%d") then
    try(param_path.build, {}, text, "value", 2)
  end
end

local READERS = {
  read_page_token,
  function(text) read_page_token(core.base64_encode(text)) end,
  read_number,
  read_attribute,
  read_markup,
  match_name,
  split_tokens,
  read_form,
  build_params,
  function(text) try(binary.new, text) end,
}

return function(bytes)
  local first = bytes:byte()
  if first then
    READERS[first % #READERS + 1](bytes:sub(2))
  end
end
