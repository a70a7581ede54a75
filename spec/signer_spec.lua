-- Which signature a call gets, by what was asked for, the files, the models and the endpoint rules.
local aws = require("luaws")
local machine = require("spec.support.machine")

local MRAP = "arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap"
local LAMBDA = "arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/olap"
local KEYS = { AWS_ACCESS_KEY_ID = "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY = "the-secret" }

-- What is sent for a call, answered here: { url, headers }, with names in lower case.
local function sent(w, service, method, params, opts, listen)
  local client = w.session{ region_name = opts and opts.region or "us-east-1" }:client(service, {
    config = opts and opts.config, endpoint_url = opts and opts.endpoint_url })
  local request
  client.meta.events:register("before-send", function(event)
    local headers = {}
    for name, value in pairs(event.request.headers) do
      headers[name:lower()] = value
    end
    request = { url = event.request.url, headers = headers, body = event.request.body }
    return { status_code = 204, headers = {}, body = "" }
  end)
  if listen then
    listen(client.meta.events)
  end
  local ok, err = pcall(client[method], client, params or {})
  if not request then
    assert(not ok)
    error(err, 0)
  end
  return request, client
end

local function world(config, env)
  local w = machine.new(config or "", env or {})
  for name, value in pairs(KEYS) do
    w.env[name] = value
  end
  return w
end

local function credential(name, region, algorithm)
  local text = ("^%s Credential=AKIDEXAMPLE/%%d+/%s%s/aws4_request"):format(algorithm or "AWS4-HMAC-SHA256",
    region and region .. "/" or "", name)
  return (text:gsub("%-", "%%-"))
end

local GET = { Bucket = "bucket", Key = "k" }
local BLOCK = { SnapshotId = "s", BlockIndex = 0, BlockData = "data", DataLength = 4, Checksum = "c",
  ChecksumAlgorithm = "SHA256" }
local CASES = {
  { "S3's own form of version 4", "s3", "get_object", GET, authorization = credential("s3", "us-east-1") },
  { "the version asked for", "s3", "get_object", GET, { config = { signature_version = "s3" } },
    authorization = "^AWS AKIDEXAMPLE:" },
  { "the version asked for, in the URL", "s3", "get_object", GET,
    { config = { signature_version = "s3-query" } },
    url = "/k%?AWSAccessKeyId=AKIDEXAMPLE&Signature=.*&Expires=1700003600$" },
  { "version 4 in the URL", "s3", "get_object", GET, { config = { signature_version = "s3v4-query" } },
    url = "X%-Amz%-Expires=3600.*&X%-Amz%-Signature=%x+$" },
  { "the version of the profile", "s3", "get_object", GET, profile = "s3 =\n  signature_version = s3\n",
    authorization = "^AWS AKIDEXAMPLE:" },
  { "the code's before the profile's", "s3", "get_object", GET, { config = { signature_version = "s3v4" } },
    profile = "s3 =\n  signature_version = s3\n", authorization = credential("s3", "us-east-1") },
  { "the profile's by the prefix of the endpoint", "cloudwatch", "list_metrics", {},
    profile = "monitoring =\n  signature_version = v3\n", header = "x-amzn-authorization",
    authorization = "^AWS3%-HTTPS AWSAccessKeyId=AKIDEXAMPLE,Algorithm=HmacSHA256,Signature=" },
  { "version 3", "route53", "list_hosted_zones", {}, { config = { signature_version = "v3https" } },
    header = "x-amzn-authorization", authorization = "^AWS3%-HTTPS " },
  { "nothing for an operation that needs nothing", "cognito-idp", "forget_device",
    { AccessToken = "t", DeviceKey = "k" }, authorization = false },
  { "nothing when it is not wanted", "s3", "get_object", GET,
    { config = { signature_version = aws.UNSIGNED } }, authorization = false },
  { "a body that the operation leaves unsigned", "ebs", "put_snapshot_block", BLOCK,
    authorization = credential("ebs", "us-east-1"), hash = "UNSIGNED-PAYLOAD" },
  { "every body over plain HTTP", "ebs", "put_snapshot_block", BLOCK,
    { endpoint_url = "http://127.0.0.1:9" }, authorization = credential("ebs", "us-east-1") },
  { "the name and region of the endpoint", "s3", "get_object", { Bucket = LAMBDA, Key = "k" },
    authorization = credential("s3-object-lambda", "eu-west-1") },
  { "the endpoint's even if a version is asked for", "s3", "get_object", { Bucket = LAMBDA, Key = "k" },
    { config = { signature_version = "v4" } }, authorization = credential("s3-object-lambda", "eu-west-1") },
  { "the region of a global service", "iam", "list_users", {}, { region = "eu-west-1" },
    authorization = credential("iam", "us-east-1") },
  { "the asymmetric one where the endpoint wants it", "s3", "get_object", { Bucket = MRAP, Key = "k" },
    authorization = credential("s3", nil, "AWS4-ECDSA-P256-SHA256"), regions = "*" },
  { "the regions of the code", "s3", "get_object", { Bucket = MRAP, Key = "k" },
    { config = { sigv4a_signing_region_set = "us-east-1,eu-west-1" } },
    authorization = credential("s3", nil, "AWS4-ECDSA-P256-SHA256"), regions = "us-east-1,eu-west-1" },
  { "the regions of the environment", "s3", "get_object", { Bucket = MRAP, Key = "k" },
    env = { AWS_SIGV4A_SIGNING_REGION_SET = "us-*" },
    authorization = credential("s3", nil, "AWS4-ECDSA-P256-SHA256"), regions = "us-*" },
  { "the version asked for where the endpoint does not name it", "s3", "get_object",
    { Bucket = MRAP, Key = "k" }, { config = { signature_version = "s3v4" } },
    authorization = credential("s3", "us-east-1") },
  { "the first of the endpoint's schemes", "partnercentral-channel", "list_relationships", { catalog = "c" },
    authorization = credential("partnercentral-channel", nil, "AWS4-ECDSA-P256-SHA256") },
  { "the preferred one of them", "partnercentral-channel", "list_relationships", { catalog = "c" },
    env = { AWS_AUTH_SCHEME_PREFERENCE = "httpBearerAuth, sigv4" },
    authorization = credential("partnercentral-channel", "us-east-1") },
  { "the preferred one of the service's", "bedrock", "list_guardrails", {},
    { config = { auth_scheme_preference = "sigv4" } }, env = { AWS_BEARER_TOKEN_BEDROCK = "tok" },
    authorization = credential("bedrock", "us-east-1") },
  { "a token that is preferred", "bedrock", "list_guardrails", {},
    { config = { auth_scheme_preference = "httpBearerAuth" } }, env = { AWS_BEARER_TOKEN_BEDROCK = "tok" },
    authorization = "^Bearer tok$" },
  { "what Import/Export's model does not know", "importexport", "list_jobs", {}, { region = "cn-north-1" },
    authorization = credential("importexport", "cn-north-1") },
  { "what its model says, if that is asked for", "importexport", "list_jobs", {},
    { region = "cn-north-1", config = { signature_version = "v2" } }, authorization = false,
    body = "&SignatureVersion=2&" },
}

describe("a call is signed by", function()
  for _, case in ipairs(CASES) do
    it(case[1], function()
      local w <close> = world(case.profile and "[default]\n" .. case.profile, case.env)
      local request = sent(w, case[2], case[3], case[4], case[5])
      local header = request.headers[case.header or "authorization"]
      if case.authorization then
        assert.matches(case.authorization, header)
      else
        assert.is_nil(header)
      end
      assert.matches(case.url or "", request.url)
      assert.matches(case.body or "", request.body or "", 1, true)
      assert.equal(case.regions, case.regions and request.headers["x-amz-region-set"])
      if case[2] == "ebs" then
        assert.equal(case.hash, request.headers["x-amz-content-sha256"])
      end
    end)
  end

  it("what a listener says, who is told what it would be", function()
    local w <close> = world()
    local heard
    local function listen(events)
      events:register("choose-signer.s3.GetObject", function(event)
        heard = { event.signature_version, event.signing_name, event.region_name }
        return "s3"
      end)
    end
    local request, client = sent(w, "s3", "get_object", GET, nil, listen)
    assert.same({ "s3v4", "s3", "us-east-1" }, heard)
    assert.matches("^AWS AKIDEXAMPLE:", request.headers.authorization)
    assert.equal("s3v4", client.meta.config.signature_version)
    assert.matches("[?&]AWSAccessKeyId=", client:generate_presigned_url("get_object", { Params = GET }))
    assert.same({ "s3v4-query", "s3", "us-east-1" }, heard)
  end)

  it("nothing that is not known", function()
    local w <close> = world()
    for version, text in pairs{
      v5 = "Unknown Signature Version: v5.",
      ["s3-presign-post"] = "Signature version(s) are not supported: s3-presign-post",
    } do
      assert.equal(text, tostring(machine.raised(sent, w, "s3", "get_object", GET,
        { config = { signature_version = version } })))
    end
    local client = w.session{}:client("ec2", { config = { signature_version = "v2" } })
    local err = machine.raised(client.generate_presigned_url, client, "describe_regions", {})
    assert.same({ "UnsupportedSignatureVersionError", "Signature version(s) are not supported: v2-query" },
      { err.kind, tostring(err) })
  end)
end)

describe("S3's Signature Version 2", function()
  local OLD = { config = { signature_version = "s3" } }

  it("has checksums in headers, not behind the body", function()
    local w <close> = world()
    local put = { Bucket = "bucket", Key = "k", Body = "data" }
    local old, new = sent(w, "s3", "put_object", put, OLD), sent(w, "s3", "put_object", put)
    assert.equal("data", old.body)
    assert.equal("rfPzYw==", old.headers["x-amz-checksum-crc32"])
    assert.is_nil(old.headers["x-amz-trailer"])
    assert.is_nil(old.headers["x-amz-content-sha256"])
    assert.equal("x-amz-checksum-crc32", new.headers["x-amz-trailer"])
  end)

  it("is made anew when a call is tried again, in the URL too", function()
    local w <close> = world()
    local config = { signature_version = "s3-query", retries = { total_max_attempts = 3 } }
    local client = w.session{}:client("s3", { config = config })
    local urls = {}
    client.meta.events:register("before-send", function(event)
      urls[#urls + 1] = event.request.url
      return { status_code = #urls < 3 and 500 or 200, headers = {}, body = "" }
    end)
    client.meta.events:register("needs-retry", function()
      return #urls < 3 and 0 or nil
    end)
    client:get_object{ Bucket = "bucket", Key = "k", VersionId = "v" }
    assert.same({ urls[1], urls[1], urls[1] }, urls)
    local start = "^https://bucket.s3.eu%-west%-1.amazonaws.com/k%?versionId=v&AWSAccessKeyId=[^?]*$"
    assert.matches(start, urls[1])
  end)
end)
