-- Of fuzz_jmespath: the first line is an expression, the rest the JSON that is searched. Whatever they are,
-- an error is one of luaws's, and what was found is JSON again.
local errors = require("luaws.errors")
local jmespath = require("luaws.jmespath")
local json = require("luaws.jmespath.json")

local function ours(ok, ...)
  if not ok then
    assert(errors.is_error(...), (...))
    assert((...):is("ValueError"), (...).kind)
  end
  return ok, ...
end

return function(bytes)
  local expression, document = bytes:match("^([^\n]*)\n?(.*)$")
  local ok, value = json.decode(document)
  if not ok then
    assert(type(value) == "string" and not value:find(".lua:", 1, true), value)
    value = { a = { { b = 1, c = "x" }, { b = 2.5 }, { b = -1 } }, ["é"] = "é", n = { 3, 1, 2 } }
  end
  local compiled
  ok, compiled = ours(pcall(jmespath.compile, expression))
  if not ok then
    return
  end
  local result
  ok, result = ours(pcall(compiled.search, compiled, value))
  if ok and type(result) ~= "function" then
    json.encode(result)
  end
end
