--- JMESPath: picks values out of a response by an expression.
---
---     local jmespath = require("luaws.jmespath")
---     local ids = jmespath.search("Reservations[].Instances[].InstanceId", response)
---
--- Lua values stand for JSON as jmespath/values.lua tells: null is nil or cjson's null, an array is a
--- table with something at [1]. A result of null is nil. Within an array of the result null is
--- cjson's null where JMESPath keeps nulls ([a, b]); a member of an object that came out null is
--- absent. An empty table in a result carries __jsontype. Objects have no order of their own, so keys(),
--- values() and `*` go by sorted key.
---
--- What an expression means is what Python's jmespath 1.1 makes of it, but comparing a number with a
--- string by `<` and its kin, which breaks there, is null here as the specification has it.
local compiler = require("luaws.jmespath.compiler")
local errors = require("luaws.errors")
local methods = require("luaws.methods")
local parser = require("luaws.jmespath.parser")

local jmespath = {}

local Expression = {}
local expression_mt = { __name = "luaws.jmespath", __index = Expression }

-- Compiled expressions, in two halves: when the young half is full, the old one is forgotten.
local MAX_CACHED = 256
local young, old, young_count = {}, {}, 0

local function remember(text, compiled)
  if young_count >= MAX_CACHED then
    old, young, young_count = young, {}, 0
  end
  young[text] = compiled
  young_count = young_count + 1
end

--- What the expression finds in value.
---@param value any
---@return any
function Expression:search(value)
  return self._run(value)
end

methods.all("expression", expression_mt, Expression)

function expression_mt.__tostring(self)
  return ("jmespath '%s'"):format(self.expression)
end

--- Reads an expression once, to search with it many times. Raises ParseError or a kind of it.
---@param expression string
---@return table compiled has :search(value) and .expression
function jmespath.compile(expression)
  if type(expression) ~= "string" then
    errors.raise("TypeError", "a JMESPath expression is a string, not a %s", type(expression))
  end
  local compiled = young[expression]
  if compiled then
    return compiled
  end
  compiled = old[expression]
  if not compiled then
    compiled = setmetatable({
      expression = expression,
      _run = compiler.compile(parser.parse(expression), expression),
    }, expression_mt)
  end
  remember(expression, compiled)
  return compiled
end

--- What an expression finds in value; nil when nothing.
---@param expression string
---@param value any
---@return any
function jmespath.search(expression, value)
  return jmespath.compile(expression)._run(value)
end

return setmetatable(jmespath, { __index = require("luaws.nearest").no_such("aws.jmespath", jmespath) })
