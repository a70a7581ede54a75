-- Answers that no service gives, but what stands before one may: compared with what botocore makes of them,
-- for every protocol, and how often it tries again. Where luaws departs is told in docs/guide.md.
local aws = require("luaws")
local oracle = require("spec.support.oracle")
local raised = require("spec.support.raised")
local server = require("spec.support.server")

local OPERATIONS = {
  { "sts", "get_caller_identity", "query" }, { "ec2", "describe_vpcs", "query" },
  { "s3", "list_buckets", "xml" }, { "cloudfront", "list_distributions", "xml" },
  { "dynamodb", "list_tables", "json" }, { "lambda", "list_functions", "json" },
  { "arc-region-switch", "list_plans", "json" }, -- CBOR
}

-- Each with its Content-Type.
local BODIES = {
  ["nothing"] = { "" },
  ["a text"] = { "Service is down", "text/plain" },
  ["a page"] = { "<html><body><h1>Bad</h1><br>x</body></html>", "text/html" },
  ["a page that is XML"] = { "<html><body><h1>Bad</h1></body></html>", "text/html" },
  ["XML that breaks off"] = { "<ErrorResponse><Error><Code>Thrott", "text/xml" },
  ["JSON"] = { '{"__type":"x#ThrottlingException","message":"slow"}', "application/json" },
  ["JSON that breaks off"] = { '{"__type":"x#Thrott', "application/json" },
  ["JSON that is no object"] = { "[1]", "application/json" },
  ["an error by a wrong type"] = { "<ErrorResponse><Error><Code>Bad</Code><Message>m</Message></Error>"
    .. "</ErrorResponse>", "application/octet-stream" },
  ["another's error"] = { "<Error><Code>Bad</Code><Message>m</Message></Error>", "application/json" },
}
local STATUSES = { 200, 301, 400, 404, 503 }
local ATTEMPTS = 3

-- What is to come of it where botocore stumbles, takes it for something else, or does not try again.
local function better(call, theirs)
  local status = call.answers[1].status
  local failed = { kind = "ClientError", code = tostring(status), attempts = status >= 500 and ATTEMPTS or 1 }
  if status < 300 then
    local silent = call.protocol == "json" and theirs.kind == nil and call.what ~= "nothing"
      and call.what ~= "JSON"
    local page = call.service == "s3" and call.what == "a page"
    return (theirs.broken or silent or page) and { kind = "ResponseParserError", attempts = 1 } or nil
  elseif theirs.kind == "ResponseParserError" or theirs.broken or (theirs.code or "") == "" then
    failed.code = call.answers[1].body:match("<Code>(Bad)</Code>") or failed.code
    return failed
  end
end

local function summary(side)
  local detail = side.response and side.response.Error
  return { kind = side.kind, code = detail and detail.Code, attempts = #side.requests, broken = side.broken }
end

describe("a strange answer", function()
  it("is what botocore makes of it, or better", function()
    local calls = {}
    for _, operation in ipairs(OPERATIONS) do
      for what, body in pairs(BODIES) do
        for _, status in ipairs(STATUSES) do
          calls[#calls + 1] = { service = operation[1], method = operation[2], protocol = operation[3],
            what = what, with_response = true,
            config = { retries = { total_max_attempts = ATTEMPTS, mode = "standard" } },
            answers = { { status = status, body = body[1], headers = { ["Content-Type"] = body[2] } } } }
        end
      end
    end
    local alike = 0
    oracle.each(calls, function(call, botocore, luaws)
      local theirs, ours = summary(botocore), summary(luaws)
      local expected = better(call, theirs)
      alike = alike + (expected and 0 or 1)
      assert.same(expected or theirs, ours, ("%s, %s, %d"):format(call.service, call.what,
        call.answers[1].status))
    end)
    assert.is_true(alike > #calls / 2)
  end)

  it("that moves a bucket nowhere is raised", function()
    local peer <close> = server.start()
    local client = aws.client("s3", { region_name = "us-east-1", endpoint_url = peer.url,
      aws_access_key_id = "a", aws_secret_access_key = "b" })
    for _, body in ipairs{ "", "<html>moved</html>", "<Error><Code>PermanentRedirect</Code></Error>" } do
      for count, method in ipairs{ "head_bucket", "list_objects_v2" } do
        peer:clear()
        peer:reply{ status = 301, body = body, always = true }
        local err = raised(client[method], client, { Bucket = "bucket" })
        assert.equal("ClientError", err.kind)
        assert.equal(301, err.response.ResponseMetadata.HTTPStatusCode)
        assert.equal(count, #peer:requests())
      end
    end
  end)
end)
