-- Endpoint discovery: services that tell where their operations are to be sent.
local aws = require("luaws")
local raised = require("spec.support.raised")

-- A client whose requests are answered here: describe(n) by what to the n-th DescribeEndpoints,
-- other(request) to all others. The second result is the hosts that were asked, in order.
local function client(service, enabled, describe, other)
  local c = aws.client(service, { region_name = "us-east-1", aws_access_key_id = "AKIDEXAMPLE",
    aws_secret_access_key = "the-secret",
    config = { endpoint_discovery_enabled = enabled, retries = { total_max_attempts = 1 } } })
  local hosts, asked = {}, 0
  c.meta.events:register("before-send.*.*", function(event)
    local host = event.request.url:match("^https://([^/]+)/$")
    if event.operation_name == "DescribeEndpoints" then
      asked = asked + 1
      hosts[#hosts + 1] = "?"
      return describe(asked, event.request)
    end
    hosts[#hosts + 1] = host
    assert.matches("SignedHeaders=[^,]*host", event.request.headers.Authorization)
    return other and other(host) or { status_code = 200, headers = {}, body = "{}" }
  end)
  return c, hosts
end

local function told(address, minutes)
  return { status_code = 200, headers = {},
    body = ('{"Endpoints":[{"Address":"%s","CachePeriodInMinutes":%d}]}'):format(address, minutes) }
end

describe("endpoint discovery", function()
  for _, service in ipairs{ "timestream-write", "timestream-query" } do
    it("is done for " .. service .. " unless told otherwise, and its answer kept", function()
      local method = service == "timestream-write" and "list_databases" or "list_scheduled_queries"
      local api_version
      local c, hosts = client(service, nil, function(_, request)
        api_version = request.headers["x-amz-api-version"]
        return told("cell1.example.com", 5)
      end)
      c[method](c, {})
      c[method](c, {})
      assert.same({ "?", "cell1.example.com", "cell1.example.com" }, hosts)
      assert.equal("2018-11-01", api_version)
    end)
  end

  it("asks again when the answer has expired", function()
    local c, hosts = client("timestream-write", nil, function(n)
      return told("cell" .. n .. ".example.com", 0)
    end)
    c:list_databases{}
    c:list_databases{}
    assert.same({ "?", "cell1.example.com", "?", "cell2.example.com" }, hosts)
  end)

  it("forgets a place that turns out to be wrong, and asks at once", function()
    for _, refusal in ipairs{ { status_code = 421, headers = {}, body = "{}" },
      { status_code = 400, headers = {}, body = '{"__type":"x#InvalidEndpointException"}' } } do
      local c, hosts = client("timestream-write", nil, function(n)
        return told("cell" .. n .. ".example.com", 5)
      end, function(host)
        return host == "cell1.example.com" and refusal or nil
      end)
      c:list_databases{}
      assert.same({ "?", "cell1.example.com", "?", "cell2.example.com" }, hosts)
    end
  end)

  it("gives up on a service that always points elsewhere", function()
    local c, hosts = client("timestream-write", nil, function()
      return told("cell.example.com", 5)
    end, function()
      return { status_code = 421, headers = {}, body = "{}" }
    end)
    assert.equal("ClientError", raised(c.list_databases, c, {}).kind)
    assert.is_true(#hosts <= 8)
  end)

  it("raises what the service says when it refuses to tell", function()
    local c = client("timestream-write", nil, function()
      return { status_code = 400, headers = {}, body = '{"__type":"x#AccessDeniedException","message":"no"}' }
    end)
    assert.equal("AccessDeniedException", raised(c.list_databases, c, {}).code)
  end)

  it("is refused where it is needed and switched off", function()
    local c, hosts = client("timestream-write", false)
    assert.equal("EndpointDiscoveryRequired", raised(c.list_databases, c, {}).kind)
    assert.same({}, hosts)
  end)

  it("is done for DynamoDB only when asked for", function()
    for _, enabled in ipairs{ "auto", "false" } do
      local c, hosts = client("dynamodb", enabled)
      c:list_tables{}
      assert.same({ "dynamodb.us-east-1.amazonaws.com" }, hosts)
    end
    local c, hosts = client("dynamodb", true, function()
      return told("cell.example.com", 5)
    end)
    c:list_tables{}
    assert.same({ "?", "cell.example.com" }, hosts)
  end)

  it("leaves optional operations where the rules send them when nobody can be asked", function()
    local peer = require("spec.support.server").start{ refuse = true }
    local c = aws.client("dynamodb", { region_name = "us-east-1", aws_access_key_id = "a",
      aws_secret_access_key = "b", config = { endpoint_discovery_enabled = true,
        retries = { total_max_attempts = 1 }, proxies = { https = peer.url } } })
    local hosts = {}
    c.meta.events:register("before-send.dynamodb.ListTables", function(event)
      hosts[#hosts + 1] = event.request.url:match("//([^/]+)")
      return { status_code = 200, headers = {}, body = "{}" }
    end)
    c:list_tables{}
    c:list_tables{}
    assert.same({ "dynamodb.us-east-1.amazonaws.com", "dynamodb.us-east-1.amazonaws.com" }, hosts)
    peer:stop()
  end)

  it("raises when it is needed and nobody can be asked", function()
    local peer = require("spec.support.server").start{ refuse = true }
    local c = aws.client("timestream-query", { region_name = "us-east-1", aws_access_key_id = "a",
      aws_secret_access_key = "b", config = { retries = { total_max_attempts = 1 },
        proxies = { https = peer.url } } })
    assert.equal("EndpointDiscoveryRefreshFailed", raised(c.list_scheduled_queries, c, {}).kind)
    peer:stop()
  end)

  it("is nothing for a client that was told where to send everything", function()
    local c = aws.client("timestream-write", { region_name = "us-east-1", aws_access_key_id = "a",
      aws_secret_access_key = "b", endpoint_url = "http://127.0.0.1:1",
      config = { endpoint_discovery_enabled = false } })
    c.meta.events:register("before-send.*.*", function(event)
      assert.equal("http://127.0.0.1:1/", event.request.url)
      return { status_code = 200, headers = {}, body = "{}" }
    end)
    c:list_databases{}
  end)

  it("is switched by words that are known", function()
    local err = raised(client, "dynamodb", "maybe")
    assert.equal("InvalidEndpointDiscoveryConfigurationError", err.kind)
  end)
end)
