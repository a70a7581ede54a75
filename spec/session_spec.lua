-- What a session answers beside making clients, compared with boto3.
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")
local raised = require("spec.support.raised")

local function python(code, ...)
  return cjson.decode(child.output{ "env", "AWS_CONFIG_FILE=/nowhere", "AWS_SHARED_CREDENTIALS_FILE=/nowhere",
    "python3", "-c", "import json, sys, boto3\n" .. code, ... })
end

local function session(opts)
  local all = { region_name = "eu-west-1", aws_access_key_id = "AKIDEXAMPLE",
    aws_secret_access_key = "the-secret",
    _env = {}, _home = "/nowhere" }
  for name, value in pairs(opts or {}) do
    all[name] = value
  end
  return aws.session(all)
end

describe("a session", function()
  it("knows the services, resources, partitions and regions that boto3 knows", function()
    local expected = python([[
s = boto3.Session(region_name="us-east-1")
names = s.get_available_services()
out = {"services": names, "resources": s.get_available_resources(),
  "partitions": s.get_available_partitions(),
       "regions": {}, "of": {}}
for n in names[::6] + ["nope", "iam", "s3", "ec2"]:
    out["regions"][n] = [s.get_available_regions(n), s.get_available_regions(n, "aws-cn"),
                         s.get_available_regions(n, allow_non_regional=True)]
for r in ["us-east-1", "eu-west-9", "cn-north-1", "us-gov-west-1", "eusc-de-east-1", "us-iso-east-1"]:
    out["of"][r] = s.get_partition_for_region(r)
json.dump(out, sys.stdout)]])
    local s = session()
    assert.same(expected.services, s:get_available_services())
    assert.same(expected.resources, s:get_available_resources())
    assert.same(expected.partitions, s:get_available_partitions())
    for name, lists in pairs(expected.regions) do
      assert.same(lists, { s:get_available_regions(name), s:get_available_regions(name, {
        partition = "aws-cn" }),
        s:get_available_regions(name, { allow_non_regional = true }) }, name)
    end
    for region, partition in pairs(expected.of) do
      assert.equal(partition, s:get_partition_for_region(region))
    end
    local err = raised(s.get_partition_for_region, s, "mars-1")
    assert.equal("UnknownRegionError", err.kind)
    assert.matches("mars-1", err.message, 1, true)
  end)

  it("answers odd questions as boto3 does", function()
    local west = { region_name = "us-east-1" }
    local questions = {
      { west, "get_available_regions", { "ec2", "nope" } },
      { west, "get_available_regions", { "s3", "aws-us-gov", true } },
      { west, "get_partition_for_region", { "mars-1" } },
      { west, "get_partition_for_region", { "fips-us-east-1" } },
      { west, "get_partition_for_region", { "" } },
      { west, "get_partition_for_region", { "us-west-99" } },
      { west, "get_partition_for_region", { "aws-global" } },
      { west, "client", { "runtime.sagemaker" } },
      { west, "client", { "iam" } },
      { west, "client", { "s3" }, { api_version = "1999-01-01" } },
      { west, "client", { "ec2" }, { region_name = "fips-us-east-1" } },
      { west, "client", { "ec2" }, { region_name = "us-gov-west-1-fips" } },
      { west, "client", { "ec2" }, { region_name = "us east" } },
      { west, "client", { "ec2" }, { region_name = "123" } },
      { west, "client", { "ec2" }, { region_name = "-x" } },
      { west, "client", { "ec2" }, { aws_access_key_id = "a" } },
      { west, "client", { "ec2" }, { aws_secret_access_key = "a" } },
      { west, "client", { "ec2" }, { aws_session_token = "a" } },
      { {}, "client", { "ec2" } },
      { { aws_account_id = "1" }, "client", { "ec2" } },
      { { profile_name = "nope" }, "client", { "ec2" } },
      { { profile_name = "default" }, "client", { "ec2" } },
      { west, "resource", { "sqss" } },
      { west, "resource", { "sts" } },
      { west, "resource", { "s3" }, { api_version = "1999-01-01" } },
    }
    local expected = python([[
out = []
for q in json.loads(sys.argv[1]):
    try:
        answer = getattr(boto3.Session(**(q[0] or {})), q[1])(*q[2], **(q[3] if len(q) > 3 else {}))
        if q[1] == "client":
            m = answer.meta
            answer = [m.service_model.service_name, m.region_name, m.endpoint_url]
        out.append({"answer": answer})
    except Exception as e:
        out.append({"kind": type(e).__name__, "message": str(e)})
json.dump(out, sys.stdout)]], cjson.encode(questions))
    for i, q in ipairs(questions) do
      local args = { table.unpack(q[3]) }
      if q[2] == "get_available_regions" then
        args = { q[3][1], { partition = q[3][2], allow_non_regional = q[3][3] } }
      elseif q[4] then
        args[2] = q[4]
      end
      local ok, answer = pcall(function()
        local opts = { _env = {}, _home = "/nowhere" }
        for name, value in pairs(q[1]) do
          opts[name] = value
        end
        local s = aws.session(opts)
        return s[q[2]](s, table.unpack(args))
      end)
      if ok and q[2] == "client" then
        local m = answer.meta
        answer = { m.service_model.service_name, m.region_name, m.endpoint_url }
      end
      local what = cjson.encode(q)
      if ok then
        assert.same(expected[i].answer, answer, what)
      else
        -- It is called otherwise here.
        local message = expected[i].message:gsub("a boto3%.client%('(%w+)'%)", 'aws.client("%1")')
        assert.same({ expected[i].kind, message }, { answer.kind, answer.message }, what)
      end
    end
  end)

  it("names the nearest of what it does not know", function()
    local s = session()
    for _, case in ipairs{
      { function() aws.session{ regionname = "x" } end, "TypeError", "region_name" },
      { function() return s.profil_name end, "AttributeError", "profile_name" },
      { function() s:client("ec") end, "UnknownServiceError", "ec2" },
      { function() s:client("ec2", { regionname = "x" }) end, "TypeError", "region_name" },
      { function() s:client("ec2", { config = { retriez = {} } }) end, "TypeError", "retries" },
      { function() s:get_available_regions("ec2", { partitoin = "aws" }) end, "TypeError", "partition" },
      { function() s:sign_request({ url = "http://x" }, { servce = "x" }) end, "TypeError", "service" },
    } do
      local err = raised(case[1])
      assert.equal(case[2], err.kind)
      assert.matches(case[3], err.message, 1, true)
    end
  end)

  it("hides secrets from whoever prints its credentials", function()
    local s = session{ aws_session_token = "the-token" }
    local credentials = s:get_credentials()
    local frozen = credentials:get_frozen_credentials()
    assert.same({ "AKIDEXAMPLE", "the-secret", "the-token", "explicit" }, { credentials.access_key,
      credentials.secret_key, credentials.token, credentials.method })
    assert.same({ "AKIDEXAMPLE", "the-secret", "the-token" }, { frozen.access_key, frozen.secret_key,
      frozen.token })
    for _, text in ipairs{ tostring(credentials), tostring(frozen), aws.pretty(credentials), tostring(s),
      aws.pretty(s) } do
      assert.is_nil(text:find("the-", 1, true))
    end
    assert.is_nil(aws.session{ region_name = "x", _env = { AWS_EC2_METADATA_DISABLED = "true" },
      _home = "/nowhere" }:get_credentials())
  end)

  it("tells its settings, profiles and region", function()
    local s = session{ region_name = aws.null, _env = { AWS_DEFAULT_REGION = "eu-north-1" } }
    assert.equal("eu-north-1", s.region_name)
    assert.equal("eu-north-1", s:get_config_variable("region"))
    assert.equal("default", s.profile_name)
    assert.same({}, s.available_profiles)
    assert.same({ profiles = {}, services = {}, sso_sessions = {} }, s.full_config)
    assert.equal("Session(region_name='eu-north-1')", tostring(s))
  end)

  it("runs endpoint rules on exactly the parameters given", function()
    local s = session()
    assert.equal("https://ec2-fips.us-east-1.amazonaws.com", s:resolve_endpoint("ec2", { Region = "us-east-1",
      UseFIPS = true }).url)
    local err = raised(s.resolve_endpoint, s, "ec2", {})
    assert.equal("EndpointResolutionError", err.kind)
  end)
end)

