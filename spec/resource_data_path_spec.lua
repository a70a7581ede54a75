-- Resource models of one's own, or in place of those that are there, compared with what boto3 makes of them.
local child = require("spec.support.child")
local cjson = require("cjson")
local moto = require("spec.support.moto")

-- Makes a folder of models, out of boto3's own.
local MAKE = [[
import glob, gzip, json, os, sys
import boto3, botocore
home = sys.argv[1] + "/"
def load(module, path):
    path = sorted(glob.glob(os.path.dirname(module.__file__) + "/data/" + path + "*"))[-1]
    return json.load(gzip.open(path) if path.endswith(".gz") else open(path))
def put(path, model):
    os.makedirs(os.path.dirname(home + path), exist_ok=True)
    text = model if isinstance(model, str) else json.dumps(model)
    open(home + path, "wb").write(gzip.compress(text.encode()) if path.endswith(".gz") else text.encode())
def sqs():
    return load(boto3, "sqs/2012-11-05/resources-1")
def purge(**more):
    url = {"target": "QueueUrl", "source": "identifier", "name": "Url"}
    return {"request": {"operation": "PurgeQueue", "params": [url]}, **more}
service = load(botocore, "sqs/*/service-2")
rules = load(botocore, "sqs/*/endpoint-rule-set-1")
for name in ("mything", "clash", "dangling", "broken", "source"):
    put(name + "/2012-11-05/service-2.json", service)
    put(name + "/2012-11-05/endpoint-rule-set-1.json", rules)
put("mything/2012-11-05/resources-1.json", sqs())
# In place of the model that is there: another action, a waiter, and what extras add.
model = sqs()
model["resources"]["Queue"]["actions"]["Empty"] = purge()
model["resources"]["Queue"]["waiters"] = {"Ready": {"waiterName": "QueueReady", **purge()["request"]}}
put("sqs/2012-11-05/resources-1.json.gz", model)
put("sqs/2012-11-05/waiters-2.json", {"version": 2, "waiters": {"QueueReady": {
    "operation": "GetQueueAttributes", "delay": 0, "maxAttempts": 2,
    "acceptors": [{"state": "success", "matcher": "status", "expected": 200}]}}})
put("sqs/2012-11-05/resources-1.sdk-extras.json",
    {"merge": {"resources": {"Queue": {"actions": {"Extra": purge()}}}}})
# A version of the resources alone, and resources of no service.
put("sns/2030-01-01/resources-1.json", load(boto3, "sns/2010-03-31/resources-1"))
put("nothing/2012-11-05/resources-1.json", sqs())
# An attribute that has no name left.
model = sqs()
model["resources"]["Queue"]["identifiers"] += [{"name": "Attributes"}, {"name": "AttributesAttribute"}]
put("clash/2012-11-05/resources-1.json", model)
model = sqs()
model["resources"]["Queue"]["has"]["Nowhere"] = {"resource": {"type": "Nowhere", "identifiers": []}}
model["service"]["has"]["Nix"] = {"resource": {"type": "Nix", "identifiers": []}}
put("dangling/2012-11-05/resources-1.json", model)
put("broken/2012-11-05/resources-1.json", '{"service": ')
model = sqs()
model["resources"]["Queue"]["actions"]["Purge"]["request"]["params"][0]["source"] = "magic"
put("source/2012-11-05/resources-1.json", model)
]]

local PYTHON = [=[
import json, sys
import boto3
url = sys.argv[1]
session = boto3.Session(region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
def attempt(fn):
    try:
        return fn()
    except Exception as e:
        return type(e).__name__
def names(thing):
    return [n for n in dir(thing) if not n.startswith("_") and n != "meta"]
def open(name, **more):
    return session.resource(name, endpoint_url=url, **more)
def version(**more):
    return open("sns", **more).meta.client.meta.service_model.api_version
def story():
    queue = open("sqs").create_queue(QueueName="q")
    queue.wait_until_ready()
    answers = [queue.empty(), queue.extra()]
    return [a["ResponseMetadata"]["HTTPStatusCode"] for a in answers] + [queue.attributes["QueueArn"]]
out = {"available": session.get_available_resources(), "story": attempt(story),
       "versions": [attempt(version), attempt(lambda: version(api_version="2010-03-31"))]}
for name in ("mything", "sqs", "nothing", "clash", "dangling", "broken", "source"):
    more = ["b", "c"] if name == "clash" else []
    out[name] = [attempt(lambda: names(open(name))), attempt(lambda: names(open(name).Queue("u", *more)))]
out["wrong"] = [attempt(lambda: open("dangling").Nix()), attempt(lambda: open("source").Queue("u").purge())]
json.dump(out, sys.stdout)
]=]

local LUA = [[
local aws, cjson = require("luaws"), require("cjson")
local members = require("luaws.resource").members
local url = arg[1]
local session = aws.session{ region_name = "us-east-1", aws_access_key_id = "a", aws_secret_access_key = "b" }
local function attempt(fn)
  local ok, result = pcall(fn)
  return ok and result or result.kind
end
local function names(thing)
  local out = {}
  for name in pairs(members(thing)) do
    out[#out + 1] = name
  end
  table.sort(out)
  return out
end
local function open(name, more)
  return session:resource(name, { endpoint_url = url, api_version = more })
end
local function version(more)
  return open("sns", more).meta.client.meta.service_model.api_version
end
local function story()
  local queue = open("sqs"):create_queue{ QueueName = "q" }
  queue:wait_until_ready()
  return { queue:empty().ResponseMetadata.HTTPStatusCode, queue:extra().ResponseMetadata.HTTPStatusCode,
    queue.attributes.QueueArn }
end
local out = { available = session:get_available_resources(), story = attempt(story),
  versions = { attempt(version), attempt(function() return version("2010-03-31") end) } }
for _, name in ipairs{ "mything", "sqs", "nothing", "clash", "dangling", "broken", "source" } do
  out[name] = {
    attempt(function() return names(open(name)) end),
    attempt(function()
      return names(name ~= "clash" and open(name):Queue("u") or open(name):Queue("u", "b", "c"))
    end),
  }
end
out.wrong = { attempt(function() return open("dangling"):Nix() end),
  attempt(function() return open("source"):Queue("u"):purge() end) }
io.write(cjson.encode(out))
]]

describe("resource models of one's own", function()
  it("are found and used as by boto3, and refused where it refuses them", function()
    local home = child.output({ "mktemp", "-d" }):gsub("\n$", "")
    child.output{ "python3", "-c", MAKE, home }
    local function ask(...)
      moto.reset()
      return cjson.decode(child.output{ "env", "-i", "PATH=" .. os.getenv("PATH"), "HOME=" .. home,
        "AWS_DATA_PATH=" .. home, "AWS_EC2_METADATA_DISABLED=true", ... })
    end
    local wanted = ask("python3", "-c", PYTHON, moto.url)
    local script = home .. "/script.lua"
    local file <close> = assert(io.open(script, "w"))
    file:write(LUA)
    file:flush()
    assert.same(wanted, ask(os.getenv("LUAWS_BUILD") .. "/luaws", script, moto.url))
    assert.same({ 200, 200, "arn:aws:sqs:us-east-1:123456789012:q" }, wanted.story)
    child.output{ "rm", "-r", home }
  end)
end)
