-- Bodies of requests in gzip, for the operations that take them so.
local aws = require("luaws")
local child = require("spec.support.child")
local server = require("spec.support.server")

local function put(peer, config, count)
  config.retries = { total_max_attempts = 2 }
  local c = aws.client("cloudwatch", { region_name = "us-east-1", endpoint_url = peer.url,
    aws_access_key_id = "a", aws_secret_access_key = "b", config = config })
  local data = {}
  for i = 1, count do
    data[i] = { MetricName = "name" .. i, Value = i }
  end
  c:put_metric_data{ Namespace = "space", MetricData = data }
end

local function gunzip(bytes)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
  local text = child.output({ "gzip", "-dc", path })
  os.remove(path)
  return text
end

describe("a request's body", function()
  local peer
  setup(function()
    peer = server.start()
  end)
  before_each(function()
    peer:clear()
    peer:reply{ body = "{}", always = true }
  end)
  teardown(function()
    peer:stop()
  end)

  it("is compressed when it is large, and is the same inside", function()
    put(peer, {}, 1)
    put(peer, {}, 1000)
    put(peer, { disable_request_compression = true }, 1000)
    local small, large, plain = table.unpack(peer:requests())
    assert.is_nil(small.headers["content-encoding"])
    assert.equal("gzip", large.headers["content-encoding"])
    assert.is_nil(plain.headers["content-encoding"])
    assert.is_true(#large.body < #plain.body / 4)
    assert.equal(tostring(#large.body), large.headers["content-length"])
    assert.equal(plain.body, gunzip(large.body))
    assert.matches("content%-encoding", large.headers.authorization)
  end)

  it("is large from the number of bytes on that the config says", function()
    put(peer, { request_min_compression_size_bytes = 1 }, 1)
    local size = #gunzip(peer:last().body)
    put(peer, { request_min_compression_size_bytes = size }, 1)
    put(peer, { request_min_compression_size_bytes = size + 1 }, 1)
    local requests = peer:requests()
    assert.equal("gzip", requests[2].headers["content-encoding"])
    assert.is_nil(requests[3].headers["content-encoding"])
  end)

  it("is compressed once, however often it is sent", function()
    peer:reply({ status = 503, body = "" }, { body = "{}" })
    put(peer, {}, 1000)
    local first, second = table.unpack(peer:requests())
    assert.equal(first.body, second.body)
    assert.equal("gzip", second.headers["content-encoding"])
  end)

  it("of any other operation is sent as it is", function()
    local c = aws.client("dynamodb", { region_name = "us-east-1", endpoint_url = peer.url,
      aws_access_key_id = "a", aws_secret_access_key = "b",
      config = { request_min_compression_size_bytes = 1 } })
    c:list_tables{}
    assert.equal("{}", peer:last().body)
  end)
end)
