-- What is signed now and used by somebody else: URLs and forms, used with curl against a real server.
local aws = require("luaws")
local cjson = require("cjson")
local core = require("luaws.core")
local child = require("spec.support.child")
local raised = require("spec.support.raised")

local NOW = 1767225600
local DIRECTORY = "data--use1-az4--x-s3"

local function session(opts)
  local all = { aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret",
    region_name = "us-east-1", _env = {}, _home = "/nowhere", _clock = function() return NOW end }
  for name, value in pairs(opts or {}) do
    all[name] = value
  end
  return aws.session(all)
end

-- Posts a form with a file, as a browser does; returns the status.
local function post(form, content)
  local command = { "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}" }
  for name, value in pairs(form.fields) do
    command[#command + 1] = "--form-string"
    command[#command + 1] = name .. "=" .. value
  end
  command[#command + 1] = "-F"
  command[#command + 1] = "file=" .. content .. ";filename=note.txt"
  command[#command + 1] = form.url
  return child.output(command)
end

describe("against a server", function()
  local moto
  local s3, old

  setup(function()
    moto = require("spec.support.moto")
  end)
  before_each(function()
    moto.reset()
    s3 = session{ _clock = os.time }:client("s3", { endpoint_url = moto.url })
    old = session{ _clock = os.time }:client("s3", { endpoint_url = moto.url,
      config = { signature_version = "s3" } })
    s3:create_bucket{ Bucket = "bucket" }
  end)

  it("a form uploads a file, whichever version signs it", function()
    for i, client in ipairs{ s3, old } do
      local form = client:generate_presigned_post("bucket", "up " .. i .. "/${filename}",
        { ["Content-Type"] = "text/x" },
        { { ["Content-Type"] = "text/x" }, { "content-length-range", 1, 100 } }, 600)
      assert.equal("204", post(form, "hello " .. i))
      local object = s3:get_object{ Bucket = "bucket", Key = "up " .. i .. "/note.txt" }
      assert.equal("hello " .. i, object.Body:read("a"))
    end
  end)

  it("URLs put and get an object, whichever version signs them", function()
    for i, client in ipairs{ s3, old } do
      local params = { Bucket = "bucket", Key = "a b/é+" .. i }
      local put = client:generate_presigned_url("put_object", { Params = params })
      assert.equal("200", child.output{ "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X",
        "PUT",
        "-H", "Content-Type:", "--data-binary", "hello " .. i, put })
      params.ResponseContentType = "text/x; y=\"z\""
      local get = client:generate_presigned_url("get_object", { Params = params })
      assert.equal("hello " .. i, child.output{ "curl", "-s", get })
    end
  end)

  it("requests are made with the old version", function()
    old:put_object{ Bucket = "bucket", Key = "k", Body = ("x"):rep(100000), Metadata = { a = "b" } }
    local object = old:get_object{ Bucket = "bucket", Key = "k" }
    assert.equal(100000, #object.Body:read("a"))
    assert.equal("b", object.Metadata.a)
    assert.equal("k", old:list_objects_v2{ Bucket = "bucket" }.Contents[1].Key)
  end)
end)

describe("a form", function()
  it("says in its policy what it may be used for", function()
    local conditions = { { "content-length-range", 0.0, 5497558138880 }, { acl = "é\"" } }
    local s3 = session{ aws_session_token = "to+ken" }:client("s3")
    local form = s3:generate_presigned_post{ Bucket = "bucket", Key = "k", Fields = { acl = "é\"" },
      Conditions = conditions, ExpiresIn = 60.0 }
    assert.equal("https://bucket.s3.us-east-1.amazonaws.com/", form.url)
    assert.equal('{"expiration": "2026-01-01T00:01:00Z", "conditions": ['
      .. '["content-length-range", 0, 5497558138880], {"acl": "\\u00e9\\""}, {"bucket": "bucket"}, '
      .. '{"key": "k"}, {"x-amz-algorithm": "AWS4-HMAC-SHA256"}, '
      .. '{"x-amz-credential": "AKIDEXAMPLE/20260101/us-east-1/s3/aws4_request"}, '
      .. '{"x-amz-date": "20260101T000000Z"}, {"x-amz-security-token": "to+ken"}]}',
      core.base64_decode(form.fields.policy))
    assert.equal(2, #conditions)
  end)

  it("for a directory bucket is signed with the keys of its session", function()
    local client = session{}:client("s3")
    client.meta.events:register("before-send.s3.CreateSession", function()
      return { status_code = 200, headers = {}, body = "<CreateSessionResult><Credentials>"
        .. "<SessionToken>tok</SessionToken>"
        .. "<SecretAccessKey>hush</SecretAccessKey><AccessKeyId>SESSION</AccessKeyId>"
        .. "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>" }
    end)
    local form = client:generate_presigned_post(DIRECTORY, "k")
    local expected = cjson.decode(child.output({ "python3", "-c", [[
import json, sys, datetime, types, botocore.auth, botocore.credentials
now = datetime.datetime(2026, 1, 1)
botocore.auth.get_current_datetime = lambda *a, **k: now
bucket = sys.argv[1]
fields = {"key": "k"}
policy = {"expiration": "2026-01-01T01:00:00Z", "conditions": [{"bucket": bucket}, {"key": "k"}]}
request = types.SimpleNamespace(context={"s3-presign-post-fields": fields, "s3-presign-post-policy": policy})
keys = botocore.credentials.Credentials("SESSION", "hush", "tok")
botocore.auth.S3ExpressPostAuth(keys, "s3express", "us-east-1", identity_cache={}).add_auth(request)
json.dump(request.context["s3-presign-post-fields"], sys.stdout)]], DIRECTORY }))
    assert.same(expected, form.fields)
    assert.equal("https://" .. DIRECTORY .. ".s3express-use1-az4.us-east-1.amazonaws.com/", form.url)
  end)

  it("is refused with a reason", function()
    local s3 = session{}:client("s3")
    for text, arguments in pairs{
      ["generate_presigned_post needs Key"] = { "bucket" },
      ["generate_presigned_post: Key must be a string, not a table"] = { "bucket", {} },
      ["generate_presigned_post: Fields must be a table, not a string"] = { "bucket", "k", "x" },
      ["Conditions[2] must be a table, not a string"] = { "bucket", "k", nil, { {}, "x" } },
      ["ExpiresIn must be a positive number of whole seconds, not 1.5"] = { "bucket", "k", nil, nil, 1.5 },
      ["generate_presigned_post takes 5 arguments, not 6"] = { "bucket", "k", nil, nil, 1, 2 },
    } do
      assert.equal(text, tostring(raised(s3.generate_presigned_post, s3,
        table.unpack(arguments, 1, arguments[6] and 6 or 5))))
    end
    local mrap = "arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap"
    local err = raised(s3.generate_presigned_post, s3, mrap, "k")
    assert.same({ "UnsupportedSignatureVersionError",
      "Signature version(s) are not supported: s3v4a-presign-post" }, { err.kind, tostring(err) })
  end)
end)

describe("a URL", function()
  it("keeps a body that is no form, and signs for it", function()
    local client = session{}:client("dynamodb")
    local with = client:generate_presigned_url("list_tables", { Params = { Limit = 1 } })
    assert.matches("^https://dynamodb.us%-east%-1.amazonaws.com/%?X%-Amz%-Algorithm=", with)
    local signed = session{}:sign_request({ method = "POST",
      url = "https://dynamodb.us-east-1.amazonaws.com/", headers = {
        ["Content-Type"] = "application/x-amz-json-1.0", ["X-Amz-Target"] = "DynamoDB_20120810.ListTables" },
      body = '{"Limit":1}' }, { service = "dynamodb", presign = true, time = NOW })
    assert.equal(signed.url, with)
  end)

  it("of a multi-region access point is signed for all regions, as OpenSSL finds", function()
    local client = session{ aws_session_token = "tok" }:client("s3")
    local url = client:generate_presigned_url("get_object", { Params = {
      Bucket = "arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap", Key = "a b/é" } })
    local host, path, query, signature =
      url:match("^https://([^/]+)(/[^?]*)%?(.*)&X%-Amz%-Signature=(%x+)$")
    assert.equal("mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com", host)
    assert.matches("X-Amz-Region-Set=%2A", query, 1, true)
    local parts = {}
    for part in query:gmatch("[^&]+") do
      parts[#parts + 1] = part
    end
    table.sort(parts)
    local canonical = ("GET\n%s\n%s\nhost:%s\n\nhost\nUNSIGNED-PAYLOAD"):format(path,
      table.concat(parts, "&"), host)
    -- The public key is derived from the keys as AWS does, by means of its own.
    assert.equal("verified\n", child.output({ "python3", "-c", [[
import hashlib, hmac, subprocess, sys, tempfile
canonical, signature = sys.argv[1], bytes.fromhex(sys.argv[2])
key, secret = b"AKIDEXAMPLE", b"the-secret"
digest = hashlib.sha256(canonical.encode()).hexdigest()
text = "AWS4-ECDSA-P256-SHA256\n20260101T000000Z\n20260101/s3/aws4_request\n" + digest
n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
for counter in range(1, 255):
    fixed = b"\0\0\0\1AWS4-ECDSA-P256-SHA256\0" + key + bytes([counter]) + b"\0\0\1\0"
    number = int.from_bytes(hmac.new(b"AWS4A" + secret, fixed, hashlib.sha256).digest(), "big")
    if number <= n - 2:
        break
private = (number + 1).to_bytes(32, "big")
with tempfile.TemporaryDirectory() as folder:
    def write(name, data):
        with open(folder + "/" + name, "wb") as file:
            file.write(data)
        return folder + "/" + name
    # ECPrivateKey of RFC 5915, on prime256v1
    der = bytes.fromhex("30310201010420") + private + bytes.fromhex("a00a06082a8648ce3d030107")
    subprocess.run(["openssl", "ec", "-inform", "DER", "-in", write("key", der), "-pubout",
      "-out", folder + "/public"], check=True, capture_output=True)
    done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", folder + "/public", "-signature",
      write("signature", signature), write("text", text.encode())], capture_output=True, text=True)
    print("verified" if done.stdout == "Verified OK\n" else done)]], canonical, signature }))
  end)
end)
