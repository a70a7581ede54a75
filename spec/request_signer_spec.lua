-- The signer that handlers of events get, compared with botocore's to the last digit of the signature.
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")
local raised = require("spec.support.raised")
local server = require("spec.support.server")

local NOW = 1767225600 -- as spec/support/botocore_signer.py has it

local function client_of(case)
  local opts = { region_name = case.region or "us-east-1", config = case.config,
    aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret", aws_session_token = case.token }
  return aws.session{ _env = {}, _home = "/nowhere", _clock = function()
    return NOW
  end }:client(case.service, opts)
end

-- The case's request: the call's own, with other parts where the case says so.
local function request_of(case, event)
  local own = event.request
  local request = { method = own.method, url = own.url, headers = {}, body = own.body,
    context = case.with_context and event.context or nil }
  for name, value in pairs(own.headers) do
    request.headers[name] = value
  end
  for name, value in pairs(case.request or {}) do
    request[name] = value
  end
  return request
end

local function run(case)
  local client, out = client_of(case), {}
  client.meta.events:register_first("before-call", function(event)
    local signer = event.request_signer
    out.signer = { region_name = signer.region_name, signing_name = signer.signing_name,
      signature_version = signer.signature_version }
    local ok, url = pcall(signer.generate_presigned_url, signer, request_of(case, event),
      event.operation_name, { expires_in = case.expires_in, region_name = case.signed_region,
      signing_name = case.signed_name })
    out.url, out.kind = ok and url or nil, not ok and (url.kind or url) or nil
    return { parsed = {} }
  end)
  client[case.method](client, case.params or {})
  return out
end

-- The order of the parameters in the URL is nobody's business: the signature covers them sorted.
local function parts(url)
  local start, query = url:match("^([^?]*)%??(.*)$")
  local found = {}
  for part in query:gmatch("[^&]+") do
    found[#found + 1] = part
  end
  table.sort(found)
  return { start = start, query = found }
end

local GET = { method = "GET", headers = {}, body = "" }

local function get(url, more)
  local request = { method = "GET", headers = {}, body = "", url = url }
  for name, value in pairs(more or {}) do
    request[name] = value
  end
  return request
end

local S3V4 = { signature_version = "s3v4" }
local OBJECT = "arn:aws:s3:us-west-2:123456789012:accesspoint/mine"
local OUTPOST = "arn:aws:s3-outposts:us-west-2:123456789012:outpost:op-1:accesspoint:mine"
local CASES = {
  { service = "sqs", method = "list_queues", request = GET },
  { service = "sqs", method = "list_queues", request = GET, token = "a+token/", expires_in = 60 },
  { service = "sqs", method = "list_queues", request = GET, signed_region = "eu-west-3",
    signed_name = "other" },
  { service = "sqs", method = "list_queues", config = { signature_version = "v2" } },
  { service = "ec2", method = "copy_snapshot", with_context = true,
    params = { SourceRegion = "eu-west-1", SourceSnapshotId = "s" }, signed_region = "eu-west-1",
    request = get("https://ec2.eu-west-1.amazonaws.com/?Action=CopySnapshot&A=b%20c") },
  -- A form is moved into the URL.
  { service = "iam", method = "get_user", params = { UserName = "a b" }, request = { method = "GET" } },
  { service = "sts", method = "get_caller_identity", request = { method = "POST" }, region = "eu-west-1" },
  { service = "s3", method = "list_buckets", region = "eu-west-3",
    request = get("https://b.s3.amazonaws.com/a//../b%20c?x=y&e=") },
  { service = "s3", method = "head_object", params = { Bucket = OUTPOST, Key = "k" }, with_context = true,
    region = "us-west-2", config = S3V4, request = GET },
  { service = "s3", method = "head_object", params = { Bucket = OUTPOST, Key = "k" },
    region = "us-west-2", config = S3V4, request = GET },
  { service = "s3", method = "head_object", params = { Bucket = OBJECT, Key = "k" }, with_context = true,
    region = "us-west-2", config = S3V4, signed_region = "eu-west-1", signed_name = "other",
    request = GET },
  { service = "s3", method = "list_buckets", config = { signature_version = "v4" }, request = GET },
  { service = "s3", method = "list_buckets", region = "eu-west-3",
    request = get("https://example.com/", { headers = { ["X-Amz-Mine"] = "one two" } }) },
  { service = "rds", method = "describe_db_instances", region = "eu-west-1", with_context = true,
    request = GET },
  { service = "dynamodb", method = "list_tables", request = get("https://example.com/") },
  { service = "lambda", method = "list_functions", region = "cn-north-1", request = GET },
  { service = "codecatalyst", method = "list_spaces", region = "us-west-2", request = GET },
  { service = "cognito-identity", method = "get_id", params = { IdentityPoolId = "a:b" }, request = GET },
}

describe("the signer of a call", function()
  it("is what botocore's is, and signs what that signs", function()
    local name = os.tmpname()
    local file = assert(io.open(name, "wb"))
    file:write(cjson.encode(CASES))
    file:close()
    local expected = cjson.decode(child.output({ "python3", "spec/support/botocore_signer.py", name }))
    os.remove(name)
    local signed = 0
    for i, case in ipairs(CASES) do
      local ours, theirs = run(case), expected[i]
      for _, side in ipairs{ ours, theirs } do
        signed = signed + (side.url and side.url:find("X-Amz-Signature=", 1, true) and 1 or 0)
        side.url = side.url and parts(side.url)
      end
      assert.same(theirs, ours, ("case %d: %s"):format(i, case.service))
    end
    assert.equal(2 * (#CASES - 3), signed) -- two versions cannot, one call is not
  end)

  -- Runs fn(signer, event) before a call is sent, which then has a result.
  local function within(case, fn)
    local client = client_of(case)
    client.meta.events:register("before-call.sqs", function(event)
      fn(event.request_signer, event)
      return { parsed = {} }
    end)
    client:list_queues()
  end

  it("asks who listens to signatures of the operation that is named", function()
    local client, seen, url = client_of{ service = "sqs" }, {}, nil
    client.meta.events:register("choose-signer.sqs.Other", function(event)
      seen[1] = { event.operation_name, event.signature_version, event.region_name, event.signing_name,
        event.context }
      return event.context.version
    end)
    client.meta.events:register("before-sign.sqs.Other", function(event)
      seen[2] = { event.signature_version, event.request.headers["x-given"],
        event.request_signer.signing_name }
      event.request.headers["X-Added"] = "yes"
      event.request.url = event.request.url .. "changed"
    end)
    client.meta.events:register("before-call.sqs", function(event)
      url = event.request_signer:generate_presigned_url({ url = "https://example.com/",
        headers = { ["X-Given"] = "1" }, context = event.context.given }, "Other",
        { region_name = "eu-west-3" })
      return { parsed = {} }
    end)
    local function make(context)
      client.meta.events:register_first("provide-client-params.sqs", function(event)
        event.context.given = context
      end)
      client:list_queues()
      return url
    end
    local plain = { mine = true }
    assert.matches("^https://example.com/changed%?.*X%-Amz%-SignedHeaders=host%%3Bx%-added%%3Bx%-given",
      make(plain))
    assert.same({ "Other", "v4-query", "eu-west-3", "sqs", plain }, seen[1])
    assert.same({ "v4-query", "1", "sqs" }, seen[2])
    assert.equal("https://example.com/changed", make{ version = aws.UNSIGNED })
    assert.matches("X%-Amz%-Algorithm=AWS4%-ECDSA%-P256%-SHA256", make{ version = "v4a" })
  end)

  it("is there when a request is signed, too, and not even loaded before a handler asks for it", function()
    local peer <close> = server.start()
    peer:reply{ body = "{}", times = 2 }
    local loaded = package.loaded["luaws.request_signer"]
    package.loaded["luaws.request_signer"] = nil
    local opts = { region_name = "us-east-1", endpoint_url = peer.url, aws_access_key_id = "a",
      aws_secret_access_key = "b" }
    local client, name = aws.client("sqs", opts), nil
    client.meta.events:register("before-sign.sqs", function() end)
    client:list_queues()
    assert.is_nil(package.loaded["luaws.request_signer"])
    client.meta.events:register("before-sign.sqs", function(event)
      name = event.request_signer.signing_name
    end)
    client:list_queues()
    package.loaded["luaws.request_signer"] = loaded
    assert.equal("sqs", name)
  end)

  it("is of no region where the client has none", function()
    local client, err = aws.session{ aws_access_key_id = "a", aws_secret_access_key = "b", _env = {},
      _home = "/nowhere" }:client("codecatalyst", { endpoint_url = "https://example.com" }), nil
    client.meta.events:register("choose-signer.codecatalyst.Other", function()
      return "v4"
    end)
    client.meta.events:register("before-call.codecatalyst", function(event)
      assert.is_nil(event.request_signer.region_name)
      err = raised(event.request_signer.generate_presigned_url, event.request_signer,
        { url = "https://example.com/" }, "Other")
      return { parsed = {} }
    end)
    client:list_spaces()
    assert.equal("NoRegionError", err.kind)
  end)

  it("tells what is wrong with its arguments, by name", function()
    within({ service = "sqs" }, function(signer)
      local request = { url = "https://example.com/" }
      for message, arguments in pairs{
        ["generate_presigned_url takes a request { method, url, headers, body }"] = { {}, "Other" },
        ["the headers of a request are a table, not a string"] = { { url = "u", headers = "x" }, "Other" },
        ["generate_presigned_url takes a request and the name of an operation, not a nil"] = { request },
        ["generate_presigned_url: no 'region'; did you mean 'region_name'?"] = { request, "Other",
          { region = "x" } },
        ["generate_presigned_url takes its options in a table, not a number"] = { request, "Other", 60 },
        ["expires_in must be a positive number of whole seconds, not 1.5"] = { request, "Other",
          { expires_in = 1.5 } },
      } do
        local err = raised(signer.generate_presigned_url, signer, table.unpack(arguments, 1, 3))
        assert.equal(message, err.message)
      end
      assert.matches("no 'generate_presigned'; did you mean 'generate_presigned_url'", raised(function()
        return signer.generate_presigned
      end).message)
      assert.matches("call it as request_signer:generate_presigned_url", raised(signer.generate_presigned_url,
        request, "Other").message)
    end)
    within({ service = "sqs", config = { signature_version = "s3" } }, function(signer)
      assert.equal("UnsupportedSignatureVersionError", raised(signer.generate_presigned_url, signer,
        { url = "https://example.com/" }, "Other").kind)
    end)
  end)
end)