describe("sign_request", function()
  local REQUESTS = {
    { method = "GET", url = "https://example.com/" },
    -- A query that repeats a name loses values when botocore presigns it.
    { method = "GET", url = "https://Example.com:443/a/../b//c/./d?z=1&a=b%20c&a=&empty", repeats = true },
    { method = "POST", url = "http://example.com:8080/p%20a", headers = { ["Content-Type"] = "text/plain" },
      body = "hé" },
    { method = "PUT", url = "https://example.com/%E1%88%B4/a%2Fb", headers = { ["X-Spaces"] = "  a   b  ",
      ["User-Agent"] = "me", ["X-Two"] = { "one", "two" } }, body = ("x"):rep(5000) },
    { method = "DELETE", url = "https://[::1]:9000/x?q=%E2%9C%93&b=a+b", headers = {
      Expect = "100-continue" } },
    { method = "GET", url = "https://example.com/?X-b=2&x-a=1&X-a=3" },
  }

  it("signs as botocore does", function()
    local expected = python([[
import botocore.auth, botocore.awsrequest, botocore.credentials, datetime
from http.client import HTTPMessage
import botocore.auth
now = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
botocore.auth.get_current_datetime = lambda *a, **k: now.replace(tzinfo=None)
requests, out = json.loads(sys.argv[1]), []
for token in (None, "tok+en/="):
    for q in requests:
        row = []
        for make in (botocore.auth.SigV4Auth, botocore.auth.SigV4QueryAuth):
            r = botocore.awsrequest.AWSRequest(method=q["method"], url=q["url"], data=q.get("body") or "")
            for k, v in (q.get("headers") or {}).items():
                for one in v if isinstance(v, list) else [v]:
                    r.headers.add_header(k, one)
            if make is botocore.auth.SigV4QueryAuth and (q.get("body") or q.get("repeats")):
                row.append(None)
                continue
            make(botocore.credentials.Credentials("AKIDEXAMPLE", "the-secret", token), "service",
              "eu-west-1").add_auth(r)
            row.append(r.headers.get("Authorization") or r.url.rsplit("X-Amz-Signature=", 1)[1])
        out.append(row)
json.dump(out, sys.stdout)]], cjson.encode(REQUESTS))
    local i = 0
    for _, token in ipairs{ false, "tok+en/=" } do
      local s = session{ aws_session_token = token or nil }
      for _, request in ipairs(REQUESTS) do
        i = i + 1
        local opts = { service = "service", time = 1767225600 }
        local signed = s:sign_request(request, opts)
        local authorization
        for name, value in pairs(signed.headers) do
          authorization = name:lower() == "authorization" and value or authorization
        end
        assert.equal(expected[i][1], authorization, request.url)
        opts.presign = true
        if expected[i][2] ~= cjson.null then
          assert.equal(expected[i][2], s:sign_request(request, opts).url:match("X%-Amz%-Signature=(%x+)"),
            request.url)
        end
      end
    end
  end)

  it("puts a bearer token in place of a signature", function()
    local s = session{ _env = { AWS_BEARER_TOKEN_MY_SERVICE = "the-bearer" } }
    local request = { method = "POST", url = "https://example.com/x?y", body = "text",
      headers = { authorization = "of before", ["X-Two"] = { "one", "two" } } }
    local signed = s:sign_request(request, { algorithm = "bearer", service = "my-service" })
    assert.same({ method = "POST", url = request.url, body = "text", headers = {
      Authorization = "Bearer the-bearer", ["X-Two"] = { "one", "two" } } }, signed)
    assert.equal("of before", request.headers.authorization)
    local err = raised(s.sign_request, s, request, { algorithm = "bearer", service = "another" })
    assert.same({ "NoAuthTokenError", "Unable to locate authorization token" },
      { err.kind, tostring(err) })
    err = raised(s.sign_request, s, request, { algorithm = "bearer", presign = true })
    assert.equal("Signature version(s) are not supported: bearer-query", tostring(err))
  end)

  it("shows its steps when asked, and leaves the request alone", function()
    local request = { method = "GET", url = "https://example.com/" }
    local signed = session():sign_request(request, { service = "service", time = 1767225600, debug = true })
    assert.same({ method = "GET", url = "https://example.com/" }, request)
    assert.matches("^GET\n/\n\nhost:example.com\n", signed.canonical_request)
    assert.matches("^AWS4%-HMAC%-SHA256\n20260101T000000Z\n20260101/eu%-west%-1/service/aws4_request\n",
      signed.string_to_sign)
  end)
end)
