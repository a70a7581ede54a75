-- S3 Express: sessions with directory buckets.
local aws = require("luaws")
local machine = require("spec.support.machine")

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

  describe("of a server", function()
    local server = require("spec.support.server")
    local NOW = machine.NOW
    local peer
    setup(function()
      peer = server.start()
    end)
    before_each(function()
      peer:clear()
    end)
    teardown(function()
      peer:stop()
    end)

    --- What the server answers to CreateSession: the keys of session n, which end after so many seconds.
    local function answer(n, seconds, more)
      local reply = { target = "session", body = ("<CreateSessionResult><Credentials>"
        .. "<SessionToken>token%s</SessionToken><SecretAccessKey>s</SecretAccessKey>"
        .. "<AccessKeyId>SESSION%s</AccessKeyId><Expiration>%s</Expiration></Credentials>"
        .. "</CreateSessionResult>"):format(n, n, machine.iso(NOW + seconds)) }
      for name, value in pairs(more or {}) do
        reply[name] = value
      end
      return reply
    end
    local FINE = { always = true, target = "/k", body = "" }

    local function machine_client()
      local w = machine.new()
      return w, w.session{ region_name = "us-east-1", aws_access_key_id = "a", aws_secret_access_key = "b" }
        :client("s3", { endpoint_url = peer.url })
    end

    --- How often a session was asked for, and the tokens that the other requests had, each with their number.
    local function seen()
      local asked, tokens = 0, {}
      for _, request in ipairs(peer:requests()) do
        local token = request.headers["x-amz-s3session-token"]
        if request.target:find("session", 1, true) then
          asked = asked + 1
        else
          tokens[token] = (tokens[token] or 0) + 1
        end
      end
      return asked, tokens
    end

    it("is renewed at exactly the edges of the windows, by the session's clock", function()
      local cases = { -- seconds left, whether a new one is asked for, and whether that must succeed
        { 46, false }, { 45, false }, { 44, true, false }, { 11, true, false }, { 10, true, false },
        { 9, true, true }, { 0, true, true }, { -5, true, true },
      }
      for _, case in ipairs(cases) do
        for _, fails in ipairs{ false, true } do
          local w <close>, c = machine_client()
          peer:clear()
          peer:reply(answer(1, 300), fails and { target = "session", status = 400, always = true,
            body = "<Error><Code>Slow</Code></Error>" } or answer(2, 900), FINE)
          c:delete_object{ Bucket = BUCKET, Key = "k" }
          w.now = NOW + 300 - case[1]
          local ok, err = pcall(c.delete_object, c, { Bucket = BUCKET, Key = "k" })
          local asked, tokens = seen()
          local name = case[1] .. tostring(fails)
          assert.equal(case[2] and 2 or 1, asked, name)
          if case[3] and fails then
            assert.same({ false, "Slow", "CreateSession" }, { ok, err.code, err.operation_name }, name)
            assert.same({ token1 = 1 }, tokens, name)
          elseif case[2] and not fails then
            assert.same({ token1 = 1, token2 = 1 }, tokens, name)
          else
            assert.same({ token1 = 2 }, tokens, name)
          end
        end
      end
    end)

    it("is of no use when the keys of the new one have ended already", function()
      for _, case in ipairs{ { 300 }, { 300 - 30 }, { 300 - 5 }, { nil } } do
        local w <close>, c = machine_client()
        peer:clear()
        peer:reply(answer(1, case[1] and 300 or -1), answer(2, 200), FINE)
        if case[1] then
          c:delete_object{ Bucket = BUCKET, Key = "k" }
          w.now = NOW + case[1]
        end
        local err = machine.raised(c.delete_object, c, { Bucket = BUCKET, Key = "k" })
        assert.same({ "RuntimeError",
          "Credentials were refreshed, but the refreshed credentials are still expired." },
          { err.kind, err.message })
        assert.same({ case[1] and 2 or 1, case[1] and { token1 = 1 } or {} }, { seen() })
      end
    end)

    it("is asked once by 1,000 tasks, at first and when the session has ended", function()
      local w <close>, c = machine_client()
      local items = {}
      for i = 1, 1000 do
        items[i] = "k" .. i
      end
      for round, seconds in ipairs{ 300, 900, 9000 } do
        peer:clear()
        peer:reply(answer(round, seconds, { delay = 0.05 }), FINE)
        aws.async.map(items, function(key)
          c:delete_object{ Bucket = BUCKET, Key = key }
        end, { concurrency = 1000 })
        local asked, tokens = seen()
        assert.equal(1, asked, round)
        assert.same({ ["token" .. round] = 1000 }, tokens)
        w.now = NOW + seconds + (round == 1 and 10 or -5)
      end
    end)

    it("is asked once more by tasks ahead of time, and no other waits for that", function()
      local w <close>, c = machine_client()
      peer:reply(answer(1, 300), answer(2, 900, { delay = 0.3 }), FINE)
      c:delete_object{ Bucket = BUCKET, Key = "k" }
      w.now = NOW + 270
      local items = {}
      for i = 1, 20 do
        items[i] = "k" .. i
      end
      aws.async.map(items, function(key)
        c:delete_object{ Bucket = BUCKET, Key = key }
      end, { concurrency = 20 })
      local asked, tokens = seen()
      assert.equal(2, asked)
      assert.same({ token1 = 20, token2 = 1 }, tokens)
    end)
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
