-- Signed URLs and cookies of CloudFront, compared with botocore's and verified by OpenSSL.
local aws = require("luaws")
local cjson = require("cjson")
local child = require("spec.support.child")
local core = require("luaws.core")

local FOLDER = child.output({ "mktemp", "-d" }):gsub("\n$", "")

local function openssl(...)
  child.output({ "sh", "-c", 'exec openssl "$@" 2>/dev/null', "openssl", ... })
end

local function read(name)
  local file <close> = assert(io.open(FOLDER .. "/" .. name, "rb"))
  return (file:read("a"))
end

-- What botocore makes of calls { method, arguments }, its key the same.
local function botocore(calls)
  return cjson.decode(child.output({ "python3", "-c", [=[
import datetime, json, subprocess, sys
from botocore.signers import CloudFrontSigner

def rsa(message):
    done = subprocess.run(["openssl", "dgst", "-sha1", "-sign", sys.argv[1]], input=message,
      capture_output=True)
    return done.stdout

def value(name, given):
    if name.startswith("date"):
        return datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=given)
    return given

signer = CloudFrontSigner("KEYID", rsa)
json.dump([getattr(signer, method)(**{k: value(k, v) for k, v in opts.items()})
  for method, opts in json.loads(sys.argv[2])], sys.stdout)]=], FOLDER .. "/key.pem", cjson.encode(calls) }))
end

