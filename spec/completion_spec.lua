local aws = require("luaws")
local complete = require("luaws.repl.complete")
local tokens = require("luaws.repl.tokens")

local OPTIONS = { region_name = "us-east-1", aws_access_key_id = "a", aws_secret_access_key = "s" }
local SESSION = aws.session(OPTIONS)
aws.setup_default_session(OPTIONS)

local touched
local tripwire = setmetatable({}, {
  __index = function() touched = true end,
  __call = function() touched = true end,
  __pairs = function() touched = true end,
})

local env = {
  aws = aws, string = string, io = io, print = print, tripwire = tripwire,
  ec2 = SESSION:client("ec2"), s3 = SESSION:client("s3"), session = SESSION,
  resource = SESSION:resource("ec2"), instance = SESSION:resource("ec2"):Instance("i-1"),
  instances = SESSION:resource("ec2").instances:all(), bucket = SESSION:resource("s3"):Bucket("b"),
  answer = { Reservations = { { ReservationId = "r", Instances = {} } }, ResponseMetadata = {} },
  names = { plain = 1, ["two words"] = 2, [3] = 3, inner = { deep = true } },
}
env.paginator = env.ec2:get_paginator("describe_instances")
env.waiter = env.ec2:get_waiter("instance_running")

local function as_set(list)
  local set = {}
  for _, name in ipairs(list) do
    set[name] = true
  end
  return set
end

