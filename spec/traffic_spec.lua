-- Real traffic: short stories of some sixty services in every protocol, against moto.
local aws = require("luaws")
local errors = require("luaws.errors")
local same = require("luassert.util").deepcompare
local child = require("spec.support.child")
local moto = require("spec.support.moto")
local story = require("spec.support.story")

local function client_of(service, region)
  return aws.client(service, { region_name = region, endpoint_url = moto.url, aws_access_key_id = "testing",
    aws_secret_access_key = "testing" })
end

-- What is not as the step wants it, or nil.
local function complaint(step, answer, err, known)
  if step.fails then
    local as_meant = err and errors.is_error(err) and err:is(step.fails)
    return not as_meant and ("%s should fail with %s: %s"):format(step[1], step.fails, err) or nil
  elseif err then
    return ("%s: %s"):format(step[1], err)
  end
  local meant, was = story.compare(step, answer, known)
  return not same(meant, was) and { step[1], meant = meant, was = was } or nil
end

for _, file in ipairs({ "xml", "json", "rest_json" }) do
  for _, told in ipairs(dofile("spec/fixtures/traffic/" .. file .. ".lua")) do
    describe("traffic of " .. told[1], function()
      setup(moto.reset)

      it("tells that " .. told[2], function()
        local complaints = {}
        story.play(told, client_of, function(...)
          complaints[#complaints + 1] = complaint(...)
        end)
        assert.same({}, complaints)
      end)
    end)
  end
end

describe("traffic with keys that are checked", function()
  -- How many calls moto takes unchecked.
  local function leave_unchecked(count)
    child.output({ "curl", "-sS", "--noproxy", "*", "-f", "-d", count, "-o", "/dev/null",
      "-H", "Content-Type: text/plain", moto.url .. "/moto-api/reset-auth" })
  end
  local key
  setup(function()
    moto.reset()
    local iam = client_of("iam", "us-east-1")
    iam:create_user{ UserName = "user" }
    iam:put_user_policy{ UserName = "user", PolicyName = "all", PolicyDocument =
      [[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}]] }
    key = iam:create_access_key{ UserName = "user" }.AccessKey
    leave_unchecked("0")
  end)
  teardown(function()
    leave_unchecked("inf")
  end)

  local function code(service, method, access_key, secret_key, region)
    local client = aws.client(service, { region_name = region or "us-east-1", endpoint_url = moto.url,
      aws_access_key_id = access_key, aws_secret_access_key = secret_key })
    local answer, err = client.try[method](client.try)
    return answer and "ok" or err.code
  end

  local refused, forbidden = { "SignatureDoesNotMatch", "InvalidClientTokenId" }, { "403", "403" }
  local cases = {
    { "s3", "list_buckets", { "SignatureDoesNotMatch", "InvalidAccessKeyId" } },
    { "ec2", "describe_regions", { "AuthFailure", "AuthFailure" } },
    { "iam", "list_users", refused }, { "sns", "list_topics", refused },
    { "ses", "list_identities", refused }, { "sqs", "list_queues", forbidden },
    { "dynamodb", "list_tables", forbidden }, { "ecs", "list_clusters", forbidden },
    { "kms", "list_keys", forbidden }, { "cloudwatch", "list_metrics", forbidden },
  }
  for _, case in ipairs(cases) do
    it("of " .. case[1] .. " is let through with the right one only", function()
      local service, method = case[1], case[2]
      assert.same({ "ok", "ok", table.unpack(case[3]) }, {
        code(service, method, key.AccessKeyId, key.SecretAccessKey),
        code(service, method, key.AccessKeyId, key.SecretAccessKey, "eu-central-1"),
        code(service, method, key.AccessKeyId, "wrong"),
        code(service, method, "AKIANOBODY0000000000", key.SecretAccessKey),
      })
    end)
  end
end)
