-- S3 Express: sessions with directory buckets.
local aws = require("luaws")

local BUCKET = "data--use1-az4--x-s3"

-- A client whose requests are answered here; `sent` holds them in order, `lives` is how long a session does.
local function client(lives, config, answer)
  local c = aws.client("s3", { region_name = "us-east-1", aws_access_key_id = "AKIDEXAMPLE",
    aws_secret_access_key = "the-secret", aws_session_token = "the-token", config = config })
  local sent, sessions = {}, 0
  c.meta.events:register("before-send.s3.*", function(event)
    local headers = {}
    for name, value in pairs(event.request.headers) do
      headers[name:lower()] = value
    end
    sent[#sent + 1] = { operation = event.operation_name, url = event.request.url, headers = headers }
    if event.operation_name ~= "CreateSession" then
      return { status_code = 200, headers = {}, body = "" }
    end
    sessions = sessions + 1
    if answer then
      return answer(sessions)
    end
    local ends = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + lives)
    return { status_code = 200, headers = {}, body = ("<CreateSessionResult><Credentials>"
      .. "<SessionToken>token%d</SessionToken><SecretAccessKey>secret</SecretAccessKey>"
      .. "<AccessKeyId>SESSION%d</AccessKeyId><Expiration>%s</Expiration>"
      .. "</Credentials></CreateSessionResult>"):format(sessions, sessions, ends) }
  end)
  return c, sent
end

local function operations(sent)
  local names = {}
  for i, request in ipairs(sent) do
    names[i] = request.operation
  end
  return names
end

