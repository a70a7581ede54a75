-- The User-Agent: what a client says of itself, and the ids of the features that a call used (m/…), which are
-- boto3's for the same calls.
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")
local machine = require("spec.support.machine")
local server = require("spec.support.server")
local shell = require("spec.support.shell")

local KEYS = { aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret" }
local ENV_KEYS = { AWS_ACCESS_KEY_ID = "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY = "the-secret" }
local LIST = { "call", "list_buckets", {} }

local ROLE = "<r><AssumeRoleResult><Credentials><AccessKeyId>a</AccessKeyId>"
  .. "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
  .. "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
  .. "</AssumeRoleResult></r>"
local WEB_ROLE = ROLE:gsub("AssumeRoleResult", "AssumeRoleWithWebIdentityResult")

-- { name, service = "s3", act = LIST, client = KEYS, env, session, config, files = { config, credentials } }
local CASES = {
  { "keys in code" },
  { "keys of the session", client = {}, session = KEYS },
  { "keys in the environment", client = {}, env = ENV_KEYS },
  { "no keys", client = {}, config = { signature_version = "unsigned" } },
  { "legacy retries", config = { retries = { mode = "legacy" } } },
  { "adaptive retries", config = { retries = { mode = "adaptive" } } },
  { "checksums when required", config = { request_checksum_calculation = "when_required",
    response_checksum_validation = "when_required" },
    act = { "call", "put_object", { Bucket = "b", Key = "k", Body = "x" } } },
  { "CRC32 unasked", act = { "call", "put_object", { Bucket = "b", Key = "k", Body = "x" } } },
  { "CRC32 required", act = { "call", "delete_objects", { Bucket = "b",
    Delete = { Objects = { { Key = "k" } } } } } },
  { "SHA1", act = { "call", "put_object", { Bucket = "b", Key = "k", Body = "x",
    ChecksumAlgorithm = "SHA1" } } },
  { "SHA256", act = { "call", "put_object", { Bucket = "b", Key = "k", Body = "x",
    ChecksumAlgorithm = "SHA256" } } },
  { "SHA512", act = { "call", "put_object", { Bucket = "b", Key = "k", Body = "x", ChecksumSHA512 = "x" } } },
  { "several given checksums", act = { "call", "put_object", { Bucket = "b", Key = "k", Body = "x",
    ChecksumXXHASH64 = "x", ChecksumXXHASH3 = "x", ChecksumXXHASH128 = "x", ChecksumMD5 = "x",
    ChecksumCRC64NVME = "x", ChecksumCRC32C = "x" } } },
  { "an answer with a checksum asked for", act = { "call", "get_object", { Bucket = "b", Key = "k" } } },
  { "pages", act = { "paginate", "list_objects_v2", { Bucket = "b" } } },
  { "a waiter", act = { "wait", "bucket_exists", { Bucket = "b" } } },
  { "a transfer", act = { "upload", 10 } },
  { "a transfer in parts", act = { "upload", 9000000 } },
  { "the account preferred", service = "dynamodb", act = { "call", "list_tables", {} } },
  { "the account disabled", service = "dynamodb", act = { "call", "list_tables", {} },
    config = { account_id_endpoint_mode = "disabled" } },
  { "the account required", service = "dynamodb", act = { "call", "list_tables", {} },
    config = { account_id_endpoint_mode = "required" } },
  { "a compressed body", service = "cloudwatch", act = { "call", "put_metric_data", { Namespace = "n",
    MetricData = { { MetricName = ("x"):rep(20000) } } } } },
  { "a bearer token", service = "bedrock", client = {}, act = { "call", "list_foundation_models", {} },
    env = { AWS_BEARER_TOKEN_BEDROCK = "token" } },
  { "an app id", config = { user_agent_appid = "my app/é#(x)" } },
  { "something extra", config = { user_agent_extra = "extra/1 (as it is)" } },
  { "another text altogether", config = { user_agent = "mine/1", user_agent_extra = "extra/1",
    user_agent_appid = "gone" } },
  { "an execution environment", env = { AWS_EXECUTION_ENV = "AWS_Lambda lua(5)" } },
  { "keys of a profile", client = {}, files = { credentials = "[default]\naws_access_key_id=a\n"
    .. "aws_secret_access_key=s\n" } },
  { "keys in config", client = {}, files = { config = "[default]\naws_access_key_id=a\n"
    .. "aws_secret_access_key=s\n" } },
  { "a role of a profile", client = {}, role = ROLE, files = { config = "[default]\n"
    .. "role_arn=arn:aws:iam::1:role/r\nsource_profile=base\n[profile base]\n"
    .. "aws_access_key_id=a\naws_secret_access_key=s\n" } },
  { "a role of a role", client = {}, role = ROLE, files = { config = "[default]\n"
    .. "role_arn=arn:aws:iam::1:role/r\nsource_profile=middle\n[profile middle]\n"
    .. "role_arn=arn:aws:iam::1:role/m\nsource_profile=base\n"
    .. "[profile base]\naws_access_key_id=a\naws_secret_access_key=s\n" } },
  { "a role with keys from the environment", client = {}, role = ROLE, session = { profile_name = "r" },
    env = ENV_KEYS,
    files = { config = "[profile r]\nrole_arn=arn:aws:iam::1:role/r\ncredential_source=Environment\n" } },
  { "a web identity of the environment", client = {}, role = WEB_ROLE,
    env = { AWS_ROLE_ARN = "arn:aws:iam::1:role/r", AWS_WEB_IDENTITY_TOKEN_FILE = "/proc/self/comm" } },
  { "a web identity of a profile", client = {}, role = WEB_ROLE, files = { config = "[default]\n"
    .. "role_arn=arn:aws:iam::1:role/r\nweb_identity_token_file=/proc/self/comm\n" } },
  { "a program's keys", client = {}, files = { config = "[default]\ncredential_process = echo "
    .. [['{"Version":1,"AccessKeyId":"a","SecretAccessKey":"s"}']] .. "\n" } },
  { "a boto configuration", client = {}, files = { boto = "[Credentials]\naws_access_key_id=a\n"
    .. "aws_secret_access_key=s\n" } },
}

-- { the ids, in order; the text without them, its first words and botocore's own }
local function apart(agent)
  local ids, rest = {}, agent:gsub("^.- md/arch#%S+", ""):gsub(" lang/%S+", ""):gsub(" md/pyimpl%S+", "")
    :gsub(" Botocore/%S+", "")
  rest = rest:gsub("m/(%S+) ?", function(list)
    for id in list:gmatch("[^,]+") do
      ids[#ids + 1] = id
    end
    return ""
  end)
  table.sort(ids)
  return { table.concat(ids, ","), rest }
end

-- A pristine environment for one case.
local function complete(case, folder, number, url)
  local all = { name = case[1], service = case.service or "s3", act = case.act or LIST,
    client = case.client or KEYS, session = case.session, config = { s3 = { addressing_style = "path" },
      retries = { mode = "standard" } }, env = { AWS_ENDPOINT_URL = url, HOME = folder,
      AWS_EC2_METADATA_DISABLED = "true", AWS_RETRY_MODE = "standard" } }
  for _, from in ipairs{ "config", "env" } do
    for name, value in pairs(case[from] or {}) do
      all[from][name] = value
    end
  end
  local variables = { config = "AWS_CONFIG_FILE", credentials = "AWS_SHARED_CREDENTIALS_FILE",
    boto = "BOTO_CONFIG" }
  for kind, variable in pairs(variables) do
    all.env[variable] = ("%s/%d.%s"):format(folder, number, kind)
    if (case.files or {})[kind] then
      machine.write(all.env[variable], case.files[kind])
    end
  end
  return all
end

local function act(client, what, name, params)
  if what == "paginate" then
    for _ in client:get_paginator(name):paginate(params) do end -- luacheck: ignore 542
  elseif what == "wait" then
    client:get_waiter(name):wait(params)
  elseif what == "upload" then
    local file <close> = io.tmpfile()
    file:write(("x"):rep(name))
    file:seek("set")
    client:upload_fileobj(file, "b", "k")
  else
    client[name](client, params)
  end
end

describe("the User-Agent", function()
  local peer, folder
  setup(function()
    peer = server.start()
    folder = child.output({ "mktemp", "-d" }):gsub("\n", "")
  end)
  teardown(function()
    peer:stop()
    child.output{ "rm", "-rf", folder }
  end)

  local function agents()
    local all = {}
    for i, request in ipairs(peer:requests()) do
      all[i] = request.headers["user-agent"]
    end
    return all
  end

  local function client(service, opts, env)
    opts.endpoint_url, opts.region_name = peer.url, "us-east-1"
    for name, value in pairs(KEYS) do
      opts[name] = value
    end
    return aws.session{ _env = env or {}, _home = "/nowhere" }:client(service, opts)
  end

  local function answer_all(role)
    peer:reply({ target = "foundation-models", body = "{}", always = true },
      { method = "GET", body = "<x/>", always = true }, { method = "HEAD", always = true },
      { method = "PUT", headers = { ETag = '"e"', ["x-amz-checksum-crc32"] = "x" }, always = true },
      { method = "POST", target = "uploadId", body = "<x><ETag>e</ETag></x>", always = true },
      { method = "POST", target = "uploads", body = "<x><UploadId>u</UploadId></x>", always = true },
      { method = "POST", target = "delete", body = "<x/>", always = true },
      { method = "POST", target = "^/($|service)", body = role or "{}", always = true })
  end

  it("tells of the same features as boto3's", function()
    local cases = {}
    for i, case in ipairs(CASES) do
      cases[i] = complete(case, folder, i, peer.url)
    end
    local wrong = {}
    -- One process for all that get the same answers.
    for _, role in ipairs{ false, ROLE, WEB_ROLE } do
      local these, numbers = {}, {}
      for i, case in ipairs(CASES) do
        if (case.role or false) == role then
          these[#these + 1], numbers[#numbers + 1] = cases[i], i
        end
      end
      answer_all(role or nil)
      machine.write(folder .. "/cases.json", cjson.encode(these))
      local theirs = cjson.decode(child.output{ "python3", "spec/support/botocore_agents.py",
        folder .. "/cases.json" })
      for n, case in ipairs(these) do
        peer:clear()
        answer_all(role or nil)
        local opts = { config = case.config }
        for name, value in pairs(case.client) do
          opts[name] = value
        end
        local session = { region_name = "us-east-1", _env = case.env, _home = folder }
        for name, value in pairs(case.session or {}) do
          session[name] = value
        end
        act(aws.session(session):client(case.service, opts), table.unpack(case.act))
        local ours = agents()
        for i, agent in ipairs(theirs[n]) do
          local a, b = apart(agent), apart(ours[i] or "")
          if a[1] ~= b[1] or a[2] ~= b[2] then
            wrong[#wrong + 1] = { case.name, i, theirs = a, ours = b }
          end
        end
        if #ours ~= #theirs[n] then
          wrong[#wrong + 1] = { case.name, theirs = #theirs[n], ours = #ours }
        end
      end
    end
    assert.same({}, wrong)
  end)

  it("begins with luaws and the system, and tells it in config too", function()
    local s3 = client("s3", { config = { s3 = { addressing_style = "path" }, user_agent_appid = "app" } })
    assert.matches("^luaws/%d+%.%d+%.%d+ ua/2%.1 os/linux#%S+ md/arch#%S+ lang/lua#5%.4 "
      .. "m/E,N,Z,b,e cfg/retry%-mode#standard app/app$", s3.meta.config.user_agent)
    peer:clear()
    answer_all()
    s3:list_buckets()
    assert.equal(s3.meta.config.user_agent, peer:last().headers["user-agent"])
  end)

  it("warns of an app id that is too long, and sends it", function()
    local script = [[
      local aws = require("luaws")
      aws.set_stream_logger("luaws.client", "warning")
      local sqs = aws.client("sqs", { region_name = "us-east-1" })
      print(sqs.meta.config.user_agent)
    ]]
    local function run(id)
      return shell.run({ "-e", script }, { env = { AWS_SDK_UA_APP_ID = id, HOME = folder } })
    end
    local said = run(("é"):rep(51))
    assert.matches(" app/" .. ("%-"):rep(51) .. "\n$", said.out)
    assert.matches("user_agent_appid exceeds the maximum length of 50 characters", said.err, 1, true)
    assert.equal("", run(("é"):rep(50)).err)
  end)

  it("cannot be made to end early or to hold another header", function()
    peer:clear()
    answer_all()
    client("s3", { config = { user_agent_extra = "a\r\nX-Mine: 1", user_agent_appid = "b\r\nX: 2" } })
      :list_buckets()
    local request = peer:last()
    assert.matches("app/b%-%-X%-%-2 a%-%-X%-Mine: 1$", request.headers["user-agent"])
    assert.is_nil(request.headers["x-mine"])
  end)

  it("stays as a listener of before-sign left it", function()
    peer:clear()
    answer_all()
    local s3 = client("s3", {}, ENV_KEYS)
    s3.meta.events:register("before-sign.s3.ListBuckets", function(event)
      event.request.headers["User-Agent"] = "mine"
    end)
    s3:list_buckets()
    assert.equal("mine", peer:last().headers["user-agent"])
  end)

  it("tells what each of several tasks does, and nothing when they are over", function()
    peer:clear()
    answer_all()
    local s3 = client("s3", {})
    aws.async.run(function()
      aws.async.gather(
        function() s3:get_waiter("bucket_exists"):wait{ Bucket = "waiter" } end,
        function() act(s3, "paginate", "list_objects_v2", { Bucket = "paginator" }) end,
        function() s3:head_object{ Bucket = "plain", Key = "k" } end,
        function() pcall(s3.upload_file, s3, "/proc/self/comm", "transfer", "k") end,
        function() aws.async.spawn(s3.get_object, s3, { Bucket = "plain", Key = "k" }):await() end)
    end)
    pcall(s3.upload_file, s3, "/nonexistent", "b", "k")
    s3:head_object{ Bucket = "plain", Key = "after" }
    local told = { waiter = "B", paginator = "C", transfer = "G", plain = "" }
    local seen = 0
    for _, request in ipairs(peer:requests()) do
      local who = request.target:match("^/(%w+)")
      local ids = request.headers["user-agent"]:match(" m/(%S+)")
      assert.equal(told[who], ids:gsub("[^BCG]", ""), request.target)
      seen = seen + 1
    end
    assert.equal(6, seen)
  end)
end)
