-- session:resolve_endpoint beside botocore's resolver: the URL, properties and headers that the rules of a
-- service make of the same parameters.
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")
local raised = require("spec.support.raised")

local CASES = {
  { "ec2", { Region = "us-gov-west-1", UseFIPS = true, UseDualStack = true } },
  { "sqs", { Region = "eu-west-1", Endpoint = "https://localhost:9000/path" } },
  { "s3", { Region = "us-west-2", Bucket = "a.b" } },
  { "s3", { Region = "us-west-2", Bucket = "bucket", UseFIPS = false, UseDualStack = true, Accelerate = false,
    ForcePathStyle = true, UseArnRegion = true, DisableMultiRegionAccessPoints = false } },
  { "s3", { Region = "us-west-2", Bucket = "arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap" } },
  { "s3", { Region = "us-west-2",
    Bucket = "arn:aws:s3-outposts:us-west-2:123456789012:outpost:op-1:accesspoint:a" } },
  { "s3", { Region = "us-west-2", Bucket = "bucket--usw2-az1--x-s3" } },
  { "s3control", { Region = "us-west-2", AccountId = "123456789012", RequiresAccountId = true,
    Bucket = "arn:aws:s3-outposts:us-west-2:123456789012:outpost:op-1:bucket:b" } },
  { "dynamodb", { Region = "us-east-1", AccountIdEndpointMode = "preferred",
    ResourceArnList = { "arn:aws:dynamodb:us-east-1:222222222222:table/t",
      "arn:aws:dynamodb:us-east-1:333333333333:table/u" } } },
  { "dynamodb", { Region = "us-east-1", AccountIdEndpointMode = "preferred", ResourceArnList = {} } },
  { "iam", { Region = "cn-north-1" } },
  { "elasticfilesystem-no-such", {} },
  { "ec2", {} },
  { "s3", { Region = "us-west-2", Bucket = "arn:aws:s3:us-west-2:123456789012:accesspoint" } },
}

local BOTOCORE = [[
import json, sys
import botocore.session
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError, UnknownServiceError
loader = botocore.session.get_session().get_component("data_loader")
found = []
for service, params in json.load(sys.stdin):
    if params.get("ResourceArnList") == {}:
        params["ResourceArnList"] = []
    try:
        rules = loader.load_service_model(service, "endpoint-rule-set-1")
        e = EndpointProvider(rules, loader.load_data("partitions")).resolve_endpoint(**params)
        found.append({"url": e.url, "properties": e.properties, "headers": e.headers})
    except UnknownServiceError:
        found.append({"error": "UnknownServiceError"})
    except EndpointProviderError as e:
        found.append({"error": str(e)})
print(json.dumps(found))
]]

local function found_by_botocore()
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(cjson.encode(CASES))
  file:close()
  local text = child.output({ "sh", "-c", "exec python3 -c " .. child.quote(BOTOCORE) .. " < " .. path })
  os.remove(path)
  return cjson.decode(text)
end

it("endpoint rules make of parameters what they make in botocore", function()
  local session = aws.session{ aws_access_key_id = "a", aws_secret_access_key = "b" }
  for i, expected in ipairs(found_by_botocore()) do
    local service, params = table.unpack(CASES[i])
    if expected.error then
      local err = raised(session.resolve_endpoint, session, service, params)
      assert.equal(expected.error, err.kind == "UnknownServiceError" and err.kind or err.message, i)
    else
      for name, values in pairs(expected.headers) do
        expected.headers[name] = values[1] -- the only one that is ever sent
      end
      assert.same(expected, session:resolve_endpoint(service, params), i)
    end
  end
end)
