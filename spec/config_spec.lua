-- What each option of a client does to the requests that it makes, on real connections.
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local raised = machine.raised
local XML = { ["Content-Type"] = "text/xml" }
local IDENTITY = { headers = XML, always = true,
  body = '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    .. "<GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>" }

-- A client whose session has this environment and nothing else.
local function new_client(service, opts, env)
  local session = aws.session{ _env = env or {}, _home = "/nowhere", region_name = "eu-west-1",
    aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret" }
  return session:client(service, opts)
end

describe("the certificates that are trusted", function()
  local peer

  setup(function()
    peer = server.start{ tls = true }
    peer:reply(IDENTITY)
  end)
  teardown(function()
    peer:stop()
  end)

  local function ask(opts, env)
    opts.endpoint_url = peer.url
    opts.config = { retries = { total_max_attempts = 1 } }
    local client <close> = new_client("sts", opts, env)
    return client.try:get_caller_identity()
  end

  it("are those of verify, ca_bundle, AWS_CA_BUNDLE or REQUESTS_CA_BUNDLE, in this order", function()
    for _, case in ipairs{
      { { verify = peer.ca }, {} },
      { { verify = peer.ca }, { AWS_CA_BUNDLE = "/nowhere.pem" } },
      { {}, { AWS_CA_BUNDLE = peer.ca } },
      { {}, { AWS_CA_BUNDLE = peer.ca, REQUESTS_CA_BUNDLE = "/nowhere.pem" } },
      { {}, { REQUESTS_CA_BUNDLE = peer.ca } },
      { {}, { AWS_CA_BUNDLE = "", REQUESTS_CA_BUNDLE = peer.ca } },
      { { verify = true }, { AWS_CA_BUNDLE = peer.ca } },
      { { verify = false }, {} },
      { { verify = false }, { AWS_CA_BUNDLE = "/nowhere.pem" } },
    } do
      local answer, err = ask(table.unpack(case))
      assert.equal("1", answer and answer.Account, tostring(err))
    end
  end)

  it("are the system's where nothing else is said: a blank does not switch verification off", function()
    local other = server.start{ tls = true }
    for _, case in ipairs{
      { {}, {} },
      { { verify = true }, {} },
      { { verify = "" }, {} },
      { {}, { AWS_CA_BUNDLE = "" } },
      { {}, { REQUESTS_CA_BUNDLE = "" } },
      { {}, { AWS_CA_BUNDLE = "false" } },
      { {}, { SSL_CERT_FILE = peer.ca, CURL_CA_BUNDLE = peer.ca } }, -- read neither by botocore nor here
      { {}, { AWS_CA_BUNDLE = other.ca, REQUESTS_CA_BUNDLE = peer.ca } },
    } do
      local answer, err = ask(table.unpack(case))
      assert.is_nil(answer)
      assert.equal("SSLError", err.kind)
    end
    other:stop()
  end)

  it("cannot be switched off by a file", function()
    for _, line in ipairs{ "verify_ssl = false", "verify = false", "ca_bundle =", "ca_bundle = false" } do
      local w <close> = machine.new("[default]\n" .. line .. "\n")
      local client <close> = w.session():client("sts", { endpoint_url = peer.url, aws_access_key_id = "a",
        aws_secret_access_key = "b", config = { retries = { total_max_attempts = 1 } } })
      assert.equal("SSLError", raised(client.get_caller_identity, client).kind)
    end
  end)
end)

-- ---- each option beside boto3 ----

-- Makes each call of a list with boto3, through a proxy, so that every host can be reached. Prints how those
-- failed that did.
local BOTO = [[
import json, os, sys
import boto3, botocore.config
from botocore import UNSIGNED
proxy, cases = json.load(open(sys.argv[1]))
out = []
for case in cases:
    config = dict(case.get("config") or {})
    if config.get("signature_version") == "unsigned":
        config["signature_version"] = UNSIGNED
    config.setdefault("proxies", {"http": proxy})
    config["user_agent_extra"] = "case/%d" % len(out)
    config.setdefault("retries", {"mode": "standard", "total_max_attempts": 1})
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ.update(case.get("env") or {})
    opts = dict({"use_ssl": False}, **(case.get("opts") or {}))
    try:
        session = boto3.Session(region_name="eu-west-1", aws_access_key_id="AKIDEXAMPLE",
          aws_secret_access_key="the-secret", aws_account_id=case.get("account"))
        client = session.client(case["service"], config=botocore.config.Config(**config), **opts)
        getattr(client, case["method"])(**case.get("params") or {})
        out.append(None)
    except Exception as e:
        out.append(type(e).__name__)
json.dump(out, sys.stdout)
]]

local PUT = { Bucket = "bucket", Key = "a/b", Body = "hello" }
local HEAD = { Bucket = "bucket", Key = "a/b" }
local ACCESS_POINT = "arn:aws:s3:us-west-2:123456789012:accesspoint/point"
local MULTI = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"
local METRIC = { Namespace = "n", MetricData = { { MetricName = ("m"):rep(200), Value = 1 } } }

local function s3(config, more)
  local case = { service = "s3", method = "head_object", params = HEAD, config = config }
  for name, value in pairs(more or {}) do
    case[name] = value
  end
  return case
end
local function case(service, method, params, config, more)
  local made = { service = service, method = method, params = params, config = config }
  for name, value in pairs(more or {}) do
    made[name] = value
  end
  return made
end

local CASES = {
  case("sqs", "list_queues", nil, { region_name = "us-west-2" }),
  case("sqs", "list_queues", nil, { region_name = "us-west-2" }, { opts = { region_name = "eu-south-1" } }),
  case("sqs", "list_queues", nil, { region_name = "fips-us-west-2" }),
  case("sqs", "list_queues", nil, nil, { opts = { region_name = "us-west-2-fips" } }),
  case("sts", "get_caller_identity", nil, { signature_version = "unsigned" }),
  case("sts", "get_caller_identity", nil, { signature_version = "v4" }),
  s3{ signature_version = "s3v4" },
  s3{ signature_version = "unsigned" },
  case("sts", "get_caller_identity", nil, { user_agent = "me/1.0" }),
  case("sqs", "delete_queue", {}, { parameter_validation = false }),
  case("sqs", "delete_queue", {}, { parameter_validation = true }),
  s3{ s3 = { addressing_style = "path" } },
  s3{ s3 = { addressing_style = "virtual" } },
  s3{ s3 = { addressing_style = "auto" } },
  s3({ s3 = { addressing_style = "auto" } }, { params = { Bucket = "a.dotted.bucket", Key = "k" } }),
  s3({ s3 = { addressing_style = "virtual" } }, { params = { Bucket = "a.dotted.bucket", Key = "k" } }),
  s3{ s3 = { use_accelerate_endpoint = true } },
  s3{ s3 = { use_accelerate_endpoint = true, use_dualstack_endpoint = true } },
  s3{ s3 = { use_accelerate_endpoint = true, addressing_style = "path" } },
  s3{ s3 = { use_dualstack_endpoint = true } },
  s3{ s3 = { use_dualstack_endpoint = false }, use_dualstack_endpoint = true },
  s3({ s3 = { payload_signing_enabled = true } }, { method = "put_object", params = PUT }),
  s3({ s3 = { use_arn_region = true } }, { params = { Bucket = ACCESS_POINT, Key = "k" } }),
  s3({ s3 = { use_arn_region = false } }, { params = { Bucket = ACCESS_POINT, Key = "k" } }),
  s3({ client_context_params = { use_arn_region = false } },
    { params = { Bucket = ACCESS_POINT, Key = "k" } }),
  s3({ s3 = { us_east_1_regional_endpoint = "regional" } }, { opts = { region_name = "us-east-1" } }),
  s3({ s3 = { us_east_1_regional_endpoint = "legacy" } }, { opts = { region_name = "us-east-1" } }),
  s3({ s3 = { s3_disable_multiregion_access_points = true } }, { params = { Bucket = MULTI, Key = "k" } }),
  s3({ client_context_params = { disable_multi_region_access_points = true } },
    { params = { Bucket = MULTI, Key = "k" } }),
  s3({ s3 = { disable_s3_express_session_auth = true } },
    { params = { Bucket = "b--use1-az4--x-s3", Key = "k" } }),
  case("s3control", "list_access_points", { AccountId = "123456789012" }, { use_dualstack_endpoint = true }),
  case("servicediscovery", "discover_instances", { NamespaceName = "n", ServiceName = "s" }, {
    inject_host_prefix = true }),
  case("servicediscovery", "discover_instances", { NamespaceName = "n", ServiceName = "s" }, {
    inject_host_prefix = false }),
  case("servicediscovery", "discover_instances", { NamespaceName = "n", ServiceName = "s" }, nil, { env = {
    AWS_DISABLE_HOST_PREFIX_INJECTION = "true" } }),
  case("dynamodb", "list_tables", nil, { endpoint_discovery_enabled = true }),
  case("dynamodb", "list_tables", nil, { endpoint_discovery_enabled = false }),
  case("dynamodb", "list_tables", nil, { endpoint_discovery_enabled = "auto" }),
  case("ec2", "describe_regions", nil, { use_dualstack_endpoint = true }),
  case("ec2", "describe_regions", nil, { use_fips_endpoint = true },
    { opts = { region_name = "us-east-1" } }),
  case("ec2", "describe_regions", nil, { use_fips_endpoint = true, use_dualstack_endpoint = true }, { opts = {
    region_name = "us-east-1" } }),
  case("ec2", "describe_regions", nil, { use_fips_endpoint = false },
    { env = { AWS_USE_FIPS_ENDPOINT = "true" }, opts = { region_name = "us-east-1" } }),
  case("ec2", "describe_regions", nil, { ignore_configured_endpoint_urls = true }, { env = {
    AWS_ENDPOINT_URL = "http://elsewhere.test" } }),
  case("ec2", "describe_regions", nil, nil, { env = { AWS_ENDPOINT_URL = "http://elsewhere.test/base" } }),
  case("ec2", "describe_regions", nil, nil, { env = { AWS_ENDPOINT_URL_EC2 = "http://ec2.test:81",
    AWS_ENDPOINT_URL = "http://elsewhere.test" } }),
  case("ec2", "describe_regions", nil, nil, { opts = { endpoint_url = "http://argument.test/a/b/" }, env = {
    AWS_ENDPOINT_URL = "http://elsewhere.test" } }),
  s3(nil, { opts = { endpoint_url = "http://argument.test/a/b" } }),
  s3({ s3 = { addressing_style = "virtual" } }, { opts = { endpoint_url = "http://argument.test:8080" } }),
  case("cloudwatch", "put_metric_data", METRIC, { request_min_compression_size_bytes = 100 }),
  case("cloudwatch", "put_metric_data", METRIC, { request_min_compression_size_bytes = "100" }),
  case("cloudwatch", "put_metric_data", METRIC, { request_min_compression_size_bytes = 100000 }),
  case("cloudwatch", "put_metric_data", METRIC, { request_min_compression_size_bytes = 1,
    disable_request_compression = true }),
  s3({ request_checksum_calculation = "when_required" }, { method = "put_object", params = PUT }),
  s3({ request_checksum_calculation = "when_supported" }, { method = "put_object", params = PUT }),
  s3({ request_checksum_calculation = "WHEN_REQUIRED" }, { method = "put_object", params = PUT }),
  s3({ response_checksum_validation = "when_required" }, { method = "get_object" }),
  s3({ response_checksum_validation = "when_supported" }, { method = "get_object" }),
  case("dynamodb", "list_tables", nil, { account_id_endpoint_mode = "preferred" },
    { account = "123456789012" }),
  case("dynamodb", "list_tables", nil, { account_id_endpoint_mode = "disabled" },
    { account = "123456789012" }),
  case("dynamodb", "list_tables", nil, { account_id_endpoint_mode = "required" },
    { account = "123456789012" }),
  case("dynamodb", "list_tables", nil, { account_id_endpoint_mode = "required" }),
  case("bedrock", "list_foundation_models", nil, { auth_scheme_preference = "httpBearerAuth,sigv4" },
    { env = { AWS_BEARER_TOKEN_BEDROCK = "the-token" } }),
  case("bedrock", "list_foundation_models", nil, { auth_scheme_preference = "sigv4,httpBearerAuth" },
    { env = { AWS_BEARER_TOKEN_BEDROCK = "the-token" } }),
  case("sqs", "list_queues", nil, { sigv4a_signing_region_set = "us-east-1,us-west-2" }),
  case("cloudfront", "list_distributions", nil, nil, { opts = { api_version = "2016-11-25" } }),
  case("ec2", "describe_regions", nil, nil, { opts = { api_version = "2015-10-01" } }),
  -- and what is wrong
  s3{ s3 = { addressing_style = "diagonal" } },
  s3{ s3 = { us_east_1_regional_endpoint = "global" } },
  case("sqs", "list_queues", nil, { request_checksum_calculation = "sometimes" }),
  case("sqs", "list_queues", nil, { account_id_endpoint_mode = "sometimes" }),
  case("sqs", "list_queues", nil, { request_min_compression_size_bytes = 0 }),
  case("sqs", "list_queues", nil, { request_min_compression_size_bytes = 1048577 }),
  case("sqs", "list_queues", nil, { request_min_compression_size_bytes = "x" }),
  case("sqs", "list_queues", nil, { retries = { mode = "standar" } }),
  case("sqs", "list_queues", nil, { retries = { max_attempts = -1 } }),
  case("sqs", "list_queues", nil, { retries = { total_max_attempts = 0 } }),
  case("sqs", "list_queues", nil, { retries = { attempts = 3 } }),
  case("sqs", "list_queues", nil, { defaults_mode = "fast" }),
  case("sqs", "list_queues", nil, { signature_version = "v9" }),
  case("sqs", "list_queues", nil, { endpoint_discovery_enabled = "sometimes" }),
  case("sqs", "list_queues", nil, { no_such_option = 1 }),
  case("sqs", "list_queues", nil, nil, { opts = { endpoint_url = "localhost:4566" } }),
  case("sqs", "list_queues", nil, nil, { opts = { endpoint_url = "http://" } }),
  case("sqs", "list_queues", nil, nil, { opts = { endpoint_url = "http://a b.test" } }),
  case("sqs", "list_queues", nil, nil, { opts = { region_name = "eu west 1" } }),
  case("sqs", "list_queues", nil, nil, { opts = { api_version = "1999-01-01" } }),
}

describe("each option of a client", function()
  local peer

  setup(function()
    peer = server.start()
    peer:reply(IDENTITY)
  end)
  teardown(function()
    peer:stop()
  end)

  local IGNORED = { authorization = true, ["amz-sdk-invocation-id"] = true, ["amz-sdk-request"] = true,
    ["x-amz-date"] = true, ["accept-encoding"] = true, connection = true, ["proxy-connection"] = true,
    ["content-length"] = true, ["user-agent"] = true }

  local function comparable_body(request)
    local headers = request.headers
    if headers["content-encoding"] == "gzip" then
      return "compressed"
    elseif (headers["content-type"] or ""):find("json", 1, true) then
      return cjson.decode(request.body)
    end
    return request.body
  end

  local function comparable(request)
    local headers = {}
    for name, value in pairs(request.headers) do
      headers[name] = not IGNORED[name] and value or nil
    end
    local authorization = request.headers.authorization or "none"
    headers.signed = authorization:match("^(%S+ Credential=[^/]+)/") or authorization
    headers.scope = authorization:match("Credential=[^/]+/%d+/([^,]+)")
    headers.agent = request.headers["user-agent"]:match("^me/1%.0")
    return { method = request.method, target = request.target, headers = headers,
      body = comparable_body(request) }
  end

  -- The requests since the last clear, by the number of their case. Each makes one before it fails or not.
  local function requests()
    local found = {}
    for _, request in ipairs(peer:requests()) do
      local number = tonumber(request.headers["user-agent"]:match("case/(%d+)"))
      found[number] = found[number] or comparable(request)
    end
    peer:clear()
    return found
  end

  local function luaws(one, number)
    local config = { proxies = { http = peer.url }, retries = { total_max_attempts = 1 } }
    for name, value in pairs(one.config or {}) do
      config[name] = value
    end
    config.user_agent_extra = "case/" .. number
    local opts = { use_ssl = false, config = config }
    for name, value in pairs(one.opts or {}) do
      opts[name] = value
    end
    local env = { AWS_EC2_METADATA_DISABLED = "true" }
    for name, value in pairs(one.env or {}) do
      env[name] = value
    end
    local session = aws.session{ _env = env, _home = "/nowhere", region_name = "eu-west-1",
      aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret", aws_account_id = one.account }
    local client <close> = session:client(one.service, opts)
    client[one.method](client, one.params or {})
  end

  it("does to a request what boto3's does", function()
    local file = os.tmpname()
    machine.write(file, cjson.encode({ peer.url, CASES }))
    peer:clear()
    local failures = cjson.decode(child.output{ "env", "-i", "PATH=" .. os.getenv("PATH"), "HOME=/nowhere",
      "python3", "-c", BOTO, file })
    os.remove(file)
    local expected = requests()
    peer:reply(IDENTITY)
    for i, one in ipairs(CASES) do
      local ok, err = pcall(luaws, one, i - 1)
      if not expected[i - 1] then
        assert.is_false(ok, aws.pretty(one))
        assert.equal(failures[i], err.kind, aws.pretty(one))
      end
    end
    local actual = requests()
    for i, one in ipairs(CASES) do
      assert.same(expected[i - 1], actual[i - 1], aws.pretty(one))
    end
  end)

  -- What boto3 cannot do, or not this way.

  local function new(service, opts, env)
    opts.config = opts.config or {}
    opts.config.retries = opts.config.retries or { total_max_attempts = 1 }
    opts.endpoint_url = opts.endpoint_url or peer.url
    return new_client(service, opts, env)
  end

  -- Any host, by way of the server as a proxy.
  local function new_proxied(service, config, env)
    config.proxies = { http = peer.url }
    config.retries = { total_max_attempts = 1 }
    return new_client(service, { use_ssl = false, config = config }, env)
  end

  it("names the user agent and what is added to it", function()
    for _, one in ipairs{
      { { user_agent = "me/1.0", user_agent_extra = "more/2" }, "^me/1%.0 more/2$" },
      { { user_agent_extra = "more/2" }, "^luaws/.* more/2$" },
      { { user_agent_appid = "shop" }, " app/shop" },
    } do
      peer:clear()
      peer:reply(IDENTITY)
      new("sts", { config = one[1] }):get_caller_identity()
      assert.matches(one[2], peer:last().headers["user-agent"])
    end
  end)

  it("waits no longer than connect_timeout and read_timeout", function()
    local deaf <const> = server.start{ deaf = true }
    local client = new("sts", { endpoint_url = deaf.url, config = { connect_timeout = 0.2 } })
    assert.equal("ConnectTimeoutError", raised(client.get_caller_identity, client).kind)
    deaf:stop()
    peer:reply({ hang = true })
    client = new("sts", { config = { read_timeout = 0.2 } })
    assert.equal("ReadTimeoutError", raised(client.get_caller_identity, client).kind)
    for _, value in ipairs{ 0, -1, "1" } do
      local err = raised(new, "sts", { config = { connect_timeout = value } })
      assert.matches("connect_timeout", err.message, 1, true)
    end
  end)

  it("opens no more connections than max_pool_connections", function()
    peer:reply({ headers = XML, body = IDENTITY.body, always = true, delay = 0.05 })
    for _, most in ipairs{ 1, 2 } do
      peer:clear()
      peer:reply({ headers = XML, body = IDENTITY.body, always = true, delay = 0.05 })
      local client <close> = new("sts", { config = { max_pool_connections = most } })
      aws.async.map({ 1, 2, 3, 4, 5, 6 }, function()
        return client:get_caller_identity()
      end, { concurrency = 6 })
      local connections, count = {}, 0
      for _, request in ipairs(peer:requests()) do
        count = count + (connections[request.connection] and 0 or 1)
        connections[request.connection] = true
      end
      assert.equal(most, count)
    end
  end)

  it("tries as often as retries says", function()
    for _, one in ipairs{
      { { mode = "standard" }, 3 },
      { { mode = "standard", max_attempts = 1 }, 2 },
      { { mode = "standard", max_attempts = 0 }, 1 },
      { { mode = "standard", total_max_attempts = 2, max_attempts = 7 }, 2 },
      { { total_max_attempts = 2 }, 2, { AWS_MAX_ATTEMPTS = "5" } },
      { { mode = "standard" }, 2, { AWS_MAX_ATTEMPTS = "2" } },
    } do
      peer:clear()
      peer:reply({ status = 500, always = true })
      local client = new("sts", { config = { retries = one[1] } }, one[3])
      raised(client.get_caller_identity, client)
      assert.equal(one[2], #peer:requests())
    end
  end)

  -- The kernel tells of each connection which timer runs: 2 is that of keepalive.
  local function keepalive_runs()
    local port = (":%04X"):format(peer.port)
    for line in io.lines("/proc/self/net/tcp") do
      local remote, state, timer = line:match("^%s*%d+: %S+ %S+(:%x+) (%x+) %S+ (%x+):")
      if remote == port and state == "01" then
        return timer == "02"
      end
    end
  end

  it("keeps connections alive with tcp_keepalive", function()
    for _, one in ipairs{ { true, {}, true }, { nil, { BOTOCORE_TCP_KEEPALIVE = "true" }, true },
      { false, { BOTOCORE_TCP_KEEPALIVE = "true" }, false }, { nil, {}, false } } do
      peer:clear()
      peer:reply(IDENTITY)
      collectgarbage()
      local client <close> = new("sts", { config = { tcp_keepalive = one[1] } }, one[2])
      client:get_caller_identity()
      assert.equal(one[3], keepalive_runs())
    end
  end)

  it("shows a client certificate, alone or with its key", function()
    local strict = server.start{ tls = { client = true } }
    strict:reply(IDENTITY)
    local both = os.tmpname()
    machine.write(both, machine.read(strict.client_cert) .. machine.read(strict.client_key))
    for _, certificate in ipairs{ both, { strict.client_cert, strict.client_key } } do
      local client <close> = new("sts", { endpoint_url = strict.url, verify = strict.ca, config = {
        client_cert = certificate } })
      assert.equal("1", client:get_caller_identity().Account)
      assert.matches("client", strict:last().client_subject)
    end
    local client <close> = new("sts", { endpoint_url = strict.url, verify = strict.ca })
    raised(client.get_caller_identity, client)
    os.remove(both)
    strict:stop()
  end)

  it("signs the hash of a body over TLS with payload_signing_enabled", function()
    local secure = server.start{ tls = true }
    secure:reply({ always = true })
    for _, one in ipairs{ { true, "^2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824$" },
      { false, "^STREAMING%-UNSIGNED%-PAYLOAD%-TRAILER$" } } do
      local client <close> = new("s3", { endpoint_url = secure.url, verify = secure.ca, config = {
        request_checksum_calculation = one[1] and "when_required" or nil,
        s3 = { payload_signing_enabled = one[1] } } })
      client:put_object(PUT)
      assert.matches(one[2], secure:last().headers["x-amz-content-sha256"])
    end
    secure:stop()
  end)

  it("signs for the regions of sigv4a_signing_region_set", function()
    for _, one in ipairs{ { "us-east-1,us-west-2", {} },
      { nil, { AWS_SIGV4A_SIGNING_REGION_SET = "us-east-1,us-west-2" } } } do
      peer:clear()
      peer:reply({ always = true })
      local client <close> = new_proxied("s3", { sigv4a_signing_region_set = one[1] }, one[2])
      client:head_object{ Bucket = MULTI, Key = "k" }
      assert.equal("us-east-1,us-west-2", peer:last().headers["x-amz-region-set"])
    end
  end)

  it("signs for directory buckets as for others when their sessions are disabled", function()
    for _, one in ipairs{
      { { s3_disable_express_session_auth = true } },
      { { s3 = { disable_s3_express_session_auth = true } } },
      { {}, { AWS_S3_DISABLE_EXPRESS_SESSION_AUTH = "true" } },
    } do
      peer:clear()
      peer:reply({ always = true })
      local client <close> = new_proxied("s3", one[1], one[2])
      client:head_object{ Bucket = "b--use1-az4--x-s3", Key = "k" }
      assert.equal(1, #peer:requests())
      assert.matches("/k$", peer:last().target)
    end
  end)

  it("speaks TLS with a proxy, and shows it a certificate with its key", function()
    local proxy = server.start{ tls = { client = true } }
    for _, forwarding in ipairs{ true, false } do
      proxy:reply(IDENTITY)
      local client <close> = new_client("sts", { config = { retries = { total_max_attempts = 1 },
        proxies = { https = proxy.url }, proxies_config = { proxy_ca_bundle = proxy.ca,
          proxy_client_cert = { proxy.client_cert, proxy.client_key },
          proxy_use_forwarding_for_https = forwarding } } })
      local answer = client.try:get_caller_identity()
      local request = proxy:last()
      assert.matches("client", request.client_subject)
      if forwarding then -- the proxy opens TLS with the service
        assert.equal("1", answer.Account)
        assert.same({ "POST", "https://sts.eu-west-1.amazonaws.com/", "sts.eu-west-1.amazonaws.com" },
          { request.method, request.target, request.headers.host })
      else
        assert.same({ "CONNECT", "sts.eu-west-1.amazonaws.com:443" }, { request.method, request.target })
      end
    end
    proxy:stop()
  end)

  it("hides the password of a proxy from errors", function()
    local refusing <const> = server.start{ refuse = true }
    local client <close> = new_client("sts", { use_ssl = false, config = {
      retries = { total_max_attempts = 1 },
      proxies = { http = ("http://me:the-password@127.0.0.1:%d"):format(refusing.port) } } })
    local err = raised(client.get_caller_identity, client)
    assert.equal("ProxyConnectionError", err.kind)
    assert.matches("***:***@127.0.0.1", err.message, 1, true)
    assert.is_nil((err.message .. aws.pretty(err)):find("the-password", 1, true))
    refusing:stop()
  end)

  it("does without proxies when there are none in it", function()
    for _, proxies in ipairs{ {}, { http = "" }, { https = "http://127.0.0.1:1" } } do
      peer:clear()
      peer:reply(IDENTITY)
      new("sts", { config = { proxies = proxies } }):get_caller_identity()
      assert.equal("/", peer:last().target)
    end
  end)

  it("can be a default of all clients of a session", function()
    local session = aws.session{ _env = {}, _home = "/nowhere", region_name = "eu-west-1" }
    assert.is_nil(session:get_default_client_config())
    local default = { connect_timeout = 3, region_name = "us-east-2", s3 = { addressing_style = "path",
      use_arn_region = false } }
    session:set_default_client_config(default)
    default.connect_timeout = 4
    assert.same(3, session:get_default_client_config().connect_timeout)
    local plain = session:client("s3").meta
    assert.same({ 3, "us-east-2", "path", false }, { plain.config.connect_timeout, plain.region_name,
      plain.config.s3.addressing_style, plain.config.s3.use_arn_region })
    local own = session:client("s3", { config = { read_timeout = 5, s3 = { addressing_style = "virtual" } } })
    assert.same({ 3, 5, "virtual" }, { own.meta.config.connect_timeout, own.meta.config.read_timeout,
      own.meta.config.s3.addressing_style })
    assert.is_nil(own.meta.config.s3.use_arn_region) -- a block is replaced whole, as by botocore's merge
    assert.equal(3, session:resource("s3").meta.client.meta.config.connect_timeout)
    session:set_default_client_config(nil)
    assert.equal(60, session:client("s3").meta.config.connect_timeout)
    assert.equal("TypeError", raised(session.set_default_client_config, session, "x").kind)
  end)

  it("is refused by name, with the nearest that there is", function()
    for wrong, right in pairs{ retrys = "retries", conect_timeout = "connect_timeout", proxy = "proxies",
      region = "region_name", signature = "signature_version", use_fips = "use_fips_endpoint" } do
      local err = raised(new, "sts", { config = { [wrong] = "x", retries = {} } })
      assert.equal("TypeError", err.kind)
      assert.matches("'" .. right .. "'", err.message, 1, true)
    end
    for block, keys in pairs{ s3 = { addresing_style = "addressing_style", use_arn = "use_arn_region" },
      proxies_config = { ca_bundle = "proxy_ca_bundle" } } do
      for wrong, right in pairs(keys) do
        local err = raised(new, "sts", { config = { [block] = { [wrong] = "x" } } })
        assert.matches(("'%s.%s'; did you mean '%s'"):format(block, wrong, right), err.message, 1, true)
      end
    end
  end)
end)
