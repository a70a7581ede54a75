-- Conditions on items and the expressions that they become. The fixture is what boto3 makes of random
-- conditions; each tree is a method's name and its operands.
local conditions = require("luaws").dynamodb
local expression = require("luaws.dynamodb.expression")
local json = require("luaws.jmespath.json")

local Key, Attr = conditions.Key, conditions.Attr

local function read_fixtures(path)
  local file <close> = assert(io.open(path))
  local ok, value = json.decode(file:read("a"))
  assert(ok, value)
  return value
end

local JOINED = {
  ["and"] = function(a, b) return a & b end,
  ["or"] = function(a, b) return a | b end,
  ["not"] = function(a) return ~a end,
}

local function make(tree)
  local kind = tree[1]
  if kind == "value" then
    return tree[2]
  elseif kind == "Key" or kind == "Attr" then
    return conditions[kind](tree[2])
  elseif JOINED[kind] then
    return JOINED[kind](make(tree[2]), tree[3] and make(tree[3]))
  elseif kind == "is_in" then
    return make(tree[2]):is_in(tree[3])
  end
  local subject = make(tree[2])
  return subject[kind](subject, tree[3] and make(tree[3]), tree[4] and make(tree[4]))
end

local function build(condition, for_key)
  local builder = expression.builder()
  return { builder:build(condition, for_key), builder.names, builder.values }
end

local function error_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("conditions", function()
  it("become the expressions that boto3 makes of them", function()
    for _, case in ipairs(read_fixtures("spec/fixtures/dynamodb/conditions.json")) do
      local built = build(make(case.tree), case.key)
      assert.equal(case.expression, built[1])
      assert.same(case.names, built[2])
      assert.same(case.values, built[3])
    end
  end)

  it("have a placeholder for every name and value", function()
    local cases = {
      { Key("id"):eq("a"), "#n0 = :v0", { ["#n0"] = "id" }, { [":v0"] = "a" } },
      { Attr("a.b[0].c"):ne(1), "#n0.#n1[0].#n2 <> :v0", { ["#n0"] = "a", ["#n1"] = "b", ["#n2"] = "c" },
        { [":v0"] = 1 } },
      { Attr("a"):is_in { 1, 2 }, "#n0 IN (:v0, :v1)", { ["#n0"] = "a" }, { [":v0"] = 1, [":v1"] = 2 } },
      { Attr("a"):is_in(conditions.set { "x" }), "#n0 IN (:v0)", { ["#n0"] = "a" }, { [":v0"] = "x" } },
      { Attr("a"):size():between(1, 2), "size(#n0) BETWEEN :v0 AND :v1", { ["#n0"] = "a" },
        { [":v0"] = 1, [":v1"] = 2 } },
      { ~Attr("a"):exists(), "(NOT attribute_exists(#n0))", { ["#n0"] = "a" }, {} },
      { Attr("a"):eq(Attr("b")), "#n0 = #n1", { ["#n0"] = "a", ["#n1"] = "b" }, {} },
      { Attr("a"):eq(false), "#n0 = :v0", { ["#n0"] = "a" }, { [":v0"] = false } },
    }
    for _, case in ipairs(cases) do
      assert.same({ case[2], case[3], case[4] }, build(case[1]))
    end
  end)

  it("are joined by And, Or and Not as by & | ~", function()
    local a, b, c = Attr("a"):eq(1), Attr("b"):eq(2), Key("c"):eq(3)
    assert.equal(build(a & b | ~c)[1], build(conditions.Or(conditions.And(a, b), conditions.Not(c)))[1])
    assert.equal("((#n0 = :v0 AND #n1 = :v1) AND #n2 = :v2)", build(conditions.And(a, b, c))[1])
  end)

  it("are equal when they say the same", function()
    local function both() return Attr("a"):eq(1) & Attr("b"):is_in { 1, 2 } end
    assert.is_true(both() == both())
    assert.is_false(Attr("a"):eq(1) == Key("a"):eq(1))
    assert.is_false(Attr("a"):eq(1) == Attr("a"):eq(2))
    assert.is_false(Attr("a"):is_in { 1 } == Attr("a"):is_in { 1, 2 })
    assert.is_true(Attr("a"):size() == Attr("a"):size())
    assert.is_true(Attr("a") == Attr("a"))
  end)

  it("refuse what is no condition", function()
    local condition = Attr("a"):eq(1)
    local cases = {
      { "DynamoDBOperationNotSupportedError", "AND", function() return Attr("a") & condition end },
      { "DynamoDBOperationNotSupportedError", "OR", function() return Attr("a") | condition end },
      { "DynamoDBOperationNotSupportedError", "NOT", function() return ~Attr("a") end },
      { "DynamoDBOperationNotSupportedError", "AND", function() return condition & 5 end },
      { "DynamoDBOperationNotSupportedError", "OR", function() return condition | Key("b") end },
      { "DynamoDBOperationNotSupportedError", "AND", function() return "text" & condition end },
      { "DynamoDBNeedsConditionError", 'Attr("a")', function() return build(Attr("a")) end },
      { "DynamoDBNeedsConditionError", "text", function() return build("text") end },
      { "DynamoDBNeedsKeyConditionError", "secret", function() return build(Attr("secret"):eq(1), true) end },
      { "DynamoDBNeedsKeyConditionError", "b",
        function() return build(Key("a"):eq(1) & Attr("b"):size():gt(1), true) end },
      { "TypeError", "eq() needs a value", function() return Attr("a"):eq(nil) end },
      { "TypeError", "between() needs a value", function() return Attr("a"):between(1) end },
      { "TypeError", "is_in() takes a sequence", function() return Attr("a"):is_in("abc") end },
      { "TypeError", "is_in() takes a sequence", function() return Attr("a"):is_in(condition) end },
      { "TypeError", "see its key x", function() return Attr("a"):is_in { x = 1 } end },
      { "TypeError", "see its key 3", function() return Attr("a"):is_in { 1, nil, 3 } end },
      { "TypeError", "name of an attribute", function() return Attr(1) end },
      { "TypeError", "is a method", function() return Attr("a").eq(1) end },
    }
    for _, case in ipairs(cases) do
      local err = error_of(case[3])
      assert.equal(case[1], err.kind)
      assert.is_truthy(err.message:find(case[2], 1, true), err.message)
    end
    for _, value in ipairs { Key("a"), Attr("a"):size() } do
      assert.equal("AttributeError", error_of(function() return value.size end).kind)
    end
  end)
end)
