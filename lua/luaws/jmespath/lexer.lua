--- Cuts an expression into tokens: { kind, value, start } with start in bytes from 1. Literals are
--- read here, so their value is a Lua value.
local errors = require("luaws.errors")
local json = require("luaws.jmespath.json")

local lexer = {}

-- Of an expression, in a message.
local MAX_SHOWN = 200

local SIMPLE = {
  ["."] = "dot", ["*"] = "star", ["]"] = "rbracket", [","] = "comma", [":"] = "colon",
  ["@"] = "current", ["("] = "lparen", [")"] = "rparen", ["{"] = "lbrace", ["}"] = "rbrace",
}
-- The character, and what it is with and without the second one after it.
local PAIRS = {
  ["|"] = { "|", "or", "pipe" },
  ["&"] = { "&", "and", "expref" },
  ["<"] = { "=", "lte", "lt" },
  [">"] = { "=", "gte", "gt" },
  ["!"] = { "=", "ne", "not" },
}

--- Where a byte of an expression is, for people: "column 5 of 'a.b.%'", counting characters from 1.
---@param expression string
---@param start integer the byte
---@return string place
---@return integer column
function lexer.place(expression, start)
  local before = expression:sub(1, start - 1)
  local column = (utf8.len(before) or #before) + 1
  if #expression > MAX_SHOWN then
    local cut = MAX_SHOWN
    while expression:find("^[\x80-\xBF]", cut + 1) do
      cut = cut - 1
    end
    expression = expression:sub(1, cut) .. "…"
  end
  return ("column %d of '%s'"):format(column, expression), column
end

--- Raises an error about a place in an expression.
---@param kind string
---@param expression string
---@param start integer the byte the trouble starts at
---@param text string
function lexer.fail(kind, expression, start, text)
  local place, column = lexer.place(expression, start)
  error(errors.new(kind, ("%s at %s"):format(text, place), {
    expression = expression,
    lex_position = column - 1,
  }), 0)
end

-- The text up to the closing delimiter, in which "\" keeps the next character from closing; and the
-- place after it.
local function read_until(expression, start, delimiter)
  local i = start + 1
  while true do
    local stop = expression:find("[\\" .. delimiter .. "]", i)
    if not stop then
      lexer.fail("LexerError", expression, start, ("no closing %s for the one"):format(delimiter))
    elseif expression:sub(stop, stop) == delimiter then
      return expression:sub(start + 1, stop - 1), stop + 1
    end
    i = stop + 2
  end
end

local function read_literal(expression, start)
  local text, stop = read_until(expression, start, "`")
  text = text:gsub("\\`", "`")
  local ok, value = json.decode(text)
  if not ok then
    -- JEP-12's older form: a string whose quotes were left out.
    ok, value = json.decode('"' .. text:gsub("^[\t-\r\x1C-\x20]+", "") .. '"')
  end
  if not ok then
    lexer.fail("LexerError", expression, start, "bad literal")
  end
  return value, stop
end

local function read_quoted(expression, start)
  local text, stop = read_until(expression, start, '"')
  local ok, value = json.decode('"' .. text .. '"')
  if not ok then
    lexer.fail("LexerError", expression, start, value .. " in the quoted identifier")
  end
  return value, stop
end

local function read_raw(expression, start)
  local text, stop = read_until(expression, start, "'")
  return (text:gsub("\\'", "'")), stop
end

local READERS = {
  ["`"] = { "literal", read_literal },
  ['"'] = { "quoted_identifier", read_quoted },
  ["'"] = { "literal", read_raw },
}

local function read_bracket(expression, i)
  local next_char = expression:sub(i + 1, i + 1)
  if next_char == "]" then
    return "flatten", "[]", i + 2
  elseif next_char == "?" then
    return "filter", "[?", i + 2
  end
  return "lbracket", "[", i + 1
end

-- The token at i, and the place after it.
local function read_token(expression, i)
  local c = expression:sub(i, i)
  if SIMPLE[c] then
    return SIMPLE[c], c, i + 1
  end
  local word = expression:match("^[A-Za-z_][A-Za-z0-9_]*", i)
  if word then
    return "unquoted_identifier", word, i + #word
  elseif c == "[" then
    return read_bracket(expression, i)
  end
  local reader, pair = READERS[c], PAIRS[c]
  if reader then
    local value, stop = reader[2](expression, i)
    return reader[1], value, stop
  elseif pair then
    if expression:sub(i + 1, i + 1) == pair[1] then
      return pair[2], c .. pair[1], i + 2
    end
    return pair[3], c, i + 1
  elseif expression:find("^==", i) then
    return "eq", "==", i + 2
  end
  local number = expression:match("^%-?[0-9]+", i)
  if number then
    return "number", tonumber(number), i + #number
  end
  local character = expression:match("^[\xC2-\xF4][\x80-\xBF]*", i) or c
  lexer.fail("LexerError", expression, i, ("unexpected '%s'"):format(character))
end

--- The tokens of an expression, the last one of kind "eof".
---@param expression string
---@return table
function lexer.tokenize(expression)
  if expression == "" then
    error(errors.new("EmptyExpressionError", "a JMESPath expression cannot be empty"), 0)
  end
  local tokens = {}
  local i = expression:find("[^ \t\n\r]")
  while i do
    local kind, value, stop = read_token(expression, i)
    tokens[#tokens + 1] = { kind = kind, value = value, start = i }
    i = expression:find("[^ \t\n\r]", stop)
  end
  tokens[#tokens + 1] = { kind = "eof", value = "", start = #expression + 1 }
  return tokens
end

return lexer
