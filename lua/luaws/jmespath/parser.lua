--- Reads an expression into a tree, by operator precedence: a token either starts an expression
--- (STARTS) or goes on with the one to its left (CONTINUES), as far as its POWER is above the caller's.
---
--- A node is { kind = ..., ... }; what each kind carries is seen best in compiler.lua, which turns
--- nodes into functions. Where the grammar leaves room, what is accepted is what Python's jmespath 1.1
--- accepts: commas between the arguments of a function may be missing, for one.
local lexer = require("luaws.jmespath.lexer")

local parser = {}

local POWER = {
  eof = 0, unquoted_identifier = 0, quoted_identifier = 0, literal = 0, rbracket = 0, rparen = 0,
  comma = 0, rbrace = 0, number = 0, current = 0, expref = 0, colon = 0,
  pipe = 1, ["or"] = 2, ["and"] = 3,
  eq = 5, gt = 5, lt = 5, gte = 5, lte = 5, ne = 5,
  flatten = 9,
  star = 20, filter = 21, dot = 40, ["not"] = 45, lbrace = 50, lbracket = 55, lparen = 60,
}
-- A token below this ends what a projection is applied to.
local PROJECTION_STOP = 10
local MAX_DEPTH = 1000

local IDENTITY = { kind = "identity" }

local STARTS, CONTINUES = {}, {}

local function current(state)
  return state.tokens[state.i].kind
end

local function token(state)
  return state.tokens[state.i]
end

local function advance(state)
  state.i = state.i + 1
end

local function fail(state, at, text)
  lexer.fail("ParseError", state.expression, at.start, text)
end

local function describe(at)
  if at.kind == "eof" then
    return "the end"
  elseif at.kind == "literal" then
    return "a literal"
  end
  return ("'%s'"):format(at.value)
end

local function unexpected(state, at)
  if at.kind == "eof" then
    lexer.fail("IncompleteExpressionError", state.expression, at.start, "the expression ends too early")
  end
  fail(state, at, "unexpected " .. describe(at))
end

local function match(state, kind, wanted)
  local at = token(state)
  if at.kind == kind then
    return advance(state)
  elseif at.kind == "eof" then
    unexpected(state, at)
  end
  fail(state, at, ("%s expected, not %s"):format(wanted, describe(at)))
end

local function expression(state, power)
  state.depth = state.depth + 1
  local at = token(state)
  if state.depth > MAX_DEPTH then
    fail(state, at, "nested too deep")
  end
  advance(state)
  local start = STARTS[at.kind] or unexpected(state, at)
  local left = start(state, at)
  while power < POWER[current(state)] do
    at = token(state)
    local continue = CONTINUES[at.kind] or unexpected(state, at)
    advance(state)
    left = continue(state, left, at)
  end
  state.depth = state.depth - 1
  return left
end