describe("a directory bucket", function()
  it("is asked for a session, whose keys then sign the requests to it", function()
    local c, sent = client(300)
    c:put_object{ Bucket = BUCKET, Key = "k", Body = "data" }
    c:delete_object{ Bucket = BUCKET, Key = "k" }
    assert.same({ "CreateSession", "PutObject", "DeleteObject" }, operations(sent))
    local host = "https://" .. BUCKET .. ".s3express-use1-az4.us-east-1.amazonaws.com/"
    assert.equal(host .. "?session", sent[1].url)
    assert.matches("Credential=AKIDEXAMPLE/%d+/us%-east%-1/s3express/aws4_request",
      sent[1].headers.authorization)
    assert.equal("the-token", sent[1].headers["x-amz-security-token"])
    for i = 2, 3 do
      assert.equal(host .. "k", sent[i].url)
      local headers = sent[i].headers
      assert.matches("Credential=SESSION1/%d+/us%-east%-1/s3express/aws4_request", headers.authorization)
      assert.matches("SignedHeaders=[^,]*x%-amz%-s3session%-token", headers.authorization)
      assert.equal("token1", headers["x-amz-s3session-token"])
      assert.is_nil(headers["x-amz-security-token"])
    end
  end)

  it("has a session of its own, as every other has", function()
    local c, sent = client(300)
    c:delete_object{ Bucket = "one--use1-az4--x-s3", Key = "k" }
    c:delete_object{ Bucket = "two--use1-az4--x-s3", Key = "k" }
    c:delete_object{ Bucket = "one--use1-az4--x-s3", Key = "k" }
    assert.same({ "CreateSession", "DeleteObject", "CreateSession", "DeleteObject", "DeleteObject" },
      operations(sent))
  end)

  it("is forgotten when a hundred others were used since", function()
    local c, sent = client(300)
    local function delete(i)
      c:delete_object{ Bucket = ("b%03d--use1-az4--x-s3"):format(i), Key = "k" }
    end
    for i = 1, 100 do
      delete(i)
    end
    delete(1)
    delete(101)
    local before = #sent
    delete(1)
    assert.equal(before + 1, #sent)
    delete(2)
    assert.equal(before + 3, #sent)
  end)

  it("gets a new session before the old one ends", function()
    for _, lives in ipairs{ 5, 40 } do
      local c, sent = client(lives)
      c:delete_object{ Bucket = BUCKET, Key = "k" }
      c:delete_object{ Bucket = BUCKET, Key = "k" }
      assert.same({ "CreateSession", "DeleteObject", "CreateSession", "DeleteObject" }, operations(sent))
      assert.equal("token2", sent[4].headers["x-amz-s3session-token"])
    end
  end)

  it("goes on with the old session while a new one cannot be had", function()
    local function answers(lives)
      return function(n)
        if n > 1 then
          return { status_code = 400, headers = {}, body = "<Error><Code>Slow</Code></Error>" }
        end
        return { status_code = 200, headers = {}, body = "<CreateSessionResult><Credentials>"
          .. "<SessionToken>token1</SessionToken><SecretAccessKey>s</SecretAccessKey>"
          .. "<AccessKeyId>A</AccessKeyId><Expiration>" .. os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + lives)
          .. "</Expiration></Credentials></CreateSessionResult>" }
      end
    end
    local c, sent = client(nil, nil, answers(30))
    c:delete_object{ Bucket = BUCKET, Key = "k" }
    c:delete_object{ Bucket = BUCKET, Key = "k" }
    assert.equal("token1", sent[#sent].headers["x-amz-s3session-token"])
    c = client(nil, nil, answers(5))
    c:delete_object{ Bucket = BUCKET, Key = "k" }
    local ok, err = pcall(c.delete_object, c, { Bucket = BUCKET, Key = "k" })
    assert.is_false(ok)
    assert.equal("Slow", err.code)
    assert.equal("CreateSession", err.operation_name)
  end)

  it("is asked once by tasks that run together", function()
    local server = require("spec.support.server").start()
    server:reply({ delay = 0.05, target = "session", body = "<CreateSessionResult><Credentials>"
      .. "<SessionToken>t</SessionToken><SecretAccessKey>s</SecretAccessKey><AccessKeyId>A</AccessKeyId>"
      .. "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>" },
      { always = true, body = "" })
    local c = aws.client("s3", { region_name = "us-east-1", endpoint_url = server.url,
      aws_access_key_id = "a", aws_secret_access_key = "b" })
    aws.async.run(function()
      aws.async.map({ 1, 2, 3, 4 }, function(i)
        c:delete_object{ Bucket = BUCKET, Key = "k" .. i }
      end, { concurrency = 4 })
    end)
    local requests = server:requests()
    assert.equal(5, #requests)
    for i = 2, 5 do
      assert.equal("t", requests[i].headers["x-amz-s3session-token"])
    end
    server:stop()
  end)

  it("can be used without sessions", function()
    for _, config in ipairs{ { s3 = { disable_s3_express_session_auth = true } },
      { s3_disable_express_session_auth = true } } do
      local c, sent = client(300, config)
      c:delete_object{ Bucket = BUCKET, Key = "k" }
      assert.same({ "DeleteObject" }, operations(sent))
      assert.matches("Credential=AKIDEXAMPLE/%d+/us%-east%-1/s3express/", sent[1].headers.authorization)
      assert.equal("the-token", sent[1].headers["x-amz-security-token"])
    end
  end)

  it("is made and listed with the client's own keys", function()
    local c, sent = client(300)
    c:list_directory_buckets{}
    assert.same({ "ListDirectoryBuckets" }, operations(sent))
    assert.matches("Credential=AKIDEXAMPLE/%d+/us%-east%-1/s3express/", sent[1].headers.authorization)
  end)

  it("has presigned URLs of its session", function()
    local c = client(300)
    local url = c:generate_presigned_url("get_object", { Params = { Bucket = BUCKET, Key = "k" } })
    assert.matches("X%-Amz%-S3session%-Token=token1", url)
    assert.matches("X%-Amz%-Credential=SESSION1%%2F%d+%%2Fus%-east%-1%%2Fs3express", url)
    assert.is_nil(url:find("Security-Token", 1, true))
  end)
end)
