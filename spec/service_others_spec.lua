-- What services need beside their models, compared with botocore, service by service.
local aws = require("luaws")
local core = require("luaws.core")
local oracle = require("spec.support.oracle")

local PLAIN = { retries = { total_max_attempts = 1, mode = "standard" } }

local XML = { ec2 = true, autoscaling = true, rds = true, neptune = true, docdb = true }

local function call(service, method, params, answers, more)
  local made = { service = service, method = method, params = params, config = PLAIN,
    answers = answers or XML[service] and { { body = "<Answer/>" } } or nil }
  for name, value in pairs(more or {}) do
    made[name] = value
  end
  return made
end

local function role(document)
  return { { body = "<GetRoleResponse><GetRoleResult><Role><Path>/</Path><AssumeRolePolicyDocument>"
    .. document
    .. "</AssumeRolePolicyDocument></Role></GetRoleResult></GetRoleResponse>" } }
end

local function console(text)
  return { { body = "<GetConsoleOutputResponse><output>" .. text .. "</output></GetConsoleOutputResponse>" } }
end

local function template(body)
  return { { body = "<GetTemplateResponse><GetTemplateResult><TemplateBody>" .. body
    .. "</TemplateBody></GetTemplateResult></GetTemplateResponse>" } }
end

local OUTPOST = "arn:aws:s3-outposts:us-west-2:123456789012:outpost:op-1:"
local CASES = {
  ec2 = {
    call("ec2", "run_instances", { MinCount = 1, MaxCount = 1, ClientToken = "t",
      UserData = "#!/bin/sh\né" }),
    call("ec2", "describe_instances", { Filters = { { Name = "a", Values = { "b" } } } }),
    call("ec2", "describe_local_gateways", { Filters = { { Name = "a", Values = { "b" } } } }),
    call("ec2", "get_console_output", { InstanceId = "i" }, console("aGVsbG8KCg==")),
    call("ec2", "get_console_output", { InstanceId = "i" }, console("aMOp/w==")),
    call("ec2", "get_console_output", { InstanceId = "i" }, console("%%%")),
    call("ec2", "get_console_output", { InstanceId = "i" }),
  },
  autoscaling = { call("autoscaling", "create_launch_configuration", { LaunchConfigurationName = "n",
    UserData = "x" }) },
  iam = {
    call("iam", "get_role", { RoleName = "r" }, role("%7B%22Version%22%3A%20%222012-10-17%22%7D")),
    call("iam", "get_role", { RoleName = "r" }, role("%7Bno json")),
    call("iam", "get_group_policy", { GroupName = "g", PolicyName = "p" }, { {
      body = "<GetGroupPolicyResponse>"
      .. "<GetGroupPolicyResult><PolicyDocument>%7B%22a%22%3A%5B1%2C%22+%2B%22%5D%7D</PolicyDocument>"
      .. "</GetGroupPolicyResult></GetGroupPolicyResponse>" } }),
    call("iam", "get_account_authorization_details", {}, { { body = "<GetAccountAuthorizationDetailsResponse>"
      .. "<GetAccountAuthorizationDetailsResult><UserDetailList><member>"
      .. "<UserPolicyList><member><PolicyDocument>"
      .. "%7B%22a%22%3A1%7D</PolicyDocument></member></UserPolicyList></member></UserDetailList>"
      .. "</GetAccountAuthorizationDetailsResult></GetAccountAuthorizationDetailsResponse>" } }),
    call("iam", "list_users", {}, { { status = 403,
      body = "<ErrorResponse><Error><Code>AccessDenied</Code></Error>"
      .. "</ErrorResponse>" } }),
  },
  cloudformation = {
    call("cloudformation", "get_template", { StackName = "s" }, template('{"Resources": {"A": [1, "x"]}}')),
    call("cloudformation", "get_template", { StackName = "s" }, template("Resources: {}")),
    call("cloudformation", "get_template", { StackName = "s" }, { { body = "<GetTemplateResponse/>" } }),
  },
  route53 = {
    call("route53", "get_hosted_zone", { Id = "/hostedzone/Z1" }),
    call("route53", "get_hosted_zone", { Id = "Z1" }),
    call("route53", "get_change", { Id = "/change/C1" }),
    call("route53", "get_reusable_delegation_set", { Id = "/delegationset/N1" }),
    call("route53", "list_resource_record_sets", { HostedZoneId = "a/b/Z2", StartRecordName = "/x/y" }),
  },
  glacier = {
    call("glacier", "list_vaults", {}, { { body = "{}" } }),
    call("glacier", "list_vaults", { accountId = "123" }, { { body = "{}" } }),
    call("glacier", "upload_archive", { vaultName = "v", body = "hello" }, { { body = "{}" } }),
    call("glacier", "upload_archive", { vaultName = "v", body = ("0123456789abcdef"):rep(65536 * 5 // 2) },
      { { body = "{}" } }),
    call("glacier", "upload_multipart_part", { vaultName = "v", uploadId = "u", range = "bytes 0-4/*",
      body = "hello",
      checksum = "mine" }, { { body = "{}" } }),
  },
  apigateway = { call("apigateway", "get_rest_apis", {}, { { body = "{}" } }) },
  ["cognito-identity"] = {
    call("cognito-identity", "get_id", { IdentityPoolId = "us-east-1:x" }, { { body = "{}" } }),
    call("cognito-identity", "get_credentials_for_identity", { IdentityId = "us-east-1:x" }, { {
      body = "{}" } }),
  },
  sts = {
    call("sts", "assume_role_with_web_identity", { RoleArn = ("a"):rep(20), RoleSessionName = "ab",
      WebIdentityToken = "abcd" }, { { body = "<AssumeRoleWithWebIdentityResponse/>" } }),
  },
  ["sso-oidc"] = {
    call("sso-oidc", "create_token", { clientId = "i", clientSecret = "s", grantType = "g" },
      { { status = 400, headers = { ["x-amzn-errortype"] = "InvalidGrantException" },
        body = '{"error":"invalid_grant","error_description":"the description"}' } }),
    call("sso-oidc", "create_token", { clientId = "i", clientSecret = "s", grantType = "g" },
      { { status = 400, body = '{"message":"m","error_description":"the description"}' } }),
    call("sso-oidc", "create_token", { clientId = "i", clientSecret = "s", grantType = "g" },
      { { status = 400, body = "no json" } }),
  },
  logs = {
    call("logs", "create_export_task", { logGroupName = "g", fromTime = 1, to = 2, destination = "d" },
      { { body = "{}" } }),
    call("logs", "create_export_task", { logGroupName = "g", from = 1, to = 2, destination = "d" }, { {
      body = "{}" } }),
    call("logs", "create_export_task", { logGroupName = "g", from = 1, fromTime = 1, to = 2,
      destination = "d" }),
  },
  machinelearning = {
    call("machinelearning", "predict", { MLModelId = "m", Record = { a = "b" },
      PredictEndpoint = "https://realtime.example.com/ignored" }, { { body = "{}" } }),
  },
  cloudsearchdomain = {
    call("cloudsearchdomain", "search", { query = "a b&c", size = 5, returnFields = "x,y" }, { {
      body = "{}" } },
      { client = { endpoint_url = "https://search.example.com" } }),
    call("cloudsearchdomain", "suggest", { query = "a", suggester = "s" }, { { body = "{}" } },
      { client = { endpoint_url = "https://search.example.com" } }),
  },
  mturk = { call("mturk", "list_hi_ts_for_qualification_type", { QualificationTypeId = "q" }, { {
    body = "{}" } }) },
  s3control = {
    call("s3control", "get_access_point", { AccountId = "123456789012", Name = "abc" }),
    call("s3control", "get_access_point", { Name = OUTPOST .. "accesspoint:foo" }),
    call("s3control", "get_access_point", { AccountId = "123456789012", Name = OUTPOST
      .. "accesspoint:foo" }),
    call("s3control", "get_access_point", { AccountId = "999999999999", Name = OUTPOST
      .. "accesspoint:foo" }),
    call("s3control", "get_bucket", { Bucket = OUTPOST .. "bucket:foo" }),
    call("s3control", "get_bucket", { Bucket = "arn:aws:s3:us-west-2:123456789012:bucket:foo" }),
    call("s3control", "get_bucket", { Bucket = (OUTPOST:gsub("us%-west", "fips-us-west")) .. "bucket:foo" }),
    call("s3control", "get_bucket", { Bucket = OUTPOST .. "bucket:foo" }, nil,
      { config = { s3 = { use_arn_region = true } } }),
    call("s3control", "create_bucket", { Bucket = "bucket", OutpostId = "op-1" }),
    call("s3control", "list_jobs", { AccountId = "123456789012" }),
  },
  rds = {
    call("rds", "copy_db_snapshot", { SourceDBSnapshotIdentifier = "a", TargetDBSnapshotIdentifier = "b" }),
    call("rds", "copy_db_snapshot", { SourceDBSnapshotIdentifier = "a", TargetDBSnapshotIdentifier = "b",
      SourceRegion = "eu-west-1", PreSignedUrl = "mine" }),
  },
}

-- JSON in requests has no order.
local function body_of(request)
  if request.body:sub(1, 1) == "{" then
    request.body = require("cjson").decode(request.body)
  end
  return request
end

describe("a service with a module of its own", function()
  it("sends what botocore sends, and makes the same of the answers", function()
    local all = {}
    for _, calls in pairs(CASES) do
      table.move(calls, 1, #calls, #all + 1, all)
    end
    oracle.each(all, function(made, botocore, luaws)
      for _, side in ipairs{ botocore, luaws } do
        for _, request in ipairs(side.requests) do
          body_of(request)
        end
      end
      local name = made.service .. " " .. made.method .. " " .. require("luaws.pretty")(made.params):sub(1,
        300)
      assert.same(botocore.requests, luaws.requests, name)
      if not botocore.broken then
        assert.same(botocore.error, luaws.error, name)
        assert.same(botocore.result, luaws.result, name)
      end
    end)
  end)
end)

-- A presigned URL without what changes from second to second.
local function parts_of(url)
  local found = { start = url:match("^[^?]*") }
  for name, value in url:match("%?(.*)$"):gmatch("([^&=]+)=([^&]*)") do
    if name == "X-Amz-Signature" then
      value = #value
    elseif name == "X-Amz-Date" then
      value = "date"
    end
    found[name] = value
  end
  return found
end

describe("a copy from another region", function()
  it("carries a URL that is signed there", function()
    local calls = {}
    for _, token in ipairs{ "a+token/", false } do
      calls[#calls + 1] = call("ec2", "copy_snapshot", { SourceRegion = "eu-west-1",
        SourceSnapshotId = "snap-1" }, nil,
        { token = token or nil })
      calls[#calls + 1] = call("ec2", "copy_snapshot", { SourceRegion = "eu-west-1",
        SourceSnapshotId = "snap-1",
        PresignedUrl = "https://mine?a=b" })
      calls[#calls + 1] = call("rds", "create_db_instance_read_replica", { DBInstanceIdentifier = "a b",
        SourceDBInstanceIdentifier = "arn", SourceRegion = "eu-west-1" }, nil, { token = token or nil })
      calls[#calls + 1] = call("neptune", "copy_db_cluster_snapshot", {
        SourceDBClusterSnapshotIdentifier = "a",
        TargetDBClusterSnapshotIdentifier = "b", SourceRegion = "eu-west-1" })
      calls[#calls + 1] = call("docdb", "create_db_cluster", { DBClusterIdentifier = "a", Engine = "docdb",
        SourceRegion = "eu-west-1" })
    end
    oracle.each(calls, function(made, botocore, luaws)
      for _, side in ipairs{ botocore, luaws } do
        local fields = {}
        for name, value in side.requests[1].body:gmatch("([^&=]+)=([^&]*)") do
          value = core.percent_decode(value)
          fields[name] = name:find("^Pre") and value:find("X-Amz", 1, true) and parts_of(value) or value
        end
        side.fields = fields
      end
      assert.same(botocore.fields, luaws.fields, made.service)
    end)
  end)
