-- What S3 needs beside its model, compared with botocore.
local aws = require("luaws")
local oracle = require("spec.support.oracle")
local server = require("spec.support.server")

local KEY = "0123456789abcdef0123456789abcdef"
local LIST = [[<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>a%2Bb+c</Prefix>
<Delimiter>%2F</Delimiter><EncodingType>url</EncodingType><Contents><Key>a%0Ab+c%2Bd</Key></Contents>
<Contents><Key>plain</Key></Contents>
<CommonPrefixes><Prefix>x+y%2F</Prefix></CommonPrefixes></ListBucketResult>]]
local LOCATION = '<?xml version="1.0"?>\n<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

local function call(method, params, answers, more)
  local made = { service = "s3", method = method, params = params, answers = answers,
    config = { retries = { total_max_attempts = 1, mode = "standard" } } }
  for name, value in pairs(more or {}) do
    made[name] = value
  end
  return made
end

describe("S3", function()
  it("sends what botocore sends", function()
    local calls = {
      call("get_bucket_location", { Bucket = "abc" }, { { body = LOCATION
        .. ">eu-west-1</LocationConstraint>" } }),
      call("get_bucket_location", { Bucket = "abc" }, { { body = LOCATION .. "/>" } }),
      call("list_objects", { Bucket = "abc" }, { { body = LIST } }),
      call("list_objects_v2", { Bucket = "abc", Prefix = "a+b c" }, { { body = LIST } }),
      call("list_objects_v2", { Bucket = "abc", EncodingType = "url" }, { { body = LIST } }),
      call("list_object_versions", { Bucket = "abc" }, { { body = (LIST:gsub("ListBucketResult",
        "ListVersionsResult")
        :gsub("Contents", "Version")) } }),
      call("copy_object", { Bucket = "abc", Key = "k", CopySource = "from/a b+é?x?versionId=1 2" },
        { { body = "<CopyObjectResult/>" } }),
      call("copy_object", { Bucket = "abc", Key = "k", CopySource = "from/a b+é?versionId=12=" },
        { { body = "<CopyObjectResult/>" } }),
      call("copy_object", { Bucket = "abc", Key = "k", CopySource = { Bucket = "from", Key = "a/b c~'é" } },
        { { body = "<CopyObjectResult/>" } }),
      call("copy_object", { Bucket = "abc", Key = "k", CopySource = { Bucket = "from", Key = "k",
        VersionId = "v/1" },
        SSECustomerKey = KEY, SSECustomerAlgorithm = "AES256", CopySourceSSECustomerKey = "x" },
        { { body = "<CopyObjectResult/>" } }),
      call("upload_part_copy", { Bucket = "abc", Key = "k", PartNumber = 1, UploadId = "u", CopySource = {
        Bucket = "arn:aws:s3:us-west-2:123456789012:accesspoint:point", Key = "k" } },
        { { body = "<CopyPartResult/>" } }),
      call("copy_object", { Bucket = "abc", Key = "k", CopySource = { Bucket = "from" } }),
      call("head_object", { Bucket = "abc", Key = "k", SSECustomerKey = KEY,
        SSECustomerAlgorithm = "AES256" }),
      call("head_object", { Bucket = "abc", Key = "k", SSECustomerKey = KEY, SSECustomerKeyMD5 = "mine" }),
      call("head_object", { Bucket = "abc", Key = "k" }, { { headers = {
        Expires = "Thu, 01 Jan 2026 00:00:00 GMT" } } }),
      call("head_object", { Bucket = "abc", Key = "k" }, { { headers = { Expires = "never" } } }),
      call("head_object", { Bucket = "abc", Key = "k" }, { { headers = { Expires = "0" } } }),
      call("create_multipart_upload", { Bucket = "abc", Key = "k", Metadata = { a = "é" } }),
      call("head_bucket", { Bucket = "a_b" }), call("head_bucket", { Bucket = "A.b" }),
      call("head_bucket", { Bucket = "a..b" }), call("head_bucket", { Bucket = "ab/c" }),
      call("head_bucket", { Bucket = "" }), call("head_bucket", { Bucket = ("a"):rep(256) }),
      call("head_bucket", { Bucket = ("a"):rep(255) }), call("head_bucket", {
        Bucket = "arn:aws:s3:::bucket" }),
      call("head_bucket", { Bucket = "arn:aws:s3:us-west-2:123456789012:accesspoint/my-point" }),
      call("head_bucket", { Bucket = "arn:aws:s3:us-west-2:12345678901:accesspoint/my-point" }),
      call("head_bucket", { Bucket = "arn:aws:s3:us-west-2:123456789012:accesspoint/my-point" }, nil,
        { client = { endpoint_url = "http://localhost:9000" } }),
      call("head_object", { Key = "k",
        Bucket = "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/my-point" }),
      call("head_object", { Key = "k",
        Bucket = "arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/p" }),
      call("list_buckets", {}, { { body = "<ListAllMyBucketsResult/>" } }, { region = "eu-west-1" }),
    }
    oracle.each(calls, function(made, botocore, luaws)
      local name = made.method .. " " .. tostring(made.params.Bucket)
      assert.same(botocore.error, luaws.error, name)
      assert.same(botocore.requests, luaws.requests, name)
      assert.same(botocore.result, luaws.result, name)
    end)
  end)

  it("takes an error, or half a document, in an answer with status 200 for an error of the server", function()
    local answers = {}
    for i, body in ipairs{
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code><Message>m</Message></Error>',
      "<Error><Code>InternalError</Code></Error>", "<CopyObjectResult><ETag>x</ETag></CopyObj",
      "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>", "<CopyObjectResult/>", "" } do
      answers[i] = call("copy_object", { Bucket = "abc", Key = "k", CopySource = "a/b" }, { { body = body } })
    end
    answers[#answers + 1] = call("get_bucket_policy", { Bucket = "abc" }, { { body = '{"Version":"x"}' } })
    oracle.each(answers, function(made, botocore, luaws)
      assert.same(botocore.result and true, luaws.result and true, made.answers[1].body)
      assert.same(botocore.kind, luaws.kind, made.answers[1].body)
      assert.same(botocore.result, luaws.result)
    end)
  end)

  it("tries a copy again that failed inside its answer", function()
    local c = aws.session{ aws_access_key_id = "a", aws_secret_access_key = "b",
      region_name = "us-east-1" }:client("s3")
    local times = 0
    c.meta.events:register("before-send.s3", function()
      times = times + 1
      return { body = times == 1 and "<Error><Code>InternalError</Code></Error>"
        or "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>" }
    end)
    assert.equal("x", c:complete_multipart_upload{ Bucket = "abc", Key = "k", UploadId = "u" }.ETag)
    assert.equal(2, times)
  end)
end)

describe("a bucket in another region", function()
  local function redirected(answers, method, params)
    local c = aws.session{ aws_access_key_id = "a", aws_secret_access_key = "b",
      region_name = "us-east-1" }:client("s3",
      { config = { retries = { total_max_attempts = 1 } } })
    local urls, at = {}, 0
    c.meta.events:register("before-send.s3", function(event)
      at = math.min(at + 1, #answers)
      local request = event.request
      urls[#urls + 1] = request.method .. " " .. request.url .. " "
        .. request.headers.authorization:match("Credential=a/%d+/([^/]+)")
      local answer = answers[at]
      return { status_code = answer.status or 200, headers = answer.headers, body = answer.body }
    end)
    local result, err = c.try[method](c.try, params)
    return urls, result, err, c
  end

  local cases = {
    { "by a header", { status = 301, headers = { ["x-amz-bucket-region"] = "eu-west-1" } },
      "get_object_tagging" },
    { "by the body", { status = 400,
      body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region>"
      .. "</Error>" }, "get_object_tagging" },
    { "by IllegalLocationConstraintException", { status = 400, headers = {
      ["x-amz-bucket-region"] = "eu-west-1" },
      body = "<Error><Code>IllegalLocationConstraintException</Code></Error>" }, "get_object_tagging" },
    { "by a HEAD without a body", { status = 400, headers = { ["x-amz-bucket-region"] = "eu-west-1" } },
      "head_object" },
  }
  for _, case in ipairs(cases) do
    it("is found " .. case[1] .. ", and remembered", function()
      local method = case[3]
      local verb = method == "head_object" and "HEAD" or "GET"
      local query = method == "head_object" and "" or "?tagging"
      local urls, result, err, c = redirected({ case[2], { body = method == "head_object" and ""
        or "<Tagging/>" } },
        method, { Bucket = "abc", Key = "a b" })
      assert.is_nil(err)
      assert.is_table(result)
      c[method](c, { Bucket = "abc", Key = "a b" })
      local there = verb .. " https://abc.s3.eu-west-1.amazonaws.com/a%20b" .. query .. " eu-west-1"
      assert.same({ verb .. " https://abc.s3.amazonaws.com/a%20b" .. query .. " us-east-1", there, there },
        urls)
    end)
  end

  it("is asked for when the answer does not say", function()
    local urls = redirected({ { status = 301 }, { headers = { ["x-amz-bucket-region"] = "eu-west-1" } }, {} },
      "put_object", { Bucket = "abc", Key = "k", Body = "x" })
    assert.same({ "PUT https://abc.s3.amazonaws.com/k us-east-1",
      "HEAD https://abc.s3.amazonaws.com/ us-east-1",
      "PUT https://abc.s3.eu-west-1.amazonaws.com/k eu-west-1" }, urls)
  end)

  it("is tried once and no more", function()
    local urls, _, err = redirected({ { status = 301, headers = { ["x-amz-bucket-region"] = "eu-west-1" } } },
      "head_object", { Bucket = "abc", Key = "k" })
    assert.equal(2, #urls)
    assert.equal("301", err.code)
  end)

  it("gets its objects sent again from their beginning, under path style too", function()
    local peer <close> = server.start()
    peer:reply({ status = 307, headers = { ["x-amz-bucket-region"] = "eu-west-1" } }, {})
    local c = aws.session{ aws_access_key_id = "a", aws_secret_access_key = "b",
      region_name = "us-east-1" }:client("s3",
      { endpoint_url = peer.url })
    local name = os.tmpname()
    local file <close> = assert(io.open(name, "wb"))
    file:write(("x"):rep(100000))
    file:close()
    c:put_object{ Bucket = "abc", Key = "k", Body = aws.file(name) }
    os.remove(name)
    local requests = peer:requests()
    assert.equal(2, #requests)
    assert.equal("/abc/k", requests[2].target)
    assert.matches("/eu-west-1/s3/", requests[2].headers.authorization, 1, true)
    assert.equal(requests[1].body, requests[2].body)
  end)
end)

describe("generate_presigned_post", function()
  it("makes the form that botocore makes", function()
    local params = { Bucket = "abc", Key = "up/${filename}", Fields = { acl = "public-read" },
      Conditions = { { acl = "public-read" }, { "content-length-range", 2, 5 } }, ExpiresIn = 60 }
    for _, case in ipairs{ { token = "the+token" }, {} } do
      oracle.each({ { service = "s3", method = "generate_presigned_post", region = "eu-west-1",
        token = case.token,
        params = params, config = { signature_version = "s3v4", s3 = { addressing_style = "virtual" } } } },
        function(_, botocore, luaws)
          for _, side in ipairs{ botocore, luaws } do
            local cjson, core = require("cjson"), require("luaws.core")
            local fields = side.result.fields
            assert.equal(64, #fields["x-amz-signature"])
            local policy = cjson.decode(core.base64_decode(fields.policy))
            for i, condition in ipairs(policy.conditions) do
              policy.conditions[i] = condition["x-amz-date"] and "date" or condition
            end
            policy.expiration = #policy.expiration
            fields.policy, fields["x-amz-signature"], fields["x-amz-date"] = policy, nil, nil
          end
          assert.same(botocore, luaws)
        end)
    end
    assert.same({ { acl = "public-read" }, { "content-length-range", 2, 5 } }, params.Conditions)
  end)

  it("signs the policy as botocore does, wherever the time stands", function()
    local c = aws.session{ aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret",
      region_name = "eu-west-1", _clock = function() return 1767225600 end }:client("s3")
    local form = c:generate_presigned_post("abc", "k")
    local child = require("spec.support.child")
    local expected = child.output({ "python3", "-c", [[
import sys, botocore.auth, botocore.credentials, types
auth = botocore.auth.S3SigV4PostAuth(botocore.credentials.Credentials("AKIDEXAMPLE", "the-secret"), "s3",
  "eu-west-1")
request = types.SimpleNamespace(context={"timestamp": "20260101T000000Z"})
print(auth.signature(sys.argv[1], request), end="")]], form.fields.policy })
    assert.equal("20260101T000000Z", form.fields["x-amz-date"])
    assert.equal(expected, form.fields["x-amz-signature"])
  end)
end)
