local param_path = require("luaws.param_path")

describe("param_path", function()
  it("puts values where boto3 puts them", function()
    local cases = {
      { { { "Bucket", "b" } }, { Bucket = "b" } },
      { { { "A.B.C", 1 }, { "A.D", 2 } }, { A = { B = { C = 1 }, D = 2 } } },
      { { { "Ids[0]", "i-1" } }, { Ids = { "i-1" } } },
      { { { "Ids[]", "i-1" }, { "Ids[]", "i-2" } }, { Ids = { "i-1", "i-2" } } },
      { { { "Ids[2]", "i" } }, { Ids = { {}, {}, "i" } } },
      {
        { { "Filters[0].Name", "n" }, { "Filters[0].Values[0]", "v" } },
        { Filters = { { Name = "n", Values = { "v" } } } },
      },
      {
        { { "Delete.Objects[].Key", "a" }, { "Delete.Objects[].Key", "b" } },
        { Delete = { Objects = { { Key = "a" }, { Key = "b" } } } },
      },
      {
        { { "Entries[*].Id", "a", 1 }, { "Entries[*].H", "x", 1 }, { "Entries[*].Id", "b", 2 } },
        { Entries = { { Id = "a", H = "x" }, { Id = "b" } } },
      },
      { { { "E[*].Id", "a" }, { "E[*].Id", "b" } }, { E = { { Id = "a" }, { Id = "b" } } } },
      { { { "A", 1 }, { "A[0]", 2 } }, { A = { 2 } } },
      { { { "A", false } }, { A = false } },
    }
    for i, case in ipairs(cases) do
      local params = {}
      for _, step in ipairs(case[1]) do
        assert.equal(params, param_path.build(params, step[1], step[2], step[3]))
      end
      assert.same(case[2], params, "case " .. i)
    end
  end)

  it("adds to what the caller gave", function()
    local params = { Filters = { { Name = "mine" } }, Delete = {} }
    param_path.build(params, "Filters[].Name", "theirs")
    param_path.build(params, "Delete.Quiet", true)
    assert.same({ Filters = { { Name = "mine" }, { Name = "theirs" } }, Delete = { Quiet = true } }, params)
  end)

  it("refuses what cannot hold the value", function()
    local ok, err = pcall(param_path.build, { A = "text" }, "A.B", 1)
    assert.same({ false, "TypeError" }, { ok, err.kind })
    ok, err = pcall(param_path.build, {}, "A[x]", 1)
    assert.same({ false, "ValueError" }, { ok, err.kind })
  end)
end)
