local fake = require("spec.support.fake_client")
package.loaded["luaws.core"] = fake.core
local json = require("luaws.jmespath.json")
local page_token = require("luaws.page_token")
local paginate = require("luaws.paginate")
local values = require("luaws.jmespath.values")

local function read_fixture(name)
  local file <close> = assert(io.open("spec/fixtures/" .. name))
  local ok, value = json.decode(file:read("a"))
  assert(ok, value)
  return value
end

local function deep_copy(value)
  if type(value) ~= "table" then
    return value
  end
  local copy = {}
  for key, item in pairs(value) do
    copy[key] = deep_copy(item)
  end
  return setmetatable(copy, getmetatable(value))
end

local function list_of(iterator)
  local out = {}
  for item in iterator do
    out[#out + 1] = item
  end
  return out
end

local function things(answer)
  fake.models.paginators = { svc = { pagination = { ListThings = {
    input_token = "Marker", output_token = "NextMarker", result_key = "Things", limit_key = "Max",
  }, ListOdd = { input_token = "Marker", output_token = "NextMarker", result_key = "Things" } } } }
  return fake.client("svc", {
    operations = {
      ListThings = { input = "In", output = "Out" },
      ListOdd = { input = "In", output = "Out" },
      GetThing = { input = "In", output = "Out" },
    },
    shapes = {
      In = { type = "structure", members = { Max = "Text", Marker = "Key" } },
      Text = { type = "string" },
      Key = { type = "map", value = "Value" },
      Value = { type = "structure", members = { B = "Blob", S = "Text" } },
      Blob = { type = "blob" },
    },
  }, answer)
end

local function three_pages()
  return things(function(_, params)
    if params.Marker == nil then
      return { Things = { "a", "b" }, NextMarker = "m1" }
    elseif params.Marker == "m1" then
      return { Things = { "c", "d" }, NextMarker = "m2" }
    end
    return { Things = { "e" } }
  end)
end

local function names(pages)
  local out = {}
  for page in pages do
    out[#out + 1] = table.concat(page.Things)
  end
  return table.concat(out, " ")
end

describe("paginator", function()
  describe("does what botocore does", function()
    local function run(case, mode)
      local got = { requests = {} }
      local function call(params)
        got.requests[#got.requests + 1] = deep_copy(params)
        return deep_copy(case.pages[math.min(#got.requests, #case.pages)])
      end
      local model = { shape = function(_, name) return { type = name } end }
      local input = { type = "structure", members = case.members }
      local params = deep_copy(case.params)
      params.PaginationConfig = deep_copy(case.paging)
      local ok, err = pcall(function()
        local pages = paginate.new("m", call, case.config, model, input):paginate(params)
        if mode == "pages" then
          got.got = {}
          for page in pages do
            got.got[#got.got + 1] = page
          end
        elseif mode == "full" then
          got.full = pages:build_full_result()
        else
          got.iters = {}
          for i, iterator in ipairs(pages:result_key_iters()) do
            got.iters[i] = list_of(iterator)
          end
        end
        got.token, got.nonagg = pages.resume_token, pages.non_aggregate_part
      end)
      if not ok then
        assert(type(err) == "table", err)
        got.error, got.text = err.kind, tostring(err)
      end
      return got
    end

    local function read_token(text)
      return text and select(2, json.decode(fake.core.base64_decode(text)))
    end

    -- A member set to None is an absent one here, so a map of such is empty or absent.
    local function without_empty(value)
      if type(value) ~= "table" then
        return value
      end
      local copy = {}
      for key, item in pairs(value) do
        item = without_empty(item)
        if type(key) == "number" or type(item) ~= "table" or next(item) ~= nil then
          copy[key] = item
        end
      end
      return copy
    end

    it("for every row of pages in paginate.json", function()
      local checks = 0
      for i, case in ipairs(read_fixture("paginate.json")) do
        for mode, want in pairs(case.want) do
          local got = run(case, mode)
          for _, side in ipairs { want, got } do
            side.token = read_token(side.token)
            if side.full then
              side.full.NextToken = read_token(side.full.NextToken)
            end
          end
          for key, value in pairs(want) do
            if not (want.error and (key == "full" or key == "iters")) then
              local a, b = without_empty(value), without_empty(got[key])
              local where = ("case %d %s %s: %s, not %s"):format(i, mode, key, json.encode(b), json.encode(a))
              assert(b == nil and next(a) == nil or values.same(a, b), where)
              checks = checks + 1
            end
          end
        end
      end
      assert.equal(835, checks)
    end)
  end)

  it("gives the same pages when iterated twice, and does not touch the caller's parameters", function()
    local client = three_pages()
    local params = { Name = "n", PaginationConfig = { PageSize = 2 } }
    local pages = paginate.get(client, "list_things"):paginate(params)
    assert.equal("ab cd e", names(pages))
    assert.equal("ab cd e", names(pages))
    assert.same({ Name = "n", PaginationConfig = { PageSize = 2 } }, params)
    assert.same({ "list_things", { Name = "n", Max = "2" } }, client.calls[1])
    assert.same(client.calls[1], client.calls[4])
  end)

  it("can be iterated within itself and left early", function()
    local pages = paginate.get(three_pages(), "list_things"):paginate()
    local seen = {}
    for outer in pages do
      for inner in pages do
        seen[#seen + 1] = outer.Things[1] .. inner.Things[1]
        if inner.Things[1] == "c" then
          break
        end
      end
    end
    assert.equal("aa ac ca cc ea ec", table.concat(seen, " "))
  end)

  it("asks for a page only when it is wanted", function()
    local client = three_pages()
    local pages = paginate.get(client, "list_things"):paginate()
    assert.equal(0, #client.calls)
    pages(nil, nil)
    assert.equal(1, #client.calls)
  end)

  it("goes on from a resume token where MaxItems stopped it", function()
    local paginator = paginate.get(three_pages(), "list_things")
    local rows, token = {}, nil
    repeat
      local pages = paginator:paginate { PaginationConfig = { MaxItems = 3, StartingToken = token } }
      rows[#rows + 1] = names(pages)
      token = pages.resume_token
    until not token
    assert.same({ "ab c", "d e" }, rows)
  end)

  it("hands out what an expression finds and passes over pages where it finds nothing", function()
    local pages = paginate.get(three_pages(), "list_things"):paginate()
    assert.same({ "a", "b", "c", "d", "e" }, list_of(pages:search("Things[]")))
    assert.same({ "m1", "m2" }, list_of(pages:search("NextMarker")))
    assert.same({ 2, 2, 1 }, list_of(pages:search("length(Things)")))
    assert.same({}, list_of(pages:search("Nothing")))
  end)

  it("keeps the results of all pages where the first page's extras hold them too", function()
    -- devops-guru's GetResourceCollection: the extras once put the first page's list over all of them.
    local pages = paginate.new("m", function(params)
      local part = { Names = { params.M and "b" or "a" }, Kind = params.M or "first" }
      return { R = part, N = not params.M and "n" }
    end, { input_token = "M", output_token = "N", result_key = "R.Names", non_aggregate_keys = { "R" } })
    assert.same({ R = { Names = { "a", "b" }, Kind = "first" } }, pages:paginate():build_full_result())
  end)

  it("shares the requests between result_key_iters", function()
    local calls = 0
    local paginator = paginate.new("m", function(params)
      calls = calls + 1
      return params.M and { A = { 3 }, B = { "z" } } or { A = { 1, 2 }, B = { "x", "y" }, N = "n" }
    end, { input_token = "M", output_token = "N", result_key = { "A", "B" } })
    local a, b = table.unpack(paginator:paginate():result_key_iters())
    assert.equal("A", a.result_key)
    assert.same({ 1, 2, 3 }, list_of(a))
    assert.same({ "x", "y", "z" }, list_of(b))
    assert.equal(2, calls)
  end)

  it("raises for what cannot be paged, and names the nearest operation for what is not there", function()
    local client = things {}
    assert.is_true(paginate.can_paginate(client, "list_things"))
    assert.is_false(paginate.can_paginate(client, "get_thing"))
    local cases = {
      { "get_thing", "OperationNotPageableError", "Operation cannot be paginated: get_thing" },
      { "list_thing", "KeyError", "no 'list_thing'; did you mean 'list_things'?" },
    }
    for _, case in ipairs(cases) do
      local _, err = pcall(paginate.get, client, case[1])
      assert.same({ case[2], case[3] }, { err.kind, tostring(err) })
    end
  end)

  it("refuses a PageSize without a limit key and a MaxItems that is no number", function()
    local client = things {}
    local cases = {
      { "list_odd", { PageSize = 1 }, "PaginationError", "Error during pagination: PageSize parameter is not "
        .. "supported for the pagination interface for this operation." },
      { "list_things", { MaxItems = "many" }, "ValueError", "invalid value for MaxItems: 'many'" },
    }
    for _, case in ipairs(cases) do
      local paginator = paginate.get(client, case[1])
      local _, err = pcall(paginator.paginate, paginator, { PaginationConfig = case[2] })
      assert.same({ case[3], case[4] }, { err.kind, tostring(err) })
    end
  end)

  it("stops when the service gives the same token twice", function()
    local pages = paginate.get(things(function()
      return { Things = { "x" }, NextMarker = "same" }
    end), "list_things"):paginate()
    local seen = 0
    local _, err = pcall(function()
      for _ in pages do
        seen = seen + 1
      end
    end)
    assert.equal(2, seen)
    assert.equal("Error during pagination: The same next token was received twice: {'Marker': 'same'}",
      tostring(err))
  end)

  it("keeps byte strings in tokens as botocore does", function()
    local model = things({}).meta.service_model
    local shape = model:shape("In")
    local token = { Marker = { k = { B = "\0\xFF" }, t = { B = "text" }, s = { S = "text" } } }
    local text = page_token.encode({ "Marker" }, token, 2, model, shape)
    local _, plain = json.decode(fake.core.base64_decode(text))
    table.sort(plain.boto_encoded_keys, function(a, b) return a[2] < b[2] end)
    assert.same({
      Marker = { k = { B = "AP8=" }, t = { B = "dGV4dA==" }, s = { S = "text" } },
      boto_truncate_amount = 2,
      boto_encoded_keys = { { "Marker", "k", "B" }, { "Marker", "t", "B" } },
    }, plain)
    assert.same({ token, 2 }, { page_token.decode(text, { "Marker" }) })
  end)

  it("reads tokens that botocore wrote and takes others for the service's own", function()
    local encode = fake.core.base64_encode
    local cases = {
      { encode('{"Marker": {"key": {"B": "AP8="}}, "boto_truncate_amount": 1, '
        .. '"boto_encoded_keys": [["Marker", "key", "B"]]}'), { Marker = { key = { B = "\0\xFF" } } }, 1 },
      { encode('{"Marker": null, "boto_truncate_amount": 4}'), {}, 4 },
      { encode('{"Marker": "m"}'), { Marker = "m" }, 0 },
      { encode('{"v": 2}'), { Marker = encode('{"v": 2}') }, 0 },
      { encode("123"), { Marker = encode("123") }, 0 },
      { "m___5", { Marker = "m" }, 5 },
      { "None___5", {}, 5 },
      { "m___x", { Marker = "m___x" }, 0 },
      { "m", { Marker = "m" }, 0 },
    }
    for _, case in ipairs(cases) do
      assert.same({ case[2], case[3] }, { page_token.decode(case[1], { "Marker" }) })
    end
    local _, err = pcall(page_token.decode, "a___b___1___2", { "Marker", "Id" })
    assert.equal("Bad starting token: a___b___1___2", tostring(err))
  end)
end)
