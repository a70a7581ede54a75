-- What a client answers beside its operations.
local aws = require("luaws")
local raised = require("spec.support.raised")

local function session()
  return aws.session{ region_name = "us-east-1", aws_access_key_id = "AKIDEXAMPLE",
    aws_secret_access_key = "the-secret", _env = {}, _home = "/nowhere" }
end

describe("a client", function()
  it("tells what it is in meta", function()
    local meta = session():client("ec2", { region_name = "cn-north-1" }).meta
    assert.same({ "ec2", "cn-north-1", "aws-cn", "https://ec2.cn-north-1.amazonaws.com.cn" },
      { meta.service_name, meta.region_name, meta.partition, meta.endpoint_url })
    assert.equal("RunInstances", meta.method_to_api_mapping.run_instances)
    assert.equal("EC2", meta.service_model.service_id)
    assert.equal(60, meta.config.read_timeout)
    assert.equal("cn-north-1", meta.config.region_name)
  end)

  it("speaks plain http when told so, but not to an endpoint that is given", function()
    assert.equal("http://ec2.us-east-1.amazonaws.com",
      session():client("ec2", { use_ssl = false }).meta.endpoint_url)
    assert.equal("https://x.example",
      session():client("ec2", { use_ssl = false, endpoint_url = "https://x.example" }).meta.endpoint_url)
  end)

  it("is refused where the region is set to nothing, as botocore does, unless it needs none", function()
    local config = os.tmpname()
    do
      local file <close> = assert(io.open(config, "wb"))
      file:write("[default]\nregion =\n")
    end
    local ways = { option = { {}, "" }, session = { { region_name = "" } },
      variable = { { _env = { AWS_DEFAULT_REGION = "", AWS_REGION = "us-east-1" } } },
      file = { { _env = { AWS_CONFIG_FILE = config } } } }
    for way, given in pairs(ways) do
      local opts = { _env = {}, _home = "/nowhere", aws_access_key_id = "a", aws_secret_access_key = "b" }
      for name, value in pairs(given[1]) do
        opts[name] = value
      end
      local made = aws.session(opts)
      for _, service in ipairs{ "sqs", "s3", "sts", "ec2" } do
        local err = raised(made.client, made, service, { region_name = given[2] })
        assert.same({ "ValueError", ("Invalid endpoint: https://%s..amazonaws.com"):format(service),
          " (the region is empty)" }, { err.kind, err.message, err.advice }, way)
        assert.equal("http://x", made:client(service, { region_name = given[2],
          endpoint_url = "http://x" }).meta.endpoint_url)
      end
      assert.equal("aws-global", made:client("iam", { region_name = given[2] }).meta.region_name)
    end
    os.remove(config)
  end)

  it("is where the profile says when AWS_REGION is empty", function()
    local config = os.tmpname()
    do
      local file <close> = assert(io.open(config, "wb"))
      file:write("[default]\nregion = eu-north-1\n")
    end
    local made = aws.session{ _env = { AWS_REGION = "", AWS_CONFIG_FILE = config }, _home = "/nowhere" }
    assert.equal("eu-north-1", made:client("sqs").meta.region_name)
    os.remove(config)
  end)

  -- What AWS's endpoints say of regions is nothing to somebody's own.
  it("is at an endpoint of one's own in the region that was asked for", function()
    local AWS, OWN = nil, "http://own.example"
    local cases = { -- service, operation, region, endpoint; the region it says it is in, and signs for
      { "iam", "list_users", nil, AWS, "aws-global", "us-east-1" },
      { "iam", "list_users", "eu-west-1", AWS, "aws-global", "us-east-1" },
      { "iam", "list_users", "cn-north-1", AWS, "aws-cn-global", "cn-north-1" },
      { "iam", "list_users", nil, OWN, nil, "NoRegionError" },
      { "iam", "list_users", "eu-west-1", OWN, "eu-west-1", "eu-west-1" },
      { "iam", "list_users", "cn-north-1", OWN, "cn-north-1", "cn-north-1" },
      { "iam", "list_users", "aws-global", OWN, "aws-global", "aws-global" },
      { "route53", "list_hosted_zones", "cn-north-1", AWS, "aws-cn-global", "cn-northwest-1" },
      { "route53", "list_hosted_zones", "cn-north-1", OWN, "cn-north-1", "cn-north-1" },
      { "sts", "get_caller_identity", nil, AWS, "aws-global", "us-east-1" },
      { "sts", "get_caller_identity", nil, OWN, nil, "NoRegionError" },
      { "sts", "get_caller_identity", "mars-1", OWN, "mars-1", "mars-1" },
      { "s3", "list_buckets", nil, OWN, "us-east-1", "us-east-1" },
      { "s3", "list_buckets", "us-east-1", OWN, "us-east-1", "us-east-1" },
      { "s3", "list_buckets", "aws-global", OWN, "aws-global", "us-east-1" },
      { "s3", "list_buckets", "eu-west-1", OWN, "eu-west-1", "eu-west-1" },
    }
    for _, case in ipairs(cases) do
      local client <close> = aws.session{ _env = {}, _home = "/nowhere", aws_access_key_id = "AKIDEXAMPLE",
        aws_secret_access_key = "the-secret" }:client(case[1],
        { region_name = case[3], endpoint_url = case[4] })
      local signed
      client.meta.events:register("before-send", function(event)
        signed = event.request.headers.Authorization:match("Credential=%w+/%d+/([^/]*)/")
        return { status_code = 200, headers = {}, body = "" }
      end)
      local _, err = pcall(client[case[2]], client)
      assert.same(case, { case[1], case[2], case[3], case[4], client.meta.region_name, signed or err.kind })
    end
  end)

  it("takes versions of its API, and older names of services", function()
    assert.equal("2016-09-15", session():client("ec2", {
      api_version = "2016-09-15" }).meta.service_model.api_version)
    assert.matches("ec2/1999", raised(session().client, session(), "ec2", { api_version = "1999" }).message,
      1, true)
    assert.is_function(session():client("runtime.sagemaker").invoke_endpoint)
  end)

  it("has the exceptions of its model, and names them all when asked for another", function()
    local sqs = session():client("sqs")
    assert.equal("QueueDoesNotExist", sqs.exceptions.QueueDoesNotExist.name)
    assert.equal("ClientError", sqs.exceptions.from_code("NoSuchCode").name)
    local err = raised(function()
      return sqs.exceptions.Nope
    end)
    assert.equal("AttributeError", err.kind)
    assert.matches("Valid exceptions are: .*QueueDoesNotExist", err.message)
  end)

  it("knows its waiters, its paginators, and nothing after it was closed", function()
    local ec2 = session():client("ec2")
    local names = table.concat(ec2.waiter_names, " ")
    assert.matches("instance_running", names, 1, true)
    assert.is_true(ec2:can_paginate("describe_instances"))
    assert.is_false(ec2:can_paginate("run_instances"))
    ec2:close()
    ec2:close()
    assert.equal("the client is closed", raised(ec2.describe_instances, ec2).message)
  end)

  it("names the nearest of what it does not know", function()
    local s = session()
    for _, case in ipairs{
      { function() return s:client("ec2").desribe_instances end, "describe_instances" },
      { function() s:client("s3", { config = { retriez = {} } }) end, "retries" },
      { function() s:client("s3", { config = { s3 = { addresing_style = "path" } } }) end,
        "addressing_style" },
      { function() s:client("s33") end, "Did you mean: s3?" },
    } do
      assert.matches(case[2], raised(case[1]).message, 1, true)
    end
  end)

  it("hands back nil and the error through try", function()
    local result, err = session():client("s3").try:head_bucket{ Bucket = "not a bucket" }
    assert.is_nil(result)
    assert.equal("ParamValidationError", err.kind)
  end)

  -- The answer of endpoint rules is kept for later calls, and named the region by a piece of the first
  -- call's ARN.
  it("signs for an access point's region in every call", function()
    local client = session():client("s3")
    local scopes = {}
    client.meta.events:register("before-send", function(event)
      scopes[#scopes + 1] = event.request.headers.Authorization:match("Credential=%w+/%d+/([^,]*),")
      return { status_code = 200, headers = {}, body = "" }
    end)
    for _ = 1, 3 do
      client:head_object{ Bucket = "arn:aws:s3:eu-west-1:123456789012:accesspoint/point", Key = "k" }
      client:head_object{ Bucket = "another-bucket", Key = ("a-long-key/"):rep(20) }
    end
    client:close()
    assert.same({ "eu-west-1/s3/aws4_request", "us-east-1/s3/aws4_request", "eu-west-1/s3/aws4_request",
      "us-east-1/s3/aws4_request", "eu-west-1/s3/aws4_request", "us-east-1/s3/aws4_request" }, scopes)
  end)
end)