local function list_of_expressions(state)
  local children = {}
  while true do
    children[#children + 1] = expression(state, 0)
    if current(state) == "rbracket" then
      break
    end
    match(state, "comma", "',' or ']'")
  end
  advance(state)
  return { kind = "multi_select_list", children = children }
end

local function hash_of_expressions(state)
  local names, children = {}, {}
  while true do
    local key = token(state)
    if key.kind == "quoted_identifier" then
      advance(state)
    else
      match(state, "unquoted_identifier", "a name")
    end
    match(state, "colon", "':'")
    names[#names + 1] = key.value
    children[#children + 1] = expression(state, 0)
    if current(state) == "comma" then
      advance(state)
    elseif current(state) == "rbrace" then
      advance(state)
      return { kind = "multi_select_hash", names = names, children = children }
    end
  end
end

local AFTER_DOT = { quoted_identifier = true, unquoted_identifier = true, star = true }

local function after_dot(state, power)
  local kind = current(state)
  if AFTER_DOT[kind] then
    return expression(state, power)
  elseif kind == "lbracket" then
    advance(state)
    return list_of_expressions(state)
  elseif kind == "lbrace" then
    advance(state)
    return hash_of_expressions(state)
  end
  fail(state, token(state), "a name, '*', '[' or '{' expected after '.', not " .. describe(token(state)))
end

local function projected(state, power)
  local kind = current(state)
  if POWER[kind] < PROJECTION_STOP then
    return IDENTITY
  elseif kind == "lbracket" or kind == "filter" then
    return expression(state, power)
  elseif kind == "dot" then
    advance(state)
    return after_dot(state, power)
  end
  fail(state, token(state), "unexpected " .. describe(token(state)))
end

local function slice(state)
  local parts, i = {}, 1
  while current(state) ~= "rbracket" do
    local at = token(state)
    if at.kind == "colon" and i < 3 then
      i = i + 1
    elseif at.kind == "number" then
      parts[i] = at.value
    else
      fail(state, at, "unexpected " .. describe(at) .. " in a slice")
    end
    advance(state)
  end
  advance(state)
  return { kind = "slice", from = parts[1], to = parts[2], step = parts[3] }
end

-- [n] or a slice; the bracket is read already.
local function index(state)
  local at = token(state)
  if at.kind == "colon" or state.tokens[state.i + 1].kind == "colon" then
    return slice(state)
  end
  advance(state)
  match(state, "rbracket", "']'")
  return { kind = "index", index = at.value }
end

local function chain(kind, left, right)
  if left.kind == kind then
    table.insert(left.children, right)
    return left
  end
  return { kind = kind, children = { left, right } }
end

local function index_of(state, left, right)
  local node = { kind = "index_expression", children = { left, right } }
  if right.kind == "slice" then
    return { kind = "projection", left = node, right = projected(state, POWER.star) }
  end
  return node
end

function STARTS.literal(_, at)
  return { kind = "literal", value = at.value }
end

function STARTS.unquoted_identifier(_, at)
  return { kind = "field", name = at.value, start = at.start }
end

function STARTS.quoted_identifier(state, at)
  if current(state) == "lparen" then
    fail(state, at, "the name of a function cannot be quoted")
  end
  return { kind = "field", name = at.value, start = at.start }
end

function STARTS.star(state)
  local right = IDENTITY
  if current(state) ~= "rbracket" then
    right = projected(state, POWER.star)
  end
  return { kind = "value_projection", left = IDENTITY, right = right }
end

function STARTS.filter(state)
  return CONTINUES.filter(state, IDENTITY)
end

function STARTS.flatten(state)
  return CONTINUES.flatten(state, IDENTITY)
end

STARTS.lbrace = hash_of_expressions

function STARTS.lparen(state)
  local node = expression(state, 0)
  match(state, "rparen", "')'")
  return node
end

STARTS["not"] = function(state)
  return { kind = "not", child = expression(state, POWER["not"]) }
end

function STARTS.lbracket(state)
  local kind = current(state)
  if kind == "number" or kind == "colon" then
    return index_of(state, IDENTITY, index(state))
  elseif kind == "star" and state.tokens[state.i + 1].kind == "rbracket" then
    state.i = state.i + 2
    return { kind = "projection", left = IDENTITY, right = projected(state, POWER.star) }
  end
  return list_of_expressions(state)
end

function STARTS.current()
  return { kind = "identity" }
end

function STARTS.expref(state)
  return { kind = "expref", child = expression(state, POWER.expref) }
end

function CONTINUES.dot(state, left)
  if current(state) == "star" then
    advance(state)
    return { kind = "value_projection", left = left, right = projected(state, POWER.dot) }
  end
  return chain("subexpression", left, after_dot(state, POWER.dot))
end

for _, kind in ipairs { "pipe", "or", "and" } do
  CONTINUES[kind] = function(state, left)
    return { kind = kind, left = left, right = expression(state, POWER[kind]) }
  end
end

for _, kind in ipairs { "eq", "ne", "gt", "gte", "lt", "lte" } do
  CONTINUES[kind] = function(state, left)
    return { kind = "comparator", op = kind, left = left, right = expression(state, POWER[kind]) }
  end
end

function CONTINUES.lparen(state, left, at)
  if left.kind ~= "field" then
    local before = state.tokens[state.i - 2] or at
    fail(state, before, describe(before) .. " is not the name of a function")
  end
  local arguments = {}
  while current(state) ~= "rparen" do
    arguments[#arguments + 1] = expression(state, 0)
    if current(state) == "comma" then
      advance(state)
    end
  end
  advance(state)
  return { kind = "call", name = left.name, start = left.start, arguments = arguments }
end

function CONTINUES.filter(state, left)
  local condition = expression(state, 0)
  match(state, "rbracket", "']'")
  local right = IDENTITY
  if current(state) ~= "flatten" then
    right = projected(state, POWER.filter)
  end
  return { kind = "filter_projection", left = left, right = right, condition = condition }
end

function CONTINUES.flatten(state, left)
  local flat = { kind = "flatten", child = left }
  return { kind = "projection", left = flat, right = projected(state, POWER.flatten) }
end

function CONTINUES.lbracket(state, left)
  local kind = current(state)
  if kind == "number" or kind == "colon" then
    local right = index(state)
    if left.kind == "index_expression" then
      -- A slice after an index is not projected here: Python's library has it so.
      return chain("index_expression", left, right)
    end
    return index_of(state, left, right)
  end
  match(state, "star", "a number, ':' or '*'")
  match(state, "rbracket", "']'")
  return { kind = "projection", left = left, right = projected(state, POWER.star) }
end

--- The tree of an expression; raises ParseError and its kin.
---@param text string
---@return table
function parser.parse(text)
  local state = { expression = text, tokens = lexer.tokenize(text), i = 1, depth = 0 }
  local tree = expression(state, 0)
  if current(state) ~= "eof" then
    unexpected(state, token(state))
  end
  return tree
end

return parser
