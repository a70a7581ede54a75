-- Checksums of bodies: in a header, in a trailer, and promised by a response.
local aws = require("luaws")
local server = require("spec.support.server")

-- Of "hello", as other programs compute them.
local HELLO = {
  CRC32 = "NhCmhg==", CRC32C = "mnG7TA==", CRC64NVME = "M3eFcAZSQlc=", SHA1 = "qvTGHdzF6KLavt4PO0gs2a6pQ00=",
  SHA256 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
}

describe("a checksum", function()
  local plain, tls, s3, secure
  setup(function()
    plain, tls = server.start(), server.start{ tls = true }
    local function client(peer, opts)
      opts.region_name, opts.endpoint_url = "us-east-1", peer.url
      opts.aws_access_key_id, opts.aws_secret_access_key = "a", "b"
      return aws.client("s3", opts)
    end
    s3, secure = client(plain, {}), client(tls, { verify = tls.ca })
  end)
  before_each(function()
    plain:clear()
    tls:clear()
    plain:reply{ body = "", always = true }
    tls:reply{ body = "", always = true }
  end)
  teardown(function()
    plain:stop()
    tls:stop()
  end)

  it("follows a body that is streamed over TLS", function()
    secure:put_object{ Bucket = "bucket", Key = "key", Body = "hello" }
    local request = tls:requests()[1]
    assert.equal("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", request.body)
    assert.equal("x-amz-checksum-crc32", request.headers["x-amz-trailer"])
    assert.equal("5", request.headers["x-amz-decoded-content-length"])
    assert.equal("aws-chunked", request.headers["content-encoding"])
    assert.equal("CRC32", request.headers["x-amz-sdk-checksum-algorithm"])
    assert.equal("STREAMING-UNSIGNED-PAYLOAD-TRAILER", request.headers["x-amz-content-sha256"])
    assert.is_nil(request.headers["x-amz-checksum-crc32"])
  end)

  it("stands in a header where there is no TLS", function()
    for algorithm, value in pairs(HELLO) do
      s3:put_object{ Bucket = "bucket", Key = "key", Body = "hello", ChecksumAlgorithm = algorithm }
      local requests = plain:requests()
      local request = requests[#requests]
      assert.equal("hello", request.body)
      assert.equal(value, request.headers["x-amz-checksum-" .. algorithm:lower()], algorithm)
      assert.equal(algorithm, request.headers["x-amz-sdk-checksum-algorithm"])
    end
  end)

  it("stands there for a function and for a pipe as well, which are read before", function()
    local chunks = { "hel", "lo" }
    for _, body in ipairs{ function() return table.remove(chunks, 1) end,
      io.popen("printf hel; sleep 0.1; printf lo") } do
      s3:put_object{ Bucket = "bucket", Key = "key", Body = body }
      local request = plain:last()
      assert.same({ "hello", HELLO.CRC32, "CRC32" }, { request.body, request.headers["x-amz-checksum-crc32"],
        request.headers["x-amz-sdk-checksum-algorithm"] })
    end
  end)

  it("is not announced where none comes", function()
    local unsigned = aws.client("s3", { region_name = "us-east-1", endpoint_url = plain.url,
      aws_access_key_id = "a", aws_secret_access_key = "b",
      config = { s3 = { payload_signing_enabled = false } } })
    local chunks = { "hel", "lo" }
    unsigned:put_object{ Bucket = "bucket", Key = "key", Body = function()
      return table.remove(chunks, 1)
    end }
    local headers = plain:last().headers
    assert.equal(headers["x-amz-sdk-checksum-algorithm"] ~= nil, headers["x-amz-checksum-crc32"] ~= nil)
  end)

  it("and the hash that is signed are those of a file, which a listener may still replace", function()
    local name = os.tmpname()
    local file = assert(io.open(name, "w+b"))
    file:write("hello")
    file:seek("set", 0)
    local function replace(event)
      event.request.body = "other"
    end
    for i, body in ipairs{ aws.file(name), file, aws.file(name) } do
      if i == 3 then
        s3.meta.events:register("before-sign.s3.PutObject", replace)
      end
      s3:put_object{ Bucket = "bucket", Key = "key", Body = body, ChecksumAlgorithm = "SHA256" }
      local request = plain:last()
      assert.equal(i == 3 and "other" or "hello", request.body)
      local handle <close> = assert(io.popen(("printf %s | sha256sum"):format(request.body)))
      assert.equal(handle:read(64), request.headers["x-amz-content-sha256"], i)
      assert.equal(HELLO.SHA256, request.headers["x-amz-checksum-sha256"])
    end
    s3.meta.events:unregister("before-sign.s3.PutObject", replace)
    file:close()
    os.remove(name)
  end)

  it("that the caller gives is sent as it is, and no other", function()
    secure:put_object{ Bucket = "bucket", Key = "key", Body = "hello", ChecksumSHA256 = HELLO.SHA256 }
    local request = tls:requests()[1]
    assert.equal("hello", request.body)
    assert.equal(HELLO.SHA256, request.headers["x-amz-checksum-sha256"])
    assert.is_nil(request.headers["x-amz-checksum-crc32"])
  end)

  it("is added to what needs one and is not streamed", function()
    plain:reply{ body = "<DeleteResult/>" }
    s3:delete_objects{ Bucket = "bucket", Delete = { Objects = { { Key = "a" } } } }
    local request = plain:requests()[1]
    assert.equal("CRC32", request.headers["x-amz-sdk-checksum-algorithm"])
    assert.is_truthy(request.headers["x-amz-checksum-crc32"])
  end)

  it("is left out when only required ones are wanted", function()
    local c = aws.client("s3", { region_name = "us-east-1", endpoint_url = plain.url, aws_access_key_id = "a",
      aws_secret_access_key = "b", config = { request_checksum_calculation = "when_required" } })
    c:put_object{ Bucket = "bucket", Key = "key", Body = "hello" }
    assert.is_nil(plain:requests()[1].headers["x-amz-checksum-crc32"])
  end)

  it("of a response is asked for and compared", function()
    for algorithm, value in pairs(HELLO) do
      plain:reply{ body = "hello", headers = { ["x-amz-checksum-" .. algorithm] = value } }
      assert.equal("hello", s3:get_object{ Bucket = "bucket", Key = "key" }.Body:read("a"))
    end
    assert.equal("ENABLED", plain:requests()[1].headers["x-amz-checksum-mode"])
  end)

  it("of a response that does not fit is an error at the end of the body", function()
    plain:reply{ body = "hellO", headers = { ["x-amz-checksum-crc32"] = HELLO.CRC32 } }
    local body = s3:get_object{ Bucket = "bucket", Key = "key" }.Body
    assert.equal("hel", body:read(3))
    local ok, err = pcall(body.read, body, "a")
    assert.is_false(ok)
    assert.equal("FlexibleChecksumError", err.kind)
    assert.equal("Expected checksum NhCmhg== did not match calculated checksum: DX6GTg==", err.message)
  end)

  it("of the parts of an upload is not that of the whole", function()
    plain:reply{ body = "hello", headers = { ["x-amz-checksum-crc32"] = "AAAAAA==-2" } }
    assert.equal("hello", s3:get_object{ Bucket = "bucket", Key = "key" }.Body:read("a"))
  end)
end)
