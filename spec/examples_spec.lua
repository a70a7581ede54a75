-- The examples do what the README says, against moto.
local child = require("spec.support.child")
local moto = require("spec.support.moto")
local server = require("spec.support.server")
local aws = require("luaws")

local luaws = (os.getenv("LUAWS_BUILD") or "build") .. "/luaws"

local function run(script, url)
  local command = ("AWS_ENDPOINT_URL=%s AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b "
    .. "AWS_DEFAULT_REGION=us-east-1 '%s' examples/%s 2>&1"):format(url or moto.url, luaws, script)
  local pipe <close> = assert(io.popen(command))
  return pipe:read("a")
end

local function client(name)
  return aws.client(name, { region_name = "us-east-1", endpoint_url = moto.url, aws_access_key_id = "a",
    aws_secret_access_key = "b" })
end

local function run_instances(tags)
  local ec2 = client("ec2")
  local image = ec2:describe_images{ Owners = { "amazon" } }.Images[1].ImageId
  return ec2:run_instances{ ImageId = image, MinCount = 1, MaxCount = 1,
    TagSpecifications = tags and { { ResourceType = "instance", Tags = tags } } }.Instances[1].InstanceId
end

describe("the examples", function()
  before_each(moto.reset)

  it("tour.lua prints what the README shows", function()
    local readme <close> = assert(io.open("README.md"))
    local shown = assert(readme:read("a"):match("\n```\n(account\t.-)```"), "the tour's output is shown")
    local function plain(text)
      return (text:gsub("i%-%x+", "i-0"):gsub("127%.0%.0%.1:%d+", "127.0.0.1:0"))
    end
    assert.equal(plain(shown), plain(run("tour.lua")))
  end)

  it("tag_audit.lua finds what lacks a tag", function()
    local bare = run_instances()
    run_instances({ { Key = "Name", Value = "n" }, { Key = "Owner", Value = "o" } })
    local output = run("tag_audit.lua")
    assert.matches("us%-east%-1 +" .. bare:gsub("%-", "%%-") .. " +lacks Name, Owner", output)
    assert.matches("1 instances in %d+ regions lack tags", output)
  end)

  it("s3_prefix_sizes.lua adds up what lies under each prefix", function()
    local s3 = client("s3")
    s3:create_bucket{ Bucket = "bucket" }
    for i = 1, 5 do
      s3:put_object{ Bucket = "bucket", Key = "a/" .. i, Body = ("x"):rep(1024) }
    end
    s3:put_object{ Bucket = "bucket", Key = "f", Body = "y" }
    assert.equal("     5.0 KiB         5 objects  a/\n         1 B         1 objects  (files)\n",
      run("s3_prefix_sizes.lua bucket"))
  end)

  it("stop_idle.lua stops only what is idle, and only when told", function()
    local idle, busy = run_instances(), run_instances()
    for id, load in pairs{ [idle] = 1.5, [busy] = 90 } do
      client("cloudwatch"):put_metric_data{ Namespace = "AWS/EC2", MetricData = { {
        MetricName = "CPUUtilization", Value = load, Timestamp = os.time() - 100,
        Dimensions = { { Name = "InstanceId", Value = id } },
      } } }
    end
    assert.equal("would stop " .. idle .. ": at most 1.5% CPU\n"
      .. "1 of 2 running instances are idle; nothing was stopped (say --really)\n", run("stop_idle.lua"))
    assert.equal("stopping " .. idle .. ": at most 1.5% CPU\n1 of 2 running instances are idle\n",
      run("stop_idle.lua --really"))
  end)

  it("dynamodb_import.lua writes lines of JSON, and tells which one is wrong", function()
    client("dynamodb"):create_table{ TableName = "songs", BillingMode = "PAY_PER_REQUEST",
      KeySchema = { { AttributeName = "id", KeyType = "HASH" } },
      AttributeDefinitions = { { AttributeName = "id", AttributeType = "N" } } }
    local path = os.tmpname()
    local function import(...)
      local file <close> = assert(io.open(path, "w"))
      file:write(...)
      file:close()
      return (run("dynamodb_import.lua songs " .. path):gsub(" in %d+ s", ""))
    end
    local lines = {}
    for id = 1, 60 do
      lines[id] = ('{"id": %d, "tags": ["a", null], "deep": {"x": 0.5}}\n'):format(id)
    end
    lines[61] = '{"id": 60, "last": true}\n'
    assert.equal("61 lines into songs\n", import(table.concat(lines)))
    local found = client("dynamodb"):scan{ TableName = "songs" }
    assert.equal(60, found.Count)
    local last = client("dynamodb"):get_item{ TableName = "songs", Key = { id = { N = "60" } } }.Item
    assert.same({ id = { N = "60" }, last = { BOOL = true } }, last)
    assert.matches(path .. ":2: ", import('{"id": 1}\n', '{"id": 2,}\n'), 1, true)
    assert.matches(path .. ":1: .*overwrite_by_pkeys", import('{"name": "no key"}\n'))
    os.remove(path)
  end)

  it("tail_logs.lua prints each event once, those that come later too, until Ctrl-C", function()
    local logs = client("logs")
    logs:create_log_group{ logGroupName = "group" }
    logs:create_log_stream{ logGroupName = "group", logStreamName = "stream" }
    local function log(message)
      logs:put_log_events{ logGroupName = "group", logStreamName = "stream",
        logEvents = { { timestamp = os.time() * 1000, message = message } } }
    end
    log("one ☃")
    log("two")
    local path = os.tmpname()
    local pid = child.output({ "sh", "-c", "AWS_ENDPOINT_URL=" .. moto.url .. " AWS_ACCESS_KEY_ID=a "
      .. "AWS_SECRET_ACCESS_KEY=b AWS_DEFAULT_REGION=us-east-1 setsid '" .. luaws
      .. "' examples/tail_logs.lua group > " .. path .. " 2>&1 & echo $!" }):gsub("%s", "")
    local function printed(wanted)
      local text = ""
      for _ = 1, 1200 do
        local file <close> = assert(io.open(path))
        text = file:read("a")
        if text:find(wanted, 1, true) then
          break
        end
        aws.async.sleep(0.05)
      end
      return (text:gsub("[%dT:-]+Z\t", "TIME "))
    end
    assert.equal("TIME stream\tone ☃\nTIME stream\ttwo\n", printed("two\n"))
    log("three")
    assert.equal("TIME stream\tone ☃\nTIME stream\ttwo\nTIME stream\tthree\n", printed("three\n"))
    local ended = child.output({ "sh", "-c", 'kill -INT "$0"; for i in $(seq 500); do sleep 0.02; '
      .. 'kill -0 "$0" 2>/dev/null || { echo ended; exit; }; done; kill "$0"', pid })
    assert.equal("ended\n", ended)
    assert.equal("TIME stream\tone ☃\nTIME stream\ttwo\nTIME stream\tthree\n", printed("three\n"))
    os.remove(path)
  end)

  it("public_buckets.lua tells what is open, and by what", function()
    local peer = server.start()
    local function buckets(...)
      local list = ""
      for _, name in ipairs{ ... } do
        list = list .. "<Bucket><Name>" .. name .. "</Name></Bucket>"
      end
      return "<ListAllMyBucketsResult><Buckets>" .. list .. "</Buckets></ListAllMyBucketsResult>"
    end
    local function acl(group)
      return '<AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/'
        .. 'XMLSchema-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/groups/' .. group
        .. "</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>"
    end
    local function missing(code)
      return "<Error><Code>" .. code .. "</Code></Error>"
    end
    peer:reply(
      { target = "^/$|^/[?]x-id", body = buckets("by-policy", "by-acl", "closed", "blocked") },
      { target = "by-policy.*policyStatus", body = "<PolicyStatus><IsPublic>true</IsPublic></PolicyStatus>" },
      { target = "policyStatus", status = 404, body = missing("NoSuchBucketPolicy"), always = true },
      { target = "blocked.*publicAccessBlock", body = "<PublicAccessBlockConfiguration><IgnorePublicAcls>true"
        .. "</IgnorePublicAcls></PublicAccessBlockConfiguration>" },
      { target = "publicAccessBlock", status = 404, body = missing("NoSuchPublicAccessBlockConfiguration"),
        always = true },
      { target = "by-acl.*acl", body = acl("global/AllUsers") },
      { target = "acl", body = acl("s3/LogDelivery"), always = true })
    assert.equal("by-policy\tits policy\nby-acl\tits ACL: READ for everybody\n2 of 4 buckets are open\n",
      run("public_buckets.lua", peer.url))
    peer:reply({ target = "^/$|^/[?]x-id", body = buckets("denied") },
      { status = 403, body = missing("AccessDenied"), always = true })
    assert.matches("AccessDenied", run("public_buckets.lua", peer.url))
    peer:stop()
  end)
end)
