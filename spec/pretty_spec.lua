local errors = require("luaws.errors")
local null = require("cjson").null
local pretty = require("luaws.pretty")

describe("pretty", function()
  it("shows plain values as Lua writes them", function()
    local cases = {
      { nil, "nil" },
      { null, "null" },
      { true, "true" },
      { 12, "12" },
      { math.mininteger, "-9223372036854775808" },
      { 1.0, "1.0" },
      { 0.1, "0.1" },
      { 0.1 + 0.2, "0.30000000000000004" },
      { 1 / 0, "inf" },
      { "", '""' },
      { 'say "hi"\n\\', [["say \"hi\"\n\\"]] },
      { "é日😀", '"é日😀"' },
      { "\27[31m", [["\x1B[31m"]] },
      { "\u{9B}31m", [["\u{9B}31m"]] },
      { "\0\1\255\"", [["\x00\x01\xFF\""]] },
      { ("\255"):rep(25), "<25 bytes>" },
      { print, "<function>" },
      { io.stdout, tostring(io.stdout) },
      { {}, "{}" },
      { setmetatable({}, { __jsontype = "array" }), "{}" },
      { setmetatable({ secret = 1 }, { __name = "luaws.session" }), "<luaws.session>" },
      { setmetatable({}, { __tostring = function() return "s3.Bucket('b')" end }), "s3.Bucket('b')" },
      { errors.new("IOError", "it is gone", { advice = "; look for it" }), "it is gone; look for it" },
    }
    for i, case in ipairs(cases) do
      assert.equal(case[2], pretty(case[1]), "case " .. i)
    end
  end)

  it("keeps a short table on one line", function()
    assert.equal("{ 1, 2, { a = 1 } }", pretty { 1, 2, { a = 1 } })
    assert.equal('{ 1, ["a b"] = 2, ["end"] = 3, z = 4, [true] = 5 }',
      pretty { 1, ["a b"] = 2, ["end"] = 3, z = 4, [true] = 5 })
    assert.equal("{ a = 1, z = 2, ResponseMetadata = {} }", pretty { ResponseMetadata = {}, a = 1, z = 2 })
  end)

  it("lays a long one out with its keys aligned", function()
    local response = {
      Buckets = { { Name = "a", CreationDate = 1 }, { Name = ("b"):rep(60), CreationDate = 22222 } },
      Owner = { ID = "o" },
      ResponseMetadata = { HTTPStatusCode = 200 },
    }
    assert.equal([[
{
  Buckets          = {
    { CreationDate = 1, Name = "a" },
    {
      CreationDate = 22222,
      Name         = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    },
  },
  Owner            = { ID = "o" },
  ResponseMetadata = { HTTPStatusCode = 200 },
}]], pretty(response))
  end)

  it("keeps its lines within the width where strings allow", function()
    local list = {}
    for i = 1, 30 do
      list[i] = { id = i, name = ("n"):rep(i % 20), tags = { "a", "b", ("c"):rep(i % 7) } }
    end
    for _, width in ipairs { 40, 60, 80, 120 } do
      for line in pretty({ wrapped = { list = list } }, { width = width }):gmatch("[^\n]+") do
        assert.is_true(#line <= width, line)
      end
    end
  end)

  it("cuts what is long and says how much more there is", function()
    assert.equal('"aaaaa" … 15 more bytes', pretty(("a"):rep(20), { max_string = 5 }))
    assert.equal('"éé" … 36 more bytes', pretty(("é"):rep(20), { max_string = 5 }))
    assert.equal("{\n  1,\n  2,\n  … 3 more\n}", pretty({ 1, 2, 3, 4, 5 }, { max_items = 2 }))
    assert.equal("{\n  a = 1,\n  b = 2,\n  … 1 more\n}", pretty({ a = 1, b = 2, c = 3 }, { max_items = 2 }))
    assert.equal("{ { { … 2 more } } }", pretty({ { { 1, 2 } } }, { max_depth = 2 }))
    local list = {}
    for i = 1, 90 do
      list[i] = i
    end
    assert.equal("{\n  1,\n… 90 more lines", pretty(list, { max_lines = 3 }))
    assert.equal("{ 1 }", pretty({ 1 }, { max_lines = 1 }))
  end)

  it("stops at cycles and shows what is shared twice", function()
    local cycle = {}
    cycle.self = cycle
    assert.equal("{ self = <cycle> }", pretty(cycle))
    local shared = { 1 }
    assert.equal("{ { 1 }, { 1 } }", pretty { shared, shared })
  end)

  it("colors keys and values when asked to, without changing the layout", function()
    local value = { a = 1, b = "s", c = { true, null, print }, d = ("x"):rep(90) }
    local colored = pretty(value, { color = true, max_string = 80 })
    assert.is_truthy(colored:find("\27[32m\"s\"\27[0m", 1, true))
    assert.equal(pretty(value, { max_string = 80 }), (colored:gsub("\27%[%d*m", "")))
  end)
end)