-- What is to be completed, what it is completed to (all of it), and what stands behind that.
local EXACT = {
  -- variables and tables
  { "pri", { "print" }, "" },
  { "x = functio", { "function" }, "" },
  { "names.", { "inner", "plain" }, "" },
  { "names.inner.d", { "deep" }, "" },
  { "names['inner'].", { "deep" }, "" },
  { "names.none.", {} , "" },
  { "NAMES", { "names" }, "" },
  { "string.re", { "rep", "reverse" }, "" },
  { "('x'):upp", { "upper" }, "" },
  { "io.stdout:see", { "seek" }, "" },
  { "-- names.", {}, "" },
  { "--[[ names.", {}, "" },
  { "--[[ x ]] names.in", { "inner" }, "" },
  { "'names.", {}, "'" },
  { "answer.Res", { "Reservations", "ResponseMetadata" }, "" },
  { "answer.Reservations[1].", { "Instances", "ReservationId" }, "" },
  -- the module
  { "aws.cl", { "client", "cloudfront_signer" }, "" },
  { 'aws.client("dynamodb', { "dynamodb", "dynamodbstreams" }, '"' },
  { "aws.client 'dynamodbs", { "dynamodbstreams" }, "'" },
  { "session:client([[dynamodbs", { "dynamodbstreams" }, "]]" },
  { "aws.resource('d", { "dynamodb" }, "'" },
  { "aws.session{ reg", { "region_name" }, " = " },
  { "aws.client('s3', { config = { ret", { "retries" }, " = " },
  { "aws.client('s3', { config = { retries = { mode = 'st", { "standard" }, "'" },
  { "session:resource('s3', { config = { s3 = { addressing_style = 'p", { "path" }, "'" },
  { "session:exp", { "explain" }, "" },
  { "s3:generate_presigned_url('get_object', { E", { "ExpiresIn" }, " = " },
  { "s3:generate_presigned_url('get_object', { Params = { Buc", { "Bucket" }, " = " },
  { "s3:upload_file('a', 'b', 'c', { ", { "Callback", "Config", "ExtraArgs" }, " = " },
  { "s3:upload_file('a', 'b', 'c', { ExtraArgs = { ContentT", { "ContentType" }, " = " },
  { "bucket:download_file('a', 'b', { ExtraArgs = { Ver", { "VersionId" }, " = " },
  { "bucket:upload_file('a', 'b', { Config = { multipart_c", { "multipart_chunksize" }, " = " },
  { "s3:get_object{}.Body:", { "chunks", "close", "lines", "read" }, "" },
  { "s3:select_object_content{}.Payload:", { "close", "events" }, "" },
  { "s3:get_object{}.ResponseM", { "ResponseMetadata" }, "" },
  { "s3:get_object{}.ResponseMetadata.H", { "HTTPHeaders", "HTTPStatusCode" }, "" },
  { "aws.client('s3', { endp", { "endpoint_url" }, " = " },
  { "session:get_c", { "get_component", "get_config_variable", "get_credentials" }, "" },
  -- clients
  { "ec2:describe_instance_att", { "describe_instance_attribute" }, "" },
  { "ec2.describe_instance_att", { "describe_instance_attribute" }, "" },
  { "ec2:get_w", { "get_waiter" }, "" },
  { "ec2.try:describe_instance_att", { "describe_instance_attribute" }, "" },
  { "ec2.met", { "meta" }, "" },
  { "ec2.meta.region", { "region_name" }, "" },
  { "s3.exceptions.No", { "NoSuchBucket", "NoSuchKey", "NoSuchUpload" }, "" },
  { "ec2:get_waiter('instance_r", { "instance_running" }, "'" },
  { "ec2:get_paginator 'describe_vpcs", { "describe_vpcs" }, "'" },
  { "s3:generate_presigned_url('get_object_ta", { "get_object_tagging" }, "'" },
  { "aws.client('sqs'):send_", { "send_message", "send_message_batch" }, "" },
  -- parameters
  { "ec2:describe_vpcs{ ", { "DryRun", "Filters", "MaxResults", "NextToken", "VpcIds" }, " = " },
  { "ec2:describe_vpcs({ V", { "VpcIds" }, " = " },
  { "ec2:describe_vpcs{ Filters = {}, vp", { "VpcIds" }, " = " },
  { "ec2:describe_vpcs{ DryRun = true, Filters = f(1, 2), VpcIds = {}; ", { "MaxResults", "NextToken" },
    " = " },
  { "ec2:describe_vpcs{ Filters = {{ ", { "Name", "Values" }, " = " },
  { "ec2:describe_vpcs{ Filters = {{ Name = 'x', ", { "Values" }, " = " },
  { "ec2:describe_vpcs{\n  Filters = { { Name = 'a' }, { na", { "Name" }, " = " },
  { "ec2.try:describe_vpcs{ V", { "VpcIds" }, " = " },
  { "x = { ec2:describe_vpcs{ V", { "VpcIds" }, " = " },
  { "f(function() return ec2:describe_vpcs{ V", { "VpcIds" }, " = " },
  { "ec2:run_instances{ Placement = { Ten", { "Tenancy" }, " = " },
  { "ec2:run_instances{ Placement = { Tenancy = '", { "dedicated", "default", "host" }, "'" },
  { "ec2:run_instances{ ['Placement'] = { ['Tenancy'] = 'de", { "dedicated", "default" }, "'" },
  { "s3:get_object_attributes{ ObjectAttributes = { 'Che", { "Checksum" }, "'" },
  { "ec2:get_paginator('describe_vpcs'):paginate{ Pag", { "PaginationConfig" }, " = " },
  { "ec2:describe_vpcs{ Filters = {{ Name = 'dhcp", { "dhcp-options-id" }, "'" },
  { "ec2:describe_instances{ Filters = {{ Name = 'tag", { "tag-key", "tag:" }, "'" },
  { "ec2:get_waiter('vpc_exists'):wait{ Filters = {{ Name = 'dhcp", { "dhcp-options-id" }, "'" },
  { "paginator:paginate{ PaginationConfig = { P", { "PageSize" }, " = " },
  { "ec2:get_waiter('vpc_exists'):wait{ WaiterConfig = { ", { "Delay", "MaxAttempts" }, " = " },
  { "waiter:wait{ Inst", { "InstanceIds" }, " = " },
  { "waiter:", { "wait" }, "" },
  -- answers
  { "ec2:describe_vpcs{}.", { "NextToken", "ResponseMetadata", "Vpcs" }, "" },
  { "ec2:describe_instances().Reservations[1].Instances[1].State.", { "Code", "Name" }, "" },
  { "local r = ec2:describe_vpcs()\nr.V", { "Vpcs" }, "" },
  { "for _, vpc in ipairs(ec2:describe_vpcs().Vpcs) do print(vpc.Cidr", { "CidrBlock",
    "CidrBlockAssociationSet" }, "" },
  { "for page in paginator:paginate{} do print(page.R", { "Reservations", "ResponseMetadata" }, "" },
  { "ec2:describe_instances{}.Reservations[1].Instances[1].State.Name == 'sto", { "stopped", "stopping" },
    "'" },
  -- resources
  { "resource:Insta", { "Instance" }, "" },
  { "resource.insta", { "instances" }, "" },
  { "resource.instances:st", { "start", "stop" }, "" },
  { "resource.instances:filter{ Inst", { "InstanceIds" }, " = " },
  { "resource:create_instances{ ImageI", { "ImageId" }, " = " },
  { "instance.stat", { "state", "state_reason", "state_transition_reason" }, "" },
  { "instance.state.", { "Code", "Name" }, "" },
  { "instance.vpc.cidr_block", { "cidr_block", "cidr_block_association_set" }, "" },
  { "instance:wait_until_r", { "wait_until_running" }, "" },
  { "instance:sto", { "stop" }, "" },
  { "bucket:Obj", { "Object" }, "" },
  { "bucket:Object('k'):get{ Ran", { "Range" }, " = " },
  { "for i in instances do i.insta", { "instance_id", "instance_lifecycle", "instance_type" }, "" },
  { "aws.resource('ec2').instances:all():lim", { "limit" }, "" },
  -- help
  { "help('ec2.describe_vpcs", { "ec2.describe_vpcs" }, "'" },
  { "help('ec2.describe_vpcs.Fil", { "ec2.describe_vpcs.Filters" }, "'" },
  { "help('ec2.run_instances.Placement.Ten", { "ec2.run_instances.Placement.Tenancy" }, "'" },
  -- nothing to say
  { "ec2:describe_vpcs{ Nope = { ", nil, "" },
  { "nobody.", {}, "" },
  { "nobody:method{ ", nil, "" },
  { "(1 + ", nil, "" },
  { "x.y.z(", nil, "" },
}

