local cjson = require("cjson")
local jmespath = require("luaws.jmespath")
local json = require("luaws.jmespath.json")

local null = cjson.null

local function read_fixtures(path)
  local file <close> = assert(io.open(path))
  local ok, value = json.decode(file:read("a"))
  assert(ok, value)
  return value
end

-- A document's own null members are no matter here.
local function without_nulls(value)
  if type(value) ~= "table" then
    return value
  end
  local copy = setmetatable({}, getmetatable(value) or { __jsontype = #value > 0 and "array" or "object" })
  for key, item in pairs(value) do
    if item ~= null or type(key) == "number" then
      copy[key] = without_nulls(item)
    end
  end
  return copy
end

local function outcome(expression, value)
  local ok, result = pcall(jmespath.search, expression, value)
  if ok then
    return json.encode(without_nulls(result))
  end
  assert.equal("table", type(result), tostring(result))
  return result.kind
end

local function error_of(expression, value)
  local ok, err = pcall(jmespath.search, expression, value)
  assert.is_false(ok)
  return err
end

describe("jmespath", function()
  for i, group in ipairs(read_fixtures("spec/fixtures/jmespath.json")) do
    it("finds what Python's library finds, document " .. i, function()
      for _, case in ipairs(group.cases) do
        local expected = case.error or json.encode(case.result)
        assert.equal(expected, outcome(case.expression, group.given), case.expression)
      end
    end)
  end

  it("reads a document of a megabyte in a moment", function()
    -- Looking for "true" went on to the end of the text at every number, which took minutes.
    local started = os.clock()
    local ok, numbers = json.decode("[" .. ("12345,"):rep(200000) .. "0]")
    assert.is_true(ok)
    assert.equal(200001, #numbers)
    assert.is_true(os.clock() - started < 20)
  end)

  it("takes nil, cjson's null and a missing member alike", function()
    local cases = {
      { "@", nil, "null" },
      { "@", null, "null" },
      { "a", { a = null }, "null" },
      { "a", {}, "null" },
      { "[*]", { 1, null, 2 }, "[1,2]" },
      { "[0]", { null, 1 }, "null" },
      { "[:2]", { null, 1, 2 }, "[1]" },
      { "a == b", { a = null }, "true" },
      { "[a, b]", { a = null }, "[null,null]" },
      { "type(a)", { a = null }, '"null"' },
      { "not_null(a, b)", { a = null, b = 2 }, "2" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[3], outcome(case[1], case[2]), case[1])
    end
    assert.is_nil(jmespath.search("a", { a = null }))
  end)

  it("takes an empty table for what __jsontype says, and for either without it", function()
    local list = setmetatable({}, { __jsontype = "array" })
    local map = setmetatable({}, { __jsontype = "object" })
    local cases = {
      { "[*]", {}, "[]" },
      { "*", {}, "[]" },
      { "keys(@)", {}, "[]" },
      { "sum(@)", {}, "0" },
      { "length(@)", {}, "0" },
      { "type(@)", {}, '"array"' },
      { "@ == `[]`", {}, "true" },
      { "@ == `{}`", {}, "true" },
      { "type(@)", list, '"array"' },
      { "type(@)", map, '"object"' },
      { "*", list, "null" },
      { "[*]", map, "null" },
      { "keys(@)", list, "JMESPathTypeError" },
      { "sum(@)", map, "JMESPathTypeError" },
      { "@ == `{}`", list, "false" },
      { "[*] | type(@)", {}, '"array"' },
      { "[@, {x: y}] | [1]", {}, "{}" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[3], outcome(case[1], case[2]), case[1])
    end
  end)

  it("marks the empty tables it returns", function()
    local function mark(expression, value)
      return getmetatable(jmespath.search(expression, value)).__jsontype
    end
    assert.same({ "array", "array", "object", "object", "object" }, {
      mark("[?a]", { 1 }), mark("`[]`"), mark("`{}`"), mark("{a: a}", { b = 1 }), mark("merge(@)", {}),
    })
  end)

  it("leaves null members out of the objects it makes, but counts them on the way", function()
    assert.same({ b = 1 }, jmespath.search("{a: x, b: y}", { y = 1 }))
    assert.same({ 2, { b = 1 } }, jmespath.search("[length({a: x, b: y}), {a: x, b: y}]", { y = 1 }))
    local document = { a = null, b = 1 }
    assert.same({ b = 1 }, jmespath.search("merge(@)", document))
    assert.equal(null, document.a)
  end)

  it("compares a number with a string as null", function()
    assert.equal("null", outcome("`1` < 'a'"))
    assert.equal("[]", outcome("[?@ > `1`]", { "a", "b" }))
  end)

  it("looks for nothing but a string in a string", function()
    assert.is_false(jmespath.search("contains('1', `1`)"))
  end)

  it("counts in characters, and in bytes where there are none", function()
    assert.equal("4", outcome("length(@)", "é日😀x"))
    assert.equal("x😀日é", jmespath.search("reverse(@)", "é日😀x"))
    assert.equal("2", outcome("length(@)", "\xFF\xFE"))
    assert.equal("\xFE\xFF", jmespath.search("reverse(@)", "\xFF\xFE"))
  end)

  it("keeps integers whole and turns to floats past 64 bits", function()
    assert.equal(9007199254740993, jmespath.search("sum(@)", { 9007199254740992, 1 }))
    assert.equal(2.0 ^ 63, jmespath.search("sum(@)", { math.maxinteger, 1 }))
    assert.equal(-2.0 ^ 63 - 2.0 ^ 62, jmespath.search("sum(@)", { math.mininteger, -(1 << 62) }))
    assert.equal("integer", math.type(jmespath.search("floor(`1.5`)")))
  end)

  it("orders strings by their code points, whatever the locale", function()
    local names, letters = {}, { "a", "Z", "é", "B", "日", "A", "z", "😀", "", "aB", "ab" }
    for _, letter in ipairs(letters) do
      names[letter] = true
    end
    local sorted = { "", "A", "B", "Z", "a", "aB", "ab", "z", "é", "日", "😀" }
    local locale = os.setlocale(nil, "collate")
    for _, other in ipairs { "C", "C.UTF-8", "en_US.UTF-8", "de_DE.UTF-8" } do
      os.setlocale(other, "collate")
      local found = { jmespath.search("sort(@)", letters), jmespath.search("keys(@)", names),
        jmespath.search("'Z' < 'a'"), jmespath.search("max(@)", letters) }
      os.setlocale(locale, "collate")
      assert.same({ sorted, sorted, true, "😀" }, found)
    end
  end)

  it("goes through objects by sorted key", function()
    local document = {}
    for i = 1, 50 do
      document[("k%02d"):format(i)] = i
    end
    local list = jmespath.search("*", document)
    assert.same(list, jmespath.search("values(@)", document))
    for i = 1, 50 do
      assert.equal(i, list[i])
    end
  end)

  it("does not change what it searches", function()
    local document = { list = { 3, 1, 2 }, o = { b = 1 } }
    for _, expression in ipairs {
      "sort(list)", "reverse(list)", "merge(o, `{\"c\": 1}`)", "list[]", "sort_by(list, &@)", "list[::-1]",
    } do
      jmespath.search(expression, document)
    end
    assert.same({ list = { 3, 1, 2 }, o = { b = 1 } }, document)
  end)

  it("says where an expression goes wrong", function()
    local cases = {
      { "a.b.%", "LexerError", 4, "unexpected '%' at column 5 of 'a.b.%'" },
      { '"é"."日".%', "LexerError", 8, "unexpected '%' at column 9 of '\"é\".\"日\".%'" },
      { "a b", "ParseError", 2, "unexpected 'b' at column 3 of 'a b'" },
      { "a[0", "IncompleteExpressionError", 3, "the expression ends too early at column 4 of 'a[0'" },
      { "foo.`1`", "ParseError", 4,
        "a name, '*', '[' or '{' expected after '.', not a literal at column 5 of 'foo.`1`'" },
      { "'abc", "LexerError", 0, "no closing ' for the one at column 1 of ''abc'" },
      { "abs(@)", "JMESPathTypeError", nil, "abs() takes a number, not null, at column 1 of 'abs(@)'" },
      { "a || abs()", "ArityError", nil, "abs() takes 1 argument, not 0, at column 6 of 'a || abs()'" },
      { "merge()", "VariadictArityError", nil,
        "merge() takes at least 1 argument, not 0, at column 1 of 'merge()'" },
      { "nope(@)", "UnknownFunctionError", nil, "no function nope(), called at column 1 of 'nope(@)'" },
      { "sum(`[1, \"a\"]`)", "JMESPathTypeError", nil,
        "sum() takes an array of numbers, not an array with string in it, "
          .. "at column 1 of 'sum(`[1, \"a\"]`)'" },
      { ("é"):rep(150), "LexerError", 0, "unexpected 'é' at column 1 of '" .. ("é"):rep(100) .. "…'" },
    }
    for _, case in ipairs(cases) do
      local err = error_of(case[1])
      assert.same({ case[2], case[3], case[4] }, { err.kind, err.lex_position, err.message })
      assert.is_true(err:is("JMESPathError"))
    end
  end)

  it("refuses what is no expression at all", function()
    assert.equal("EmptyExpressionError", error_of("").kind)
    assert.equal("TypeError", error_of(nil).kind)
    assert.equal("TypeError", error_of({}).kind)
  end)

  it("survives expressions and literals nested without end", function()
    local cases = {
      { ("("):rep(100000), "ParseError" },
      { ("!"):rep(100000) .. "a", "ParseError" },
      { "`" .. ("["):rep(100000) .. "\"`", "LexerError" },
      { "a" .. (".a"):rep(20000), "null" },
      { "a" .. ("[0]"):rep(20000), "null" },
      { "a" .. ("|a"):rep(5000), "null" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], outcome(case[1], {}), case[1]:sub(1, 20))
    end
  end)

  it("compiles once what is searched often", function()
    local compiled = jmespath.compile("a.b")
    assert.equal(compiled, jmespath.compile("a.b"))
    assert.equal("a.b", compiled.expression)
    assert.equal(1, compiled:search { a = { b = 1 } })
    assert.equal("jmespath 'a.b'", tostring(compiled))
    for i = 1, 2000 do
      jmespath.compile("a" .. i)
    end
    assert.are_not.equal(compiled, jmespath.compile("a.b"))
  end)

  it("stays usable after an error in the middle of a search", function()
    error_of("[{a: x}, abs('x')]", { y = 1 })
    assert.same({ y = 1 }, jmespath.search("@", { y = 1 }))
  end)
end)
