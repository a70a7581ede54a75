--- Turns the tree of an expression into one Lua function, so that nothing is looked up by name while
--- it runs. Such a function takes a value and returns one, with null as nil on both sides; within
--- arrays and objects null is cjson's null.
local errors = require("luaws.errors")
local functions = require("luaws.jmespath.functions")
local lexer = require("luaws.jmespath.lexer")
local values = require("luaws.jmespath.values")

local null = values.null
local is_array, is_object, is_false = values.is_array, values.is_object, values.is_false
local close_array = values.close_array

local compiler = {}

local KINDS = {}

local function compile(node, context)
  return KINDS[node.kind](node, context)
end

-- Objects made on the way to a result in which null stands for a member: length() and == must see
-- that member, but in the result it is simply absent.
local with_nulls

local function forget_nulls(object)
  with_nulls = with_nulls or {}
  with_nulls[#with_nulls + 1] = object
end

local function drop_nulls(objects)
  for _, object in ipairs(objects) do
    for key, value in pairs(object) do
      if value == null then
        object[key] = nil
      end
    end
    values.close_object(object)
  end
end

function KINDS.identity()
  return function(value) return value end
end

function KINDS.literal(node)
  local literal = node.value
  if literal == null then
    literal = nil
  end
  return function() return literal end
end

function KINDS.field(node)
  local name = node.name
  return function(value)
    if type(value) == "table" then
      local member = value[name]
      if member ~= null then
        return member
      end
    end
  end
end

local function run_in_turn(node, context)
  local steps = {}
  for i, child in ipairs(node.children) do
    steps[i] = compile(child, context)
  end
  local n, first, second, third = #steps, steps[1], steps[2], steps[3]
  if n == 2 then
    return function(value) return second(first(value)) end
  elseif n == 3 then
    return function(value) return third(second(first(value))) end
  end
  return function(value)
    for i = 1, n do
      value = steps[i](value)
    end
    return value
  end
end

KINDS.subexpression = run_in_turn
KINDS.index_expression = run_in_turn

function KINDS.pipe(node, context)
  local left, right = compile(node.left, context), compile(node.right, context)
  return function(value) return right(left(value)) end
end

function KINDS.index(node)
  local index = node.index
  return function(value)
    if not is_array(value) then
      return nil
    end
    local item = value[index < 0 and #value + 1 + index or index + 1]
    if item ~= null then
      return item
    end
  end
end

local function bound(index, n, default, low, high)
  if index == nil then
    return default
  elseif index < 0 then
    index = index + n
  end
  return math.max(low, math.min(high, index))
end

function KINDS.slice(node, context)
  local step = node.step or 1
  return function(value)
    if not is_array(value) then
      return nil
    elseif step == 0 then
      errors.raise("ValueError", "the step of a slice cannot be zero in '%s'", context.expression)
    end
    local n = #value
    local from, to
    if step > 0 then
      from, to = bound(node.from, n, 0, 0, n), bound(node.to, n, n, 0, n) - 1
    else
      from, to = bound(node.from, n, n - 1, -1, n - 1), bound(node.to, n, -1, -1, n - 1) + 1
    end
    local part = {}
    for i = from, to, step do
      part[#part + 1] = value[i + 1]
    end
    return close_array(part)
  end
end

function KINDS.flatten(node, context)
  local child = compile(node.child, context)
  return function(value)
    local base = child(value)
    if not is_array(base) then
      return nil
    end
    local flat, n = {}, 0
    for i = 1, #base do
      local item = base[i]
      if is_array(item) then
        table.move(item, 1, #item, n + 1, flat)
        n = n + #item
      else
        n = n + 1
        flat[n] = item
      end
    end
    return close_array(flat)
  end
end

function KINDS.projection(node, context)
  local left, right = compile(node.left, context), compile(node.right, context)
  return function(value)
    local base = left(value)
    if not is_array(base) then
      return nil
    end
    local collected, n = {}, 0
    for i = 1, #base do
      local item = base[i]
      if item == null then
        item = nil
      end
      item = right(item)
      if item ~= nil then
        n = n + 1
        collected[n] = item
      end
    end
    return close_array(collected)
  end
end

function KINDS.filter_projection(node, context)
  local left, right = compile(node.left, context), compile(node.right, context)
  local condition = compile(node.condition, context)
  return function(value)
    local base = left(value)
    if not is_array(base) then
      return nil
    end
    local collected, n = {}, 0
    for i = 1, #base do
      local item = base[i]
      if item == null then
        item = nil
      end
      if not is_false(condition(item)) then
        item = right(item)
        if item ~= nil then
          n = n + 1
          collected[n] = item
        end
      end
    end
    return close_array(collected)
  end
end

function KINDS.value_projection(node, context)
  local left, right = compile(node.left, context), compile(node.right, context)
  return function(value)
    local base = left(value)
    if not is_object(base) then
      return nil
    end
    local collected, n = {}, 0
    for _, key in ipairs(values.sorted_keys(base)) do
      local member = base[key]
      if member == null then
        member = nil
      end
      member = right(member)
      if member ~= nil then
        n = n + 1
        collected[n] = member
      end
    end
    return close_array(collected)
  end
end

function KINDS.multi_select_list(node, context)
  local children = {}
  for i, child in ipairs(node.children) do
    children[i] = compile(child, context)
  end
  return function(value)
    if value == nil then
      return nil
    end
    local list = {}
    for i = 1, #children do
      local item = children[i](value)
      if item == nil then
        item = null
      end
      list[i] = item
    end
    return list
  end
end

function KINDS.multi_select_hash(node, context)
  local names, children = node.names, {}
  for i, child in ipairs(node.children) do
    children[i] = compile(child, context)
  end
  return function(value)
    if value == nil then
      return nil
    end
    local object, has_null = {}, false
    for i = 1, #children do
      local member = children[i](value)
      if member == nil then
        member, has_null = null, true
      end
      object[names[i]] = member
    end
    if has_null then
      forget_nulls(object)
    end
    return object
  end
end

KINDS["or"] = function(node, context)
  local left, right = compile(node.left, context), compile(node.right, context)
  return function(value)
    local result = left(value)
    if is_false(result) then
      return right(value)
    end
    return result
  end
end

KINDS["and"] = function(node, context)
  local left, right = compile(node.left, context), compile(node.right, context)
  return function(value)
    local result = left(value)
    if is_false(result) then
      return result
    end
    return right(value)
  end
end

KINDS["not"] = function(node, context)
  local child = compile(node.child, context)
  return function(value) return is_false(child(value)) end
end

local before = values.before
local ORDER = {
  lt = before,
  lte = function(a, b) return a == b or before(a, b) end,
  gt = function(a, b) return before(b, a) end,
  gte = function(a, b) return a == b or before(b, a) end,
}

function KINDS.comparator(node, context)
  local left, right, op = compile(node.left, context), compile(node.right, context), node.op
  if op == "eq" then
    return function(value) return values.equal(left(value), right(value)) end
  elseif op == "ne" then
    return function(value) return not values.equal(left(value), right(value)) end
  end
  local order = ORDER[op]
  return function(value)
    local a, b = left(value), right(value)
    local kind = type(a)
    if kind ~= type(b) or kind ~= "number" and kind ~= "string" then
      return nil
    end
    return order(a, b)
  end
end

function KINDS.expref(node, context)
  local child = compile(node.child, context)
  return function() return child end
end

local function arity_error(call, entry, given)
  local wanted = #entry.parameters
  error(errors.new(entry.variadic and "VariadictArityError" or "ArityError",
    ("%s() takes %s%d argument%s, not %d, at %s"):format(call.name, entry.variadic and "at least " or "",
      wanted, wanted == 1 and "" or "s", given, call.place), {
      function_name = call.name, expected_arity = wanted, actual_arity = given,
      expression = call.expression,
    }), 0)
end

-- A call in one place of an expression: what its errors say, and what its function may use.
local function new_call(node, context)
  return {
    name = node.name,
    expression = context.expression,
    place = lexer.place(context.expression, node.start),
    forget_nulls = forget_nulls,
  }
end

local function check_arguments(call, entry, given, ...)
  local parameters = entry.parameters
  if given ~= #parameters and not (entry.variadic and given > #parameters) then
    arity_error(call, entry, given)
  end
  for i = 1, given do
    local check = parameters[i] or parameters[#parameters]
    check(call, (select(i, ...)))
  end
  return entry.run(call, ...)
end

-- Checked while it runs, not before: a call that is never reached is no error.
function KINDS.call(node, context)
  local call, entry = new_call(node, context), functions[node.name]
  local arguments = {}
  for i, argument in ipairs(node.arguments) do
    arguments[i] = compile(argument, context)
  end
  local n, first = #arguments, arguments[1]
  if entry and n == 1 then
    return function(value) return check_arguments(call, entry, 1, (first(value))) end
  end
  return function(value)
    local given = {}
    for i = 1, n do
      given[i] = arguments[i](value)
    end
    if not entry then
      errors.raise("UnknownFunctionError", "no function %s(), called at %s", call.name, call.place)
    end
    return check_arguments(call, entry, n, table.unpack(given, 1, n))
  end
end

--- The function that an expression's tree stands for.
---@param tree table from parser.parse
---@param expression string the text, for errors
---@return function
function compiler.compile(tree, expression)
  local run = compile(tree, { expression = expression })
  return function(value)
    if value == null then
      value = nil
    end
    with_nulls = nil
    local result = run(value)
    if with_nulls then
      local objects = with_nulls
      with_nulls = nil
      drop_nulls(objects)
    end
    return result
  end
end

return compiler
