-- Conditions of handlers: calls that do not meet them do not stop for the handler.
local aws = require("luaws")
local core = require("luaws.core")
local events = require("luaws.events")
local hooks = require("luaws.hooks")
local server = require("spec.support.server")

local RESULT = "<ListBucketResult><Name>b</Name></ListBucketResult>"

describe("a handler with a condition", function()
  local peer
  setup(function()
    peer = server.start()
  end)
  before_each(function()
    peer:clear()
    peer:reply{ always = true }
  end)
  teardown(function()
    peer:stop()
  end)

  local function client(service)
    return aws.session{ _env = {}, _home = "/nowhere" }:client(service or "s3", { region_name = "us-east-1",
      endpoint_url = peer.url, aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret",
      config = { s3 = { addressing_style = "path" }, retries = { total_max_attempts = 1 } } })
  end

  -- Where the calls that fn makes stop for Lua.
  local function stops(fn)
    local seen = {}
    core.set_hooks(setmetatable({}, { __index = function(_, name)
      return function(...)
        if name ~= "plan" then
          seen[#seen + 1] = name == "run" and "run " .. select(3, ...) or name
        end
        return hooks[name](...)
      end
    end }))
    local ok, err = pcall(fn)
    core.set_hooks(hooks)
    assert.is_true(ok, err)
    return table.concat(seen, ", ")
  end

  it("is not called where it does not hold, and the call does not stop", function()
    local heard = {}
    local s3 = client()
    local function hear(event, condition, name)
      s3.meta.events:register(event, events.when(condition, function()
        heard[#heard + 1] = name
      end))
    end
    hear("before-parse.s3", { header = "x-mine" }, "header")
    hear("before-parse.s3", { error_document = true }, "document")
    hear("needs-retry.s3", { failed = true }, "failed")
    hear("before-parameter-build.s3", { param = "Prefix" }, "param")
    hear("before-parameter-build.s3", { odd_name = "Delimiter" }, "odd name")
    hear("before-parse.s3", { header = "x-mine", operation = function(model)
      return model.name == "HeadBucket"
    end }, "operation")
    local cases = {
      { {}, {}, {} },
      { { headers = { ["X-Mine"] = "1" } }, {}, { "header" } },
      { { body = "<Error><Code>Mine</Code></Error>" }, {}, { "document" } },
      { { status = 404 }, {}, { "failed" } },
      { { status = 404, headers = { ["X-Mine"] = "1" } }, {}, { "header", "document", "failed" } },
      { {}, { Prefix = "p" }, { "param", "odd name" } },
      { {}, { Delimiter = "plain-Name_1." }, {} },
      { {}, { Delimiter = "/" }, { "param", "odd name" } },
      { {}, { Delimiter = "" }, { "param", "odd name" } },
      { {}, setmetatable({}, {}), { "param", "odd name" } },
    }
    for _, case in ipairs(cases) do
      local reply = case[1]
      reply.body = reply.body or RESULT
      peer:reply(reply)
      heard = {}
      case[2].Bucket = "b"
      pcall(s3.list_multipart_uploads, s3, case[2])
      -- One that is asked for of a stage is called with all others of it: a condition is no filter.
      local first = {}
      for _, name in ipairs(case[3]) do
        first[name] = true
      end
      for _, name in ipairs(heard) do
        first[name] = nil
      end
      assert.same({}, first)
      if #case[3] == 0 then
        assert.same({}, heard)
      end
    end
  end)

  it("hears of connections that failed", function()
    local failed = 0
    local s3 = aws.client("s3", { region_name = "us-east-1", endpoint_url = "http://127.0.0.1:1",
      aws_access_key_id = "a", aws_secret_access_key = "s",
      config = { retries = { total_max_attempts = 1 } } })
    s3.meta.events:register("needs-retry.s3", events.when({ failed = true }, function()
      failed = failed + 1
    end))
    assert.is_false(pcall(s3.list_buckets, s3))
    assert.equal(1, failed)
  end)

  it("is called all the same beside one without", function()
    peer:reply{ body = RESULT, always = true }
    local heard = {}
    local s3 = client()
    local conditional = events.when({ failed = true }, function()
      heard[#heard + 1] = "conditional"
    end)
    s3.meta.events:register("needs-retry.s3", conditional)
    s3.meta.events:register("needs-retry.s3.ListObjects", function()
      heard[#heard + 1] = "always"
    end)
    s3:list_objects{ Bucket = "b" }
    assert.same({ "always", "conditional" }, heard)
    s3.meta.events:unregister("needs-retry.s3", conditional)
    s3:list_objects{ Bucket = "b" }
    assert.same({ "always", "conditional", "always" }, heard)
  end)

  it("of parameters is asked for every call of a client that is unguarded", function()
    local heard = 0
    local s3, other = client(), client()
    for _, c in ipairs{ s3, other } do
      c.meta.events:register("before-parameter-build.s3", events.when({ param = "Nothing" }, function()
        heard = heard + 1
      end))
    end
    s3:head_bucket{ Bucket = "b" }
    core.client_unguard(s3)
    s3:head_bucket{ Bucket = "b" }
    other:head_bucket{ Bucket = "b" }
    assert.equal(1, heard)
  end)

  it("has a plan that outlives what is registered while the call is made", function()
    peer:reply{ body = RESULT, always = true }
    local s3, heard = client(), 0
    s3.meta.events:register("before-send.s3", function()
      for i = 1, 50 do
        s3.meta.events:register("before-send.s3", function() end, "id" .. i)
      end
      collectgarbage()
      collectgarbage()
    end)
    s3.meta.events:register("before-parse.s3", events.when({ header = "content-length" }, function()
      heard = heard + 1
    end))
    s3:list_objects{ Bucket = "b" }
    s3:list_objects{ Bucket = "b" }
    assert.equal(2, heard)
  end)

  describe("of S3", function()
    -- { method, parameters, reply, where it stops }
    local CASES = {
      { "get_object", { Bucket = "b", Key = "k" }, {}, "" },
      { "put_object", { Bucket = "b", Key = "k", Body = "x" }, {}, "" },
      { "head_object", { Bucket = "b", Key = "k" }, {}, "" },
      { "head_bucket", { Bucket = "b" }, {}, "" },
      { "delete_object", { Bucket = "b", Key = "k" }, { status = 204 }, "" },
      { "upload_part", { Bucket = "b", Key = "k", UploadId = "u", PartNumber = 1, Body = "x" }, {}, "" },
      { "list_buckets", {}, { body = "<ListAllMyBucketsResult/>" }, "" },
      { "list_objects_v2", { Bucket = "b" }, { body = RESULT }, "params, after" },
      { "get_object", { Bucket = "b", Key = "k" }, { headers = { Expires = "never" } }, "run 6, after" },
      { "get_object", { Bucket = "b", Key = "k", SSECustomerKey = ("k"):rep(32) }, {}, "params" },
      { "put_object", { Bucket = "b", Key = "k", Metadata = { a = "b" } }, {}, "params" },
      { "get_object", { Bucket = "b", Key = "k" }, { status = 404, body = "<Error><Code>No</Code></Error>" },
        "run 8" },
      { "list_buckets", {}, { body = "<Error><Code>SlowDown</Code></Error>" }, "run 6, run 8" },
      { "list_buckets", {}, { body = "<ListAllMyBucketsResult>" }, "run 6, run 8" },
      { "get_object", { Bucket = "b", Key = "k" }, { body = "<Error><Code>data</Code></Error>" }, "" },
      { "get_bucket_policy", { Bucket = "b" }, { body = "<Error/>" }, "" },
    }

    it("stops only where there is something to do", function()
      local s3 = client()
      for i, case in ipairs(CASES) do
        peer:reply(case[3])
        local where = stops(function()
          pcall(s3[case[1]], s3, case[2])
        end)
        assert.equal(case[4], where, i .. ": " .. case[1])
      end
    end)

    it("takes documents for errors as they are", function()
      local s3 = client()
      local documents = {
        [RESULT] = true, ['<?xml version="1.0"?>\n' .. RESULT .. "\n"] = true,
        ["\xEF\xBB\xBF" .. RESULT] = true,
        ["<?xml version='1.0'?><!-- a --> <!-- b -->" .. RESULT .. "<!-- c -->"] = true,
        [" \n" .. RESULT] = true,
        ["<ListBucketResult/>"] = true, ["<a:ListBucketResult xmlns:a='urn:x'></a:ListBucketResult >"] = true,
        [""] = true,
        [" "] = false, ["<Error/>"] = false, ["<Error a='b'></Error>"] = false,
        ["<ListBucketResult>"] = false,
        ["<ListBucketResult><Name>b</Name>"] = false, ["<ListBucketResult></Name>"] = false,
        ["no xml"] = false, ["<"] = false, ["<!-- "] = false, ["<?xml"] = false,
        [RESULT:sub(1, -2)] = false, ["<ListBucketResult>ListBucketResult>"] = false,
      }
      for document, good in pairs(documents) do
        peer:reply{ body = document }
        local answer, err = s3.try:list_objects{ Bucket = "b" }
        local status = answer and 200 or err.response and err.response.ResponseMetadata.HTTPStatusCode
          or err.kind
        assert.equal(good and 200 or 500, status, ("%q"):format(document))
      end
    end)
  end)
end)
