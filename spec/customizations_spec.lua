-- What botocore adds to single operations, each beside botocore: the rows that service_s3_spec.lua and
-- service_others_spec.lua have no case for.
local aws = require("luaws")
local core = require("luaws.core")
local merged = require("spec.support.merged")
local oracle = require("spec.support.oracle")

local PLAIN = { retries = { total_max_attempts = 1, mode = "standard" } }
local KEY = "0123456789abcdef0123456789abcdef"
local FROM = "eu-west-1"

local function call(service, method, params, answer, more)
  local made = { service = service, method = method, params = params, config = PLAIN,
    answers = { answer or {} }, with_response = true }
  for name, value in pairs(more or {}) do
    made[name] = value
  end
  return made
end

local OBJECT = { Bucket = "bucket", Key = "k" }
local UPLOAD = merged(OBJECT, { UploadId = "u" })
local PART = merged(UPLOAD, { PartNumber = 1 })
local COPY = { CopySource = "from/k" }
local SELECT = merged(OBJECT, { Expression = "e", ExpressionType = "SQL", InputSerialization = {},
  OutputSerialization = {} })
-- operation → its parameters, of all that take a customer's key
local KEYED = { head_object = OBJECT, get_object = OBJECT, put_object = OBJECT,
  copy_object = merged(OBJECT, COPY),
  create_multipart_upload = OBJECT, upload_part = PART, upload_part_copy = merged(PART, COPY),
  complete_multipart_upload = UPLOAD, select_object_content = SELECT }
local XML = { body = "<x><UploadId>u</UploadId></x>" }

local function keyed()
  local calls = {}
  for method, params in pairs(KEYED) do
    for _, more in ipairs{ { SSECustomerKey = KEY },
      { SSECustomerKey = KEY, SSECustomerKeyMD5 = "mine" } } do
      calls[#calls + 1] = call("s3", method, merged(params, more), XML)
    end
    if params.CopySource then
      calls[#calls + 1] = call("s3", method, merged(params, { CopySourceSSECustomerKey = KEY }), XML)
    end
  end
  return calls
end

local function metadata()
  local calls = {}
  for _, method in ipairs{ "copy_object", "put_object", "create_multipart_upload" } do
    for _, given in ipairs{ { a = "é" }, { ["é"] = "a" }, { a = "plain", b = "" } } do
      calls[#calls + 1] = call("s3", method, merged(KEYED[method], { Metadata = given }), XML)
    end
  end
  return calls
end

local function unsigned()
  local calls, id = {}, { IdentityId = "us-east-1:x" }
  for method, params in pairs{ get_id = { IdentityPoolId = "us-east-1:x" }, get_open_id_token = id,
    get_credentials_for_identity = id,
    unlink_identity = merged(id, { Logins = {}, LoginsToRemove = { "x" } }),
    describe_identity = id } do
    calls[#calls + 1] = call("cognito-identity", method, params, { body = "{}" })
  end
  calls[#calls + 1] = call("sts", "assume_role_with_saml", { RoleArn = ("a"):rep(20),
    PrincipalArn = ("a"):rep(20), SAMLAssertion = "abcd" }, { body = "<AssumeRoleWithSAMLResponse/>" })
  calls[#calls + 1] = call("sts", "get_caller_identity", {}, { body = "<GetCallerIdentityResponse/>" })
  return calls
end

local function escaped()
  local calls = {}
  for _, key in ipairs{ "a\rb\nc\r\nd", "a&b<c>\"d'", "\t é", "" } do
    calls[#calls + 1] = call("s3", "delete_objects", { Bucket = "bucket",
      Delete = { Objects = { { Key = "k" .. key } } } }, { body = "<DeleteResult/>" })
    calls[#calls + 1] = call("s3", "put_bucket_lifecycle_configuration", { Bucket = "bucket",
      LifecycleConfiguration = { Rules = { { Status = "Enabled", Filter = { Prefix = "p" .. key } } } } })
  end
  return calls
end

local function times()
  local calls = {}
  for _, time in ipairs{ 1700000000, 1700000000.5, 1700000000.123456, "2024-01-01T00:00:00Z", 0 } do
    calls[#calls + 1] = call("bedrock-agentcore", "create_event", { memoryId = "memory-0123456789",
      actorId = "a", sessionId = "s", eventTimestamp = time,
      payload = { { blob = { a = 1 } } }, clientToken = "t" }, { body = "{}" })
  end
  return calls
end

local function aliases()
  return {
    call("socialmessaging", "delete_whatsapp_media_message", { mediaId = "m",
      originationPhoneNumberId = "p" }, { body = "{}" }),
    call("cloudwatch", "get_o_tel_enrichment", {}, { body = "{}" }),
    call("cloudwatch", "start_o_tel_enrichment", {}, { body = "{}" }),
    call("cloudwatch", "stop_o_tel_enrichment", {}, { body = "{}" }),
    call("runtime.sagemaker", "invoke_endpoint", { EndpointName = "e", Body = "x" }, { body = "y" }),
  }
end

local function errors_of_sqs()
  local calls = {}
  for _, header in ipairs{ "AWS.SimpleQueueService.NonExistentQueue;Sender", "Mine;Sender", "no type",
    "a;b;c", ";Sender" } do
    calls[#calls + 1] = call("sqs", "get_queue_url", { QueueName = "q" }, { status = 400,
      headers = { ["x-amzn-query-error"] = header },
      body = '{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}' })
  end
  return calls