describe("completion", function()
  for _, case in ipairs(EXACT) do
    local text, wanted, suffix = table.unpack(case, 1, 3)
    it(("of %q"):format(text):gsub("\\\n", "\\n"), function()
      local names, start, behind = complete(text, env)
      if wanted then
        assert.same({ wanted, suffix }, { names, behind })
      end
      assert.is_true(start >= 1 and start <= #text + 1)
    end)
  end

  it("says where the names belong", function()
    local cases = {
      { "names.pl", 7 }, { "names.", 7 }, { "aws.client('s", 13 }, { "ec2:describe_vpcs{ vp", 20 }, { "", 1 },
      { "aws.client[[s", 13 }, { "help('ec2.desc", 7 },
    }
    for _, case in ipairs(cases) do
      assert.same(case[2], select(2, complete(case[1], env)))
    end
  end)

  it("knows every operation of a client and what is beside them", function()
    local names = as_set((complete("s3:", env)))
    for _, name in ipairs({ "list_buckets", "get_object", "get_waiter", "get_paginator", "can_paginate",
      "close", "generate_presigned_url" }) do
      assert.is_true(names[name], name)
    end
    assert.is_true(#complete("ec2:", env) > 700)
  end)

  it("knows the keys of a client's config that botocore has, all of which are taken", function()
    local python = assert(io.popen([[python3 -c "
from botocore.config import Config
print(*sorted(Config.OPTION_DEFAULTS))" ]]))
    assert.equal(python:read("l"), table.concat((complete("aws.client('s3', { config = { ", env)), " "))
    python:close()
    for _, where in ipairs{ "", "s3 = { ", "retries = { ", "proxies_config = { " } do
      for _, name in ipairs((complete("aws.client('s3', { config = { " .. where, env))) do
        local config = { [name] = print }
        local outer = where:match("%w+_?%w*")
        local ok, err = pcall(aws.client, "s3", { config = outer and { [outer] = config } or config })
        assert.is_false(ok)
        assert.is_nil(tostring(err):find("nexpected keyword", 1, true), name)
      end
    end
  end)

  it("offers variables and keywords where anything may stand", function()
    local names = as_set((complete("x = ", env)))
    assert.same({ true, true, true }, { names.ec2, names["function"], names.names })
  end)

  it("calls nothing, loads nothing, and listens to nothing", function()
    local calls = 0
    SESSION.events:register("before-call", function() calls = calls + 1 end)
    for _, text in ipairs({ "tripwire.", "tripwire.a.b", "tripwire:", "tripwire().", "tripwire{ ",
      "tripwire(", "instance.state.", "instance.vpc.id.", "instances:", "bucket.creation_date." }) do
      complete(text, env)
    end
    assert.is_nil(touched)
    assert.equal(0, calls)
    assert.is_nil(rawget(env.instance, "meta").data)
  end)

  it("never fails, wherever a text ends", function()
    local text = [==[
local ec2 <const> = aws.client("ec2", { region_name = 'us-east-1' }) -- a comment
for _, r in ipairs(ec2:describe_instances{ Filters = {{ Name = "a\"b", Values = { [[x]] } }} }.R) do
  goto done; if r.x[1]['y'].z ~= 1.5e3 // 2 then print(r:m "s" {} (1)) end ::done::
end
return function(...) return ..., #instance.tags, resource.instances:filter{}:limit(1) end]==]
    for stop = 0, #text do
      local names, start = complete(text:sub(1, stop), env)
      assert.equal("table", type(names))
      assert.is_true(start <= stop + 1)
    end
  end)

  it("survives text that is no Lua", function()
    for _, text in ipairs({ ")", "]]", "}}}{{{", "...", "ec2:", "ec2::", "ec2..", "= = =", "\0\1", "(((",
      "\"\\", "é.", "a.b.c.d.e.f.g.h(", "[==[", "--[==[", "1..", "0x", "{[", "for in", "local =", "x = x\nx.",
      "a = b\nb = a\na." }) do
      assert.equal("table", type((complete(text, env))))
    end
  end)
end)

describe("tokens", function()
  it("splits Lua that may end anywhere", function()
    local cases = {
      { "a.b:c", { "a", ".", "b", ":", "c" } },
      { "x==y~=z..w...", { "x", "==", "y", "~=", "z", "..", "w", "..." } },
      { "f'a\\'b' [[c]d]] [=[e]]]=]", { "f", "a\\'b", "c]d", "e]]" } },
      { "1.5e3 0x1F .5", { "1.5e3", "0x1F", ".5" } },
      { "a -- b\nc --[[ d\n ]] e", { "a", "c", "e" } },
      { "'open", { "open" } },
    }
    for _, case in ipairs(cases) do
      local seen = {}
      for i, token in ipairs(tokens.split(case[1])) do
        seen[i] = token.text or token.value
      end
      assert.same(case[2], seen)
    end
    assert.is_nil(tokens.split("a -- b"))
    assert.is_nil(tokens.split("a --[[ b\n"))
  end)
end)
