-- ResponseMetadata of answers and errors, in every protocol, beside botocore's.
local aws = require("luaws")
local merged = require("spec.support.merged")
local oracle = require("spec.support.oracle")
local server = require("spec.support.server")

local JSON = { ["Content-Type"] = "application/x-amz-json-1.0", ["x-amzn-RequestId"] = "json-id" }
local S3 = { ["x-amz-request-id"] = "s3-id", ["x-amz-id-2"] = "host-id", ["X-Mixed-CASE"] = "As It Is" }
local ONCE = { mode = "standard", total_max_attempts = 1 }
local TWICE = { mode = "standard", total_max_attempts = 2 }

-- { what, service, method, params, answers, retries }
local CASES = {
  { "query", "sns", "list_topics", {}, { { body = "<ListTopicsResponse><ListTopicsResult><Topics/>"
    .. "</ListTopicsResult><ResponseMetadata><RequestId>body-id</RequestId></ResponseMetadata>"
    .. "</ListTopicsResponse>",
    headers = { ["x-amzn-requestid"] = "body-id" } } } },
  { "query, with more than an id", "sdb", "list_domains", {}, { { body = "<ListDomainsResponse>"
    .. "<ListDomainsResult><DomainName>d</DomainName></ListDomainsResult><ResponseMetadata>"
    .. "<RequestId>body-id</RequestId><BoxUsage>0.0000071759</BoxUsage><Other>a&amp;b</Other>"
    .. "</ResponseMetadata></ListDomainsResponse>" } } },
  { "query, metadata first and in a namespace", "sdb", "list_domains", {}, { { body = "<a:R xmlns:a='urn:x'>"
    .. "<a:ResponseMetadata><a:BoxUsage>1</a:BoxUsage><a:RequestId>id</a:RequestId></a:ResponseMetadata>"
    .. "<a:ListDomainsResult/></a:R>" } } },
  { "query, without a result", "sns", "delete_topic", { TopicArn = "t" }, { { body = "<DeleteTopicResponse>"
    .. "<ResponseMetadata><RequestId>body-id</RequestId></ResponseMetadata></DeleteTopicResponse>" } } },
  { "query error", "sns", "list_topics", {}, { { status = 403,
    body = "<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code>"
    .. "<Message>no</Message></Error><RequestId>body-id</RequestId>"
    .. "</ErrorResponse>" } } },
  { "ec2", "ec2", "describe_regions", {}, { { body = "<DescribeRegionsResponse><requestId>ec2-id</requestId>"
    .. "<regionInfo/></DescribeRegionsResponse>" } } },
  { "ec2 error", "ec2", "describe_regions", {}, { { status = 400,
    body = "<Response><Errors><Error><Code>Bad</Code><Message>no</Message></Error></Errors>"
    .. "<RequestID>ec2-id</RequestID></Response>" } } },
  { "json", "dynamodb", "list_tables", {}, { { body = "{}", headers = JSON } } },
  { "json error", "dynamodb", "list_tables", {}, { { status = 400, headers = JSON,
    body = '{"__type":"x#ResourceNotFoundException","message":"no"}' } } },
  { "json error without a message", "dynamodb", "list_tables", {}, { { status = 400, headers = JSON,
    body = '{"__type":"x#Mine"}' } } },
  { "json without an id", "dynamodb", "list_tables", {}, { { body = "{}" } } },
  { "rest-json", "lambda", "list_functions", {}, { { body = '{"Functions":[]}', headers = JSON } } },
  { "rest-json error", "lambda", "list_functions", {}, { { status = 404, body = '{"Message":"no"}',
    headers = merged(JSON, { ["x-amzn-ErrorType"] = "ResourceNotFoundException:x" }) } } },
  { "rest-xml", "s3", "list_buckets", {}, { { body = "<ListAllMyBucketsResult/>", headers = S3 } } },
  { "rest-xml error of S3", "s3", "list_buckets", {}, { { status = 403, headers = S3,
    body = "<Error><Code>AccessDenied</Code><Message>no</Message><RequestId>body-id</RequestId>"
    .. "<HostId>body-host</HostId></Error>" } } },
  { "rest-xml error without a body", "s3", "head_object", { Bucket = "bucket", Key = "k" },
    { { status = 404, headers = S3 } } },
  { "rest-xml error of others", "cloudfront", "list_distributions", {}, { { status = 400,
    body = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidArgument</Code><Message>no</Message>"
    .. "</Error><RequestId>body-id</RequestId></ErrorResponse>" } } },
  { "an answer with the checksum of its parts", "s3", "get_object", { Bucket = "bucket", Key = "k" },
    { { body = "hello", headers = merged(S3, { ["x-amz-checksum-crc32"] = "NhCmhg==-2" }) } } },
  { "success at the last attempt", "dynamodb", "list_tables", {}, { { body = "{}", headers = JSON } }, ONCE },
  { "a retry that succeeds", "dynamodb", "list_tables", {}, { { status = 500, headers = JSON },
    { body = "{}", headers = JSON } }, TWICE },
  { "an error that is not tried again", "dynamodb", "list_tables", {}, { { status = 400, headers = JSON,
    body = '{"__type":"x#Mine"}' } }, TWICE },
  { "the same at the last attempt", "dynamodb", "list_tables", {}, { { status = 400, headers = JSON,
    body = '{"__type":"x#Mine"}' } }, ONCE },
  { "retries that run out", "dynamodb", "list_tables", {}, { { status = 503 } }, TWICE },
  { "legacy retries that run out", "sqs", "list_queues", {}, { { status = 503 } },
    { mode = "legacy", total_max_attempts = 2 } },
  { "legacy, not tried again", "sqs", "list_queues", {}, { { status = 400, headers = JSON } },
    { mode = "legacy", total_max_attempts = 1 } },
}