end

local ROWS = {
  ["adds the MD5 of a customer's key, to every operation that takes one"] = keyed,
  ["refuses metadata of objects that is not ASCII"] = metadata,
  ["signs nothing of what gives credentials or takes them away"] = unsigned,
  ["escapes line ends in XML that S3 reads"] = escaped,
  ["tells Amazon Bedrock AgentCore times to the millisecond"] = times,
  ["answers to older names of methods and services"] = aliases,
  ["takes the code of an error of SQS from its header"] = errors_of_sqs,
}

-- S3 counts an escape by its number, in decimal or not.
local function same_escapes(request)
  request.body = request.body:gsub("&#x(%x+);", function(hex)
    return "&#" .. tonumber(hex, 16) .. ";"
  end)
  request.headers["transfer-encoding"] = nil
  for name in pairs(request.headers) do
    if name:find("^x%-amz%-checksum") or name == "x-amz-content-sha256" then
      request.headers[name] = "of the body"
    end
  end
  if request.body:find("^<SelectObjectContentRequest") then
    request.body = #request.body:gsub("%s*/>", ""):gsub("><", "") > 0 -- members in an order of their own
  elseif request.body:find("^<") then
    local pieces = {} -- members stand in the order of the question, whose JSON has none
    for piece in request.body:gmatch("<[^>]*>[^<]*") do
      pieces[#pieces + 1] = piece
    end
    table.sort(pieces)
    request.body = pieces
  elseif request.body:find("^{") then
    request.body = require("cjson").decode(request.body)
  end
  return request
end

describe("luaws as botocore", function()
  for what, row in pairs(ROWS) do
    it(what, function()
      local count = 0
      oracle.each(row(), function(made, botocore, luaws)
        local name = made.service .. "." .. made.method
        for i, request in ipairs(botocore.requests) do
          assert.same(same_escapes(request), luaws.requests[i] and same_escapes(luaws.requests[i]), name)
        end
        assert.equal(#botocore.requests, #luaws.requests, name)
        if not botocore.broken then
          assert.equal(botocore.error, luaws.error, name)
          local theirs, ours = botocore.response or {}, luaws.response or {}
          assert.same(theirs.Error, ours.Error, name)
        end
        count = count + 1
      end)
      assert.is_true(count > 3)
    end)
  end

  it("signs a URL for every copy of RDS, Neptune and DocumentDB from another region", function()
    local cluster = { DBClusterIdentifier = "a", Engine = "e", SourceRegion = FROM }
    local snapshot = { SourceDBClusterSnapshotIdentifier = "a", TargetDBClusterSnapshotIdentifier = "b",
      SourceRegion = FROM }
    local calls = {
      call("rds", "copy_db_cluster_snapshot", snapshot), call("rds", "create_db_cluster", cluster),
      call("rds", "copy_db_snapshot", { SourceDBSnapshotIdentifier = "a", TargetDBSnapshotIdentifier = "b",
        SourceRegion = FROM }),
      call("rds", "start_db_instance_automated_backups_replication", { SourceDBInstanceArn = "a",
        SourceRegion = FROM }),
      call("neptune", "create_db_cluster", cluster), call("docdb", "copy_db_cluster_snapshot", snapshot),
    }
    oracle.each(calls, function(made, botocore, luaws)
      local signed = {}
      for i, side in ipairs{ botocore, luaws } do
        local body = side.requests[1].body
        local url = core.percent_decode(body:match("PreSignedUrl=([^&]*)"))
        signed[i] = { body = body:gsub("PreSignedUrl=[^&]*", ""),
          url = url:gsub("%d%d%d%d%d%d%d%dT%d%d%d%d%d%dZ", ""):gsub("Signature=%x+", "") }
        assert.matches("^https://rds%.eu%-west%-1%.", url)
      end
      assert.equal(signed[1].body, signed[2].body, made.method)
      local fields = {}
      for i = 1, 2 do
        fields[i] = {}
        for field in signed[i].url:gmatch("[^?&]+") do
          fields[i][#fields[i] + 1] = field
        end
        table.sort(fields[i])
      end
      assert.same(fields[1], fields[2], made.method)
    end)
  end)

  it("keeps the error of an unknown method for names that are no aliases", function()
    local client = aws.client("cloudwatch", { region_name = "us-east-1" })
    local ok, err = pcall(function() return client.get_o_tel_enrichments end)
    assert.same({ false, "AttributeError" }, { ok, err.kind })
  end)
end)
