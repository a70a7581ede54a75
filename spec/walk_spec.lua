-- The whole walk takes minutes; a few operations of it are looked at every time.
describe("the walk over operations", function()
  local root = os.getenv("LUAWS_ROOT") or "."
  local build = os.getenv("LUAWS_BUILD") or root .. "/build"

  it("finds requests, answers and errors alike to botocore's in a sample", function()
    local pipe = assert(io.popen(("%s/scripts/walk --sample 300 --build %s 2>&1"):format(root, build)))
    local output = pipe:read("a")
    assert.is_true(pipe:close() or false, output)
    assert.matches("requests: 300 of 300 operations alike", output)
  end)
end)