describe("ResponseMetadata", function()
  it("is botocore's, of answers and of errors, in every protocol", function()
    local calls = {}
    for i, case in ipairs(CASES) do
      calls[i] = { name = case[1], service = case[2], method = case[3], params = case[4], answers = case[5],
        config = { retries = case[6] or TWICE }, with_response = true }
    end
    local wrong = {}
    oracle.each(calls, function(call, theirs, ours)
      local a = (theirs.result or theirs.response or { ResponseMetadata = theirs }).ResponseMetadata
      local b = (ours.result or ours.response or { ResponseMetadata = ours }).ResponseMetadata
      if theirs.error ~= ours.error or not pcall(assert.same, a, b) then
        wrong[#wrong + 1] = { call.name, theirs = a, ours = b, texts = { theirs.error, ours.error } }
      end
    end)
    assert.same({}, wrong)
  end)

  describe("from a server", function()
    local peer
    local function client(service, retries)
      return aws.client(service, { region_name = "us-east-1", endpoint_url = peer.url,
        aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret",
        config = { retries = retries, s3 = { addressing_style = "path" } } })
    end
    setup(function()
      peer = server.start()
    end)
    before_each(function()
      peer:clear()
    end)
    teardown(function()
      peer:stop()
    end)

    it("names the checksum that an answer was compared with, and no other", function()
      peer:reply({ body = "hello", headers = { ["x-amz-checksum-crc32"] = "NhCmhg==" } },
        { body = "hello", headers = { ["x-amz-checksum-crc32"] = "NhCmhg==-2" } }, { body = "hello" })
      local s3, named = client("s3"), {}
      for i = 1, 3 do
        local answer = s3:get_object{ Bucket = "b", Key = "k" }
        answer.Body:close()
        named[i] = answer.ResponseMetadata.ChecksumAlgorithm or "none"
      end
      assert.same({ "crc32", "none", "none" }, named)
    end)

    it("tells when the quota of retries is used up", function()
      peer:reply{ status = 503, body = "{}", always = true }
      local sqs = client("sqs", { mode = "standard", total_max_attempts = 200 })
      sqs.meta.events:register("needs-retry.sqs.ListQueues", function(event)
        return event.call:retry_delay() and 0 or nil
      end)
      local _, err = sqs.try:list_queues()
      local reached = err.response.ResponseMetadata
      assert.same({ 100, true }, { reached.RetryAttempts, reached.RetryQuotaReached })
      assert.is_nil(reached.MaxAttemptsReached)
    end)

    it("has an id of the header where the body has none", function()
      peer:reply({ status = 404, headers = { ["x-amzn-requestid"] = "header-id" },
        body = "<ErrorResponse><Error><Code>NotFound</Code></Error></ErrorResponse>" })
      local _, err = client("sns").try:list_topics()
      assert.equal("header-id", err.response.ResponseMetadata.RequestId)
    end)
  end)
end)
