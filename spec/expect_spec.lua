-- Expect: 100-continue: S3 is asked before a body is sent, and an answer other than 100 saves sending it.
local aws = require("luaws")
local server = require("spec.support.server")

local DENIED = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
local MOVED = "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>"

local function client(peer, config)
  config = config or {}
  config.retries = config.retries or { total_max_attempts = 1 }
  config.s3 = { addressing_style = "path" }
  return aws.client("s3", { region_name = "us-east-1", endpoint_url = peer.url, verify = peer.ca,
    aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret", config = config })
end

-- What the server saw of each request: { Expect, bytes of the body, whether it came whole }.
local function seen(peer)
  local all = {}
  for i, request in ipairs(peer:requests()) do
    all[i] = { request.headers.expect or "none", #request.body, request.complete }
  end
  return all
end

-- A body that is produced piece by piece, once.
local function pieces(count)
  local asked = 0
  return function()
    asked = asked + 1
    return asked <= count and ("x"):rep(1000) or nil
  end, function() return asked end
end

describe("Expect: 100-continue", function()
  local peer, tls
  setup(function()
    peer, tls = server.start(), server.start{ tls = true }
  end)
  before_each(function()
    peer:clear()
    tls:clear()
  end)
  teardown(function()
    peer:stop()
    tls:stop()
  end)

  it("announces bodies of any size, of objects and of parts, and sends them after the 100", function()
    peer:reply{ always = true }
    local s3, before = client(peer), peer:connections()
    s3:put_object{ Bucket = "b", Key = "k", Body = "x" }
    s3:put_object{ Bucket = "b", Key = "k", Body = ("x"):rep(300000) }
    s3:upload_part{ Bucket = "b", Key = "k", UploadId = "u", PartNumber = 1, Body = ("x"):rep(70000) }
    assert.same({ { "100-continue", 1, true }, { "100-continue", 300000, true },
      { "100-continue", 70000, true } }, seen(peer))
    assert.equal(before + 1, peer:connections())
  end)

  it("is not signed", function()
    peer:reply{ always = true }
    client(peer):put_object{ Bucket = "b", Key = "k", Body = "x" }
    assert.not_matches("expect", peer:last().headers.authorization)
  end)

  it("announces a body with its checksum behind it over TLS", function()
    tls:reply{ always = true }
    client(tls):put_object{ Bucket = "b", Key = "k", Body = "hello" }
    local request = tls:last()
    assert.same({ "100-continue", "x-amz-checksum-crc32",
      "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n" },
      { request.headers.expect, request.headers["x-amz-trailer"], request.body })
  end)

  it("announces no empty body, no other call, and nothing of other services", function()
    peer:reply{ always = true }
    local s3 = client(peer, { inject_host_prefix = false })
    s3:put_object{ Bucket = "b", Key = "k", Body = "" }
    s3:put_object{ Bucket = "b", Key = "k" }
    s3:head_object{ Bucket = "b", Key = "k" }
    s3:put_object_tagging{ Bucket = "b", Key = "k", Tagging = { TagSet = { { Key = "a", Value = "b" } } } }
    s3:write_get_object_response{ RequestRoute = "r", RequestToken = "t", Body = "text" }
    aws.client("glacier", { region_name = "us-east-1", endpoint_url = peer.url, aws_access_key_id = "a",
      aws_secret_access_key = "s" }):upload_archive{ vaultName = "v", body = "text" }
    for _, request in ipairs(peer:requests()) do
      assert.is_nil(request.headers.expect, request.target)
    end
  end)

  it("sends no byte of a body that is refused at once", function()
    local text, asked = pieces(100)
    peer:reply({ status = 403, early = true, body = DENIED })
    tls:reply({ status = 403, early = true, body = DENIED })
    local _, err = client(peer).try:put_object{ Bucket = "b", Key = "k", Body = ("x"):rep(1 << 20) }
    assert.equal("AccessDenied", err.code)
    assert.same({ { "100-continue", 0, false } }, seen(peer))
    _, err = client(tls).try:put_object{ Bucket = "b", Key = "k", Body = text }
    assert.same({ "AccessDenied", 0 }, { err.code, asked() })
    assert.same({ { "100-continue", 0, false } }, seen(tls))
  end)

  it("takes another answer than 100 for the answer, and that connection for nothing else", function()
    for _, status in ipairs{ 200, 412, 417, 500 } do
      peer:clear()
      local s3 = client(peer)
      peer:reply({ status = status, early = true }, { always = true })
      local answer, err = s3.try:put_object{ Bucket = "b", Key = "k", Body = "hello" }
      assert.equal(status, (answer or err.response).ResponseMetadata.HTTPStatusCode)
      s3:put_object{ Bucket = "b", Key = "k", Body = "hello" }
      assert.same({ { "100-continue", 0, false }, { "100-continue", 5, true } }, seen(peer))
      local requests = peer:requests()
      assert.not_equal(requests[1].connection, requests[2].connection)
    end
  end)

  it("sends the body after a second to a server that says nothing, and asks that one no more", function()
    peer:reply{ no_continue = true, always = true }
    local s3 = client(peer)
    for _ = 1, 3 do
      s3:put_object{ Bucket = "b", Key = "k", Body = "hello" }
    end
    assert.same({ { "100-continue", 5, true }, { "none", 5, true }, { "none", 5, true } }, seen(peer))
  end)

  it("reads past headers that come with the 100", function()
    peer:reply{ continue_headers = { Connection = "keep-alive", ["X-Proxy"] = "squid" }, always = true,
      headers = { ETag = '"e"' } }
    local answer = client(peer):put_object{ Bucket = "b", Key = "k", Body = "hello" }
    assert.equal('"e"', answer.ETag)
    assert.is_nil(answer.ResponseMetadata.HTTPHeaders["x-proxy"])
    assert.same({ { "100-continue", 5, true } }, seen(peer))
  end)

  it("sends a body to the right region only, though it can be read but once", function()
    local text, asked = pieces(3)
    tls:reply({ status = 301, early = true, body = MOVED,
      headers = { ["x-amz-bucket-region"] = "eu-west-1" } }, { always = true })
    client(tls):put_object{ Bucket = "b", Key = "k", Body = text }
    local requests = tls:requests()
    assert.same({ { "100-continue", 0, false }, { "100-continue", #requests[2].body, true } }, seen(tls))
    assert.equal(4, asked())
    assert.matches("^BB8\r\nx+\r\n0\r\n", (requests[2].body:gsub("^bb8", "BB8")))
    assert.matches("/us%-east%-1/s3/", requests[1].headers.authorization)
    assert.matches("/eu%-west%-1/s3/", requests[2].headers.authorization)
  end)

  it("announces the body of every attempt", function()
    peer:reply({ status = 503, early = true }, { status = 503 }, { always = true })
    client(peer, { retries = { total_max_attempts = 3 } })
      :put_object{ Bucket = "b", Key = "k", Body = "hello" }
    assert.same({ { "100-continue", 0, false }, { "100-continue", 5, true }, { "100-continue", 5, true } },
      seen(peer))
  end)

  it("is left out where a listener takes the header away", function()
    peer:reply{ always = true }
    local s3 = client(peer)
    s3.meta.events:register("before-call.s3.PutObject", function(event)
      event.request.headers.Expect = nil
    end)
    s3:put_object{ Bucket = "b", Key = "k", Body = "hello" }
    assert.same({ { "none", 5, true } }, seen(peer))
  end)
end)