end)

describe("a password made of credentials", function()
  it("is what botocore makes", function()
    local calls = {
      call("rds", "generate_db_auth_token", { DBHostname = "db.example.com", Port = 3306,
        DBUsername = "a b+c" }),
      call("rds", "generate_db_auth_token", { DBHostname = "db.example.com", Port = 3306, DBUsername = "x",
        Region = "eu-west-1" }, nil, { token = "t/+" }),
      call("dsql", "generate_db_connect_auth_token", { Hostname = "h.dsql.us-east-1.on.aws" }),
      call("dsql", "generate_db_connect_admin_auth_token", { Hostname = "h.example", Region = "eu-west-1",
        ExpiresIn = 60 }),
    }
    oracle.each(calls, function(_, botocore, luaws)
      assert.same(parts_of(botocore.result), parts_of(luaws.result))
    end)
  end)

  it("takes its arguments in a row as well", function()
    local rds = aws.session{ region_name = "us-east-1", aws_access_key_id = "a",
      aws_secret_access_key = "b" }:client("rds")
    assert.matches("^h:5432/%?Action=connect&DBUser=me&", rds:generate_db_auth_token("h", 5432, "me"))
    assert.has_error(function()
      rds:generate_db_auth_token{ DBHostname = "h", Prot = 1 }
    end)
  end)
end)

describe("Polly", function()
  it("presigns without a Content-Type", function()
    local opts = { Params = { OutputFormat = "mp3", Text = "hé llo", VoiceId = "Joanna" }, ExpiresIn = 60 }
    local polly = aws.session{ region_name = "us-east-1", aws_access_key_id = "AKIDEXAMPLE",
      aws_secret_access_key = "the-secret" }:client("polly")
    oracle.each({ call("polly", "generate_presigned_url", { ClientMethod = "synthesize_speech",
      Params = opts.Params,
      ExpiresIn = 60 }) }, function(_, botocore)
      assert.same(parts_of(botocore.result), parts_of(polly:generate_presigned_url("synthesize_speech",
        opts)))
    end)
  end)
end)
