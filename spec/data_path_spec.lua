-- Models of one's own: where they are looked for, which one wins, compared with boto3.
local child = require("spec.support.child")
local cjson = require("cjson")

-- Makes folders of models below the folder that is its argument, out of botocore's own.
local MAKE = [[
import glob, gzip, json, os, sys
import botocore
home, data = sys.argv[1], os.path.dirname(botocore.__file__) + "/data/"
def load(path):
    return json.load(gzip.open(sorted(glob.glob(data + path + ".json.gz"))[-1]))
def put(path, model):
    os.makedirs(os.path.dirname(home + path), exist_ok=True)
    text = json.dumps(model).encode()
    open(home + path, "wb").write(gzip.compress(text) if path.endswith(".gz") else text)
def sqs(version, *operations):
    model = load("sqs/*/service-2")
    model["metadata"]["apiVersion"] = version
    if operations:
        model["operations"] = {name: model["operations"][name] for name in operations}
    return model
put("/.aws/models/sqs/2030-01-01/service-2.json", sqs("2030-01-01"))
put("/A/mything/2012-11-05/service-2.json", sqs("2012-11-05", "ListQueues", "DeleteQueue"))
put("/B/mything/2012-11-05/service-2.json.gz", sqs("2012-11-05", "ListQueues"))
put("/B/mything/2012-11-05/endpoint-rule-set-1.json", load("sqs/*/endpoint-rule-set-1"))
purge = sqs("2012-11-05")["operations"]["PurgeQueue"]
put("/B/mything/2012-11-05/service-2.sdk-extras.json", {"merge": {"operations": {"PurgeQueue": purge}}})
os.makedirs(home + "/B/empty/2012-11-05")
os.makedirs(home + "/B/noversion")
open(home + "/B/afile", "w").write("x")
path = data + "endpoints.json"
endpoints = json.load(gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path))
for partition in endpoints["partitions"]:
    if partition["partition"] == "aws":
        services = partition["services"]
        services["sqs"] = {"defaults": {"hostname": "{service}.{region}.custom.test"}, "endpoints": {}}
        services["ec2"] = {"endpoints": {"us-east-1": {"hostname": "ec2.custom.test"}}}
put("/E/endpoints.json", endpoints)
]]

local PYTHON = [[
import json, sys
import boto3
def attempt(fn):
    try:
        return fn()
    except Exception as e:
        return type(e).__name__
s = boto3.Session(region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
names = s.get_available_services()
out = {"services": [n for n in ("sqs", "mything", "empty", "noversion", "afile") if n in names],
       "count": len(names), "versions": [], "urls": []}
for v in (None, "2012-11-05", "1999-01-01"):
    out["versions"].append(attempt(lambda: s.client("sqs", api_version=v).meta.service_model.api_version))
for name in ("mything", "empty", "noversion"):
    out[name] = attempt(lambda: sorted(s.client(name).meta.method_to_api_mapping))
for name, region in (("sqs", None), ("sqs", "us-west-2"), ("ec2", None), ("sts", None)):
    out["urls"].append(attempt(lambda: s.client(name, region_name=region).meta.endpoint_url))
out["regions"] = len(s.get_available_regions("ec2"))
json.dump(out, sys.stdout)
]]

local LUA = [[
local aws, cjson = require("luaws"), require("cjson")
local function attempt(fn)
  local ok, result = pcall(fn)
  return ok and result or result.kind
end
local s = aws.session{ region_name = "us-east-1", aws_access_key_id = "a", aws_secret_access_key = "b" }
local known, names = {}, s:get_available_services()
for _, name in ipairs(names) do
  known[name] = true
end
local out = { services = {}, count = #names, versions = {}, urls = {} }
for _, name in ipairs{ "sqs", "mything", "empty", "noversion", "afile" } do
  out.services[#out.services + 1] = known[name] and name or nil
end
for i, version in ipairs{ aws.null, "2012-11-05", "1999-01-01" } do
  out.versions[i] = attempt(function()
    return s:client("sqs", { api_version = version }).meta.service_model.api_version
  end)
end
for _, name in ipairs{ "mything", "empty", "noversion" } do
  out[name] = attempt(function()
    local methods = {}
    for method in pairs(s:client(name).meta.method_to_api_mapping) do
      methods[#methods + 1] = method
    end
    table.sort(methods)
    return methods
  end)
end
for i, one in ipairs{ { "sqs" }, { "sqs", "us-west-2" }, { "ec2" }, { "sts" } } do
  out.urls[i] = attempt(function()
    return s:client(one[1], { region_name = one[2] }).meta.endpoint_url
  end)
end
out.regions = #s:get_available_regions("ec2")
io.write(cjson.encode(out))
]]

describe("models of one's own", function()
  it("are found where boto3 finds them, and win as they do there", function()
    local home = child.output({ "mktemp", "-d" }):gsub("\n$", "")
    child.output{ "python3", "-c", MAKE, home }
    local luaws = os.getenv("LUAWS_BUILD") .. "/luaws"
    for _, case in ipairs{
      { "~/A:$HOME/B" },
      { "$HOME/B:~/A" },
      { "~/A:${HOME}/B:~/E:/nowhere::" },
      { "~/A:~/B:~/E", "AWS_USE_FIPS_ENDPOINT=true" },
      { "~/A:~/B:~/E", "AWS_USE_DUALSTACK_ENDPOINT=true" },
    } do
      local env = { "env", "-i", "PATH=" .. os.getenv("PATH"), "HOME=" .. home, "AWS_DATA_PATH=" .. case[1],
        "AWS_EC2_METADATA_DISABLED=true", case[2] or "X=" }
      local function ask(...)
        local words = { table.unpack(env) }
        table.move({ ... }, 1, 3, #words + 1, words)
        return cjson.decode(child.output(words))
      end
      assert.same(ask("python3", "-c", PYTHON), ask(luaws, "-e", LUA), table.concat(case, " "))
    end
    child.output{ "rm", "-r", home }
  end)
end)