describe("aws.cloudfront_signer", function()
  setup(function()
    openssl("genrsa", "-traditional", "-out", FOLDER .. "/key.pem", "2048")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", FOLDER .. "/key.pem", "-out", FOLDER .. "/pkcs8.pem")
    openssl("rsa", "-in", FOLDER .. "/key.pem", "-pubout", "-out", FOLDER .. "/public.pem")
  end)
  teardown(function()
    child.output({ "rm", "-rf", FOLDER })
  end)

  it("makes the URLs and policies that botocore makes", function()
    local resources = { "https://d111.cloudfront.net/a.mp4", "https://d111.cloudfront.net/a b.mp4?x=1&y=/é",
      "http*://*", 'rtmp/"quoted"\\日本😀\n\x7f', "https://d111.cloudfront.net/?", "" }
    local times = { 0, 1, 1767225600, 1767225600.75, 253402300799, -1.5 }
    local addresses = { "192.0.2.10", "192.0.2.0/24", "2001:db8::1", "" }
    local calls = {}
    for i, resource in ipairs(resources) do
      for j, time in ipairs(times) do
        calls[#calls + 1] = { "build_policy", { resource = resource, date_less_than = time } }
        calls[#calls + 1] = { "build_policy", { resource = resource, date_less_than = time,
          date_greater_than = times[(i + j) % #times + 1],
          ip_address = addresses[(i + j) % #addresses + 1] } }
      end
      calls[#calls + 1] = { "generate_presigned_url", { url = resource, date_less_than = times[i] } }
      calls[#calls + 1] = { "generate_presigned_url", { url = resource,
        policy = '{"Statement":[' .. i .. ',"é"]}' } }
    end
    local expected = botocore(calls)
    for _, pem in ipairs{ "key.pem", "pkcs8.pem" } do
      local signer = aws.cloudfront_signer("KEYID", read(pem))
      for i, call in ipairs(calls) do
        assert.equal(expected[i], signer[call[1]](signer, call[2]))
      end
    end
  end)

  it("takes arguments in a row or by name, and times in every form", function()
    local signer = aws.cloudfront_signer("KEYID", read("key.pem"))
    local url = "https://d111.cloudfront.net/a"
    local expected = signer:generate_presigned_url(url, { date_less_than = 1767225600 })
    assert.matches("^https://d111.cloudfront.net/a%?Expires=1767225600&Signature=[%w~_-]+"
      .. "&Key%-Pair%-Id=KEYID$", expected)
    for _, time in ipairs{ 1767225600, 1767225600.9, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00",
      os.date("*t", 1767225600) } do
      assert.equal(expected, signer:generate_presigned_url(url, time))
    end
    local policy = signer:build_policy("https://d111.cloudfront.net/*", 1767225600, 1767225000, "192.0.2.10")
    assert.equal('{"Statement":[{"Resource":"https://d111.cloudfront.net/*","Condition":{'
      .. '"DateLessThan":{"AWS:EpochTime":1767225600},"IpAddress":{"AWS:SourceIp":"192.0.2.10/32"},'
      .. '"DateGreaterThan":{"AWS:EpochTime":1767225000}}}]}', policy)
    assert.equal(signer:generate_presigned_url{ url = url, policy = policy },
      signer:generate_presigned_url(url, nil, policy))
  end)

  it("makes cookies that say the same", function()
    local signer = aws.cloudfront_signer("KEYID", read("key.pem"))
    local url = "https://d111.cloudfront.net/a"
    local parts = {}
    for name, value in signer:generate_presigned_url(url, 1767225600):gmatch("([%w-]+)=([^&]+)") do
      parts["CloudFront-" .. name] = value
    end
    assert.same(parts, signer:generate_signed_cookies(url, { date_less_than = 1767225600 }))
    local policy = signer:build_policy("http*://d111.cloudfront.net/*", 1767225600)
    local cookies = signer:generate_signed_cookies{ policy = policy }
    local function bytes(text)
      return core.base64_decode((text:gsub("[-_~]", { ["-"] = "+", _ = "=", ["~"] = "/" })))
    end
    assert.equal(policy, bytes(cookies["CloudFront-Policy"]))
    assert.equal("KEYID", cookies["CloudFront-Key-Pair-Id"])
    for name, text in pairs{ signature = bytes(cookies["CloudFront-Signature"]), text = policy } do
      local file <close> = assert(io.open(FOLDER .. "/" .. name, "wb"))
      file:write(text)
    end
    assert.equal("Verified OK\n", child.output({ "openssl", "dgst", "-sha1", "-verify",
      FOLDER .. "/public.pem", "-signature", FOLDER .. "/signature", FOLDER .. "/text" }))
  end)

  it("lets a function sign", function()
    local heard
    local signer = aws.cloudfront_signer("KEYID", function(message)
      heard = message
      return "\xFB\xFF\xFE\x00"
    end)
    assert.equal("https://x/?y&Expires=1&Signature=-~~-AA__&Key-Pair-Id=KEYID",
      signer:generate_presigned_url("https://x/?y", 1))
    assert.equal('{"Statement":[{"Resource":"https://x/?y",'
      .. '"Condition":{"DateLessThan":{"AWS:EpochTime":1}}}]}', heard)
    local ok, err = pcall(function()
      return aws.cloudfront_signer("KEYID", function() return nil end):generate_presigned_url("u", 1)
    end)
    assert.is_false(ok)
    assert.equal("generate_presigned_url: the signer returned a nil, not the bytes of a signature",
      tostring(err))
  end)

  it("says what is wrong with a key, and shows nothing of it", function()
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", FOLDER .. "/ec.pem")
    openssl("rsa", "-in", FOLDER .. "/key.pem", "-aes128", "-passout", "pass:hush", "-traditional", "-out",
      FOLDER .. "/locked.pem")
    openssl("pkcs8", "-topk8", "-in", FOLDER .. "/key.pem", "-passout", "pass:hush", "-out",
      FOLDER .. "/locked8.pem")
    local key = read("key.pem")
    for why, pems in pairs{
      ["it is no PEM text"] = { "", "SECRET", "/home/me/key.pem" },
      ["there is no private key in it"] = { read("public.pem") },
      ["it is no RSA key"] = { read("ec.pem") },
      ["it is encrypted: decrypt it first"] = { read("locked.pem"), read("locked8.pem") },
      ["it is damaged"] = { key:sub(1, 200), key:gsub("\n....", "\nSECR", 5), (key:gsub("END", "ENB")) },
    } do
      for _, pem in ipairs(pems) do
        local ok, err = pcall(aws.cloudfront_signer, "KEYID", pem)
        assert.is_false(ok)
        assert.same({ "ValueError", "cannot read the private key: " .. why }, { err.kind, tostring(err) })
      end
    end
    assert.equal("CloudFrontSigner(key_id='KEYID')", tostring(aws.cloudfront_signer("KEYID", key)))
    assert.is_nil(aws.pretty(aws.cloudfront_signer("KEYID", key)):find("BEGIN", 1, true))
  end)

  it("refuses arguments that say too much or too little", function()
    local signer = aws.cloudfront_signer("KEYID", read("key.pem"))
    local either = "generate_presigned_url: Need to provide either date_less_than or policy, but not both"
    for _, case in ipairs{
      { either, "generate_presigned_url", "u" },
      { either, "generate_presigned_url", "u", 1, "p" },
      { "build_policy needs date_less_than", "build_policy", "u" },
      { "date_less_than must be a time, not 'soon'", "build_policy", "u", "soon" },
      { "date_less_than must be a time, not a boolean", "build_policy", "u", true },
      { "generate_presigned_url needs url", "generate_presigned_url", { policy = "p" } },
    } do
      local ok, err = pcall(signer[case[2]], signer, table.unpack(case, 3))
      assert.is_false(ok)
      assert.equal(case[1], tostring(err))
    end
    for text, arguments in pairs{
      ["cloudfront_signer: the key's id must be a string, not a nil"] = {},
      ["cloudfront_signer: the signer must be a private key (PEM) or a function, not a nil"] = { "K" },
    } do
      local ok, err = pcall(aws.cloudfront_signer, table.unpack(arguments))
      assert.is_false(ok)
      assert.equal(text, tostring(err))
    end
  end)
end)
