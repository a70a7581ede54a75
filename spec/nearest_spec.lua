local nearest = require("luaws.nearest")

local S3 = {
  "list_buckets", "list_objects", "list_objects_v2", "put_object", "get_object", "get_object_acl",
  "create_bucket", "list_parts", "list_multipart_uploads",
}

describe("nearest", function()
  it("names what was probably meant", function()
    local cases = {
      { "list_bukets", "no 'list_bukets'; did you mean 'list_buckets'?" },
      { "ListBuckets", "no 'ListBuckets'; did you mean 'list_buckets'?" },
      { "listbuckets", "no 'listbuckets'; did you mean 'list_buckets'?" },
      { "lits_buckets", "no 'lits_buckets'; did you mean 'list_buckets'?" },
      { "buckets_list", "no 'buckets_list'; did you mean 'list_buckets'?" },
      { "list_object", "no 'list_object'; did you mean 'list_objects' or 'list_objects_v2'?" },
      { "list", "no 'list'; did you mean 'list_parts', 'list_buckets' or 'list_objects'?" },
      { "get_object_acls", "no 'get_object_acls'; did you mean 'get_object_acl' or 'get_object'?" },
      { "put", "no 'put'; did you mean 'put_object'?" },
      { "zzz", "no 'zzz'" },
      { "", "no ''" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], nearest.message(case[1], S3))
    end
  end)

  it("gives at most three names, nearest first, each once", function()
    assert.same({ "list_buckets" }, nearest.find("list_bucket", { "list_buckets", "list_buckets" }))
    assert.equal(3, #nearest.find("abcd", { "abcde", "abcdf", "abcdg", "abcdh" }))
    assert.same({}, nearest.find("abcd", {}))
  end)

  it("counts changes, additions, omissions and swaps", function()
    local cases = {
      { "abc", "abc", 0 }, { "abc", "abd", 1 }, { "abc", "abcd", 1 }, { "abc", "ab", 1 },
      { "abc", "acb", 1 }, { "abc", "cab", 2 }, { "", "abc", 3 }, { "kitten", "sitting", 3 },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[3], nearest.distance(case[1], case[2], 10), case[1] .. " " .. case[2])
      assert.equal(case[3], nearest.distance(case[2], case[1], 10), case[2] .. " " .. case[1])
    end
    assert.is_true(nearest.distance("abcdef", "uvwxyz", 2) > 2)
  end)
end)
