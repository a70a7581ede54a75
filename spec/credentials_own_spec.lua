-- Providers of credentials written in Lua, and prompts for MFA codes: functions that may wait as tasks do.
local aws = require("luaws")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local NOW, raised = machine.NOW, machine.raised
local async = aws.async

local function insert(session, load)
  session:get_component("credential_provider"):insert_before("env", { METHOD = "own", load = load })
  return session
end

local function keys(name, expiry)
  return { access_key = "AK" .. name, secret_key = "hush-" .. name, token = "hush-token", expiry = expiry }
end

describe("a provider written in Lua", function()
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

  --- A client of another session, as a vault might need: what it answers makes the keys.
  local function vault_client(w, opts)
    return w.session{ aws_access_key_id = "AKVAULT", aws_secret_access_key = "hush" }
      :client("secretsmanager", opts or { endpoint_url = peer.url })
  end

  local function ask_vault(client)
    return keys(client:get_secret_value{ SecretId = "s" }.SecretString)
  end

  it("may make calls, sleep and start tasks, in a task and outside of any", function()
    local w <close> = machine.new()
    local vault = vault_client(w)
    local function load()
      async.sleep(0.01)
      local a, b = async.gather(function() return ask_vault(vault) end, function()
        return async.timeout(5, async.sleep, 0.01)
      end)
      assert.is_nil(b)
      return a
    end
    for _, way in ipairs{ function(fn) return fn() end, async.run, coroutine.wrap(function(fn)
      return fn()
    end) } do
      peer:reply{ body = '{"SecretString":"ONE"}', delay = 0.05 }
      local session = insert(w.session(), load)
      assert.equal("AKONE", way(function()
        return session:get_credentials().access_key
      end))
      assert.matches("Credential=AKVAULT/", peer:last().headers.authorization)
    end
  end)

  it("keeps nobody from going on", function()
    local w <close> = machine.new()
    local steps = {}
    local gate
    local session = insert(w.session(), function()
      steps[#steps + 1] = "asked"
      while not gate do
        async.sleep(0.005)
      end
      return keys("ONE")
    end)
    local found = async.gather(function()
      return session:get_credentials()
    end, function()
      async.sleep(0.02)
      steps[#steps + 1] = "meanwhile"
      gate = true
    end)
    assert.equal("AKONE", found.access_key)
    assert.same({ "asked", "meanwhile" }, steps)
  end)

  it("is asked once by any number of tasks, at first and when what it gave has expired", function()
    local w <close> = machine.new()
    local count = 0
    local session = insert(w.session(), function()
      count = count + 1
      async.sleep(0.02)
      return keys(count, w.now + 3600)
    end)
    local items = {}
    for i = 1, 1000 do
      items[i] = i
    end
    for round = 1, 3 do
      w.now = NOW + 7200 * round
      async.map(items, function()
        assert.equal("AK" .. round, session:get_credentials().access_key)
      end, { concurrency = 1000 })
      assert.equal(round, count)
    end
  end)

  it("is asked again in the middle of whatever needs its keys", function()
    local w <close> = machine.new()
    local vault = vault_client(w)
    local function load()
      return ask_vault(vault)
    end
    local function lasting(fn)
      return function()
        local found = fn()
        found.expiry = w.now + 3600
        return found
      end
    end
    local session = insert(w.session(), lasting(load))
    local s3 = session:client("s3", { endpoint_url = peer.url,
      config = { s3 = { addressing_style = "path" } } })
    local function list(next)
      local more = next and "<IsTruncated>true</IsTruncated><NextContinuationToken>" .. next
        .. "</NextContinuationToken>" or ""
      return { body = "<ListBucketResult>" .. more .. "<Contents><Key>k</Key></Contents></ListBucketResult>" }
    end
    peer:reply({ body = '{"SecretString":"ONE"}' }, list("n"), { body = '{"SecretString":"TWO"}' }, list())
    for _ in s3:get_paginator("list_objects_v2"):paginate{ Bucket = "b" } do
      w.now = w.now + 4000
    end
    local requests = peer:requests()
    assert.same({ "AKVAULT", "AKONE", "AKVAULT", "AKTWO" }, { table.unpack((function()
      local names = {}
      for i, request in ipairs(requests) do
        names[i] = request.headers.authorization:match("Credential=(%w+)")
      end
      return names
    end)()) })
    -- Presigning waits for nothing else; here even within a function of C that cannot yield.
    peer:clear()
    peer:reply{ body = '{"SecretString":"THREE"}' }
    w.now = w.now + 4000
    local url
    async.run(function()
      ("x"):gsub("x", function()
        url = s3:generate_presigned_url("get_object", { Params = { Bucket = "b", Key = "k" } })
      end)
    end)
    assert.matches("Credential=AKTHREE", url)
  end)

  it("is asked again between the parts of an upload, whose keys end on the way", function()
    local w <close> = machine.new()
    local given = 0
    local session = insert(w.session(), function()
      given = given + 1
      return { access_key = "AK" .. given, secret_key = "hush", token = "t", expiry = w.now + 3600 }
    end)
    local s3 = session:client("s3", { endpoint_url = peer.url,
      config = { s3 = { addressing_style = "path" }, request_checksum_calculation = "when_required" } })
    local function answer(name, content)
      return { body = ("<%s>%s</%s>"):format(name, content, name) }
    end
    peer:reply(answer("InitiateMultipartUploadResult", "<UploadId>u</UploadId>"),
      { method = "PUT", headers = { ETag = '"e"' }, times = 3 },
      answer("CompleteMultipartUploadResult", "<ETag>e</ETag>"))
    machine.write(w.home .. "/body", ("x"):rep((10 << 20) + 1))
    local function forward()
      w.now = w.now + 4000
    end
    s3:upload_file(w.home .. "/body", "b", "k", { Callback = forward, Config = { max_concurrency = 1,
      multipart_threshold = 5 << 20, multipart_chunksize = 5 << 20 } })
    local names = {}
    for i, request in ipairs(peer:requests()) do
      names[i] = request.method .. " " .. request.headers.authorization:match("Credential=(%w+)")
    end
    assert.same({ "POST AK1", "PUT AK1", "PUT AK2", "PUT AK3", "POST AK4" }, names)
  end)

  it("may make calls of its own session only once that has credentials", function()
    local w <close> = machine.new()
    local session = w.session()
    local sqs = session:client("sqs", { endpoint_url = peer.url })
    local ways = {
      function() sqs:list_queues() end,
      function() return session:get_credentials() end,
      function() async.run(sqs.list_queues, sqs) end,
      function() async.gather(function() sqs:list_queues() end, function() async.sleep(0.01) end) end,
      function() sqs:generate_presigned_url("list_queues") end,
      function() coroutine.wrap(function() sqs:list_queues() end)() end,
    }
    local way
    insert(session, function()
      return ways[way]()
    end)
    for _, around in ipairs{ function(fn) return fn() end, async.run } do
      for i = 1, #ways do
        way = i
        local err = raised(around, function() sqs:list_queues() end)
        assert.equal("CredentialRetrievalError", err.kind, tostring(err))
        assert.matches("a provider waits for the credentials that it is to provide", err.message, 1, true)
      end
    end
    assert.same({}, peer:requests())
  end)

  it("of two sessions that wait for each other fails as well", function()
    local w <close> = machine.new()
    local one, two = w.session(), w.session()
    insert(one, function() return two:get_credentials() end)
    insert(two, function() return one:get_credentials() end)
    local err = raised(machine.keys, one)
    assert.equal("CredentialRetrievalError", err.kind)
    assert.matches("a provider waits for the credentials that it is to provide", err.message, 1, true)
  end)

  it("is ended when nobody waits for it any more", function()
    local w <close> = machine.new()
    local log = {}
    local session = insert(w.session(), function()
      local _ <close> = setmetatable({}, { __close = function() log[#log + 1] = "closed" end })
      log[#log + 1] = "asked"
      async.sleep(1000)
    end)
    async.run(function()
      local a = async.spawn(machine.keys, session)
      local b = async.spawn(machine.keys, session)
      async.sleep(0.02)
      a:cancel()
      async.sleep(0.02)
      assert.same({ "asked" }, log)
      b:cancel()
      async.sleep(0)
      assert.same({ "asked", "closed" }, log)
    end)
    assert.equal("TimeoutError", raised(async.timeout, 0.02, machine.keys, session).kind)
  end)

  it("says in its own words what is wrong, and is asked again", function()
    local w <close> = machine.new()
    local vault = vault_client(w)
    local session = insert(w.session(), function()
      return ask_vault(vault)
    end)
    peer:reply({ status = 400, body = '{"__type":"ResourceNotFoundException","message":"no such secret"}' },
      { body = '{"SecretString":"ONE"}' })
    local err = raised(machine.keys, session)
    assert.equal("Error when retrieving credentials from own: An error occurred (ResourceNotFoundException) "
      .. "when calling the GetSecretValue operation: no such secret", err.message)
    assert.equal("AKONE", session:get_credentials().access_key)
  end)

  it("that fails ahead of time leaves the old keys, and is asked again a minute later", function()
    local w <close> = machine.new()
    local asked, broken = 0, false
    local session = insert(w.session(), function()
      asked = asked + 1
      async.sleep(0)
      if broken then
        error("the vault is shut")
      end
      return keys(asked, NOW + 3600)
    end)
    machine.keys(session)
    broken = true
    local function access()
      local key = session:get_credentials().access_key
      async.sleep(0.01) -- what goes on behind the back of whoever asked gets its turn
      return key
    end
    for _, at in ipairs{ { 2700, 1 }, { 2701, 2 }, { 2702, 2 }, { 2759, 2 }, { 2761, 3 }, { 3000, 4 } } do
      w.now = NOW + at[1]
      assert.equal("AK1", access())
      assert.equal("AK1", access())
      assert.equal(at[2], asked, at[1])
    end
    w.now = NOW + 3061
    local err = raised(machine.keys, session)
    assert.matches("the vault is shut", err.message)
    broken = false
    assert.equal("AK6", access())
  end)
end)

describe("a prompt for an MFA code", function()
  it("may make calls and wait as well", function()
    local peer <close> = server.start()
    local w <close> = machine.new(machine.BASE .. machine.role() .. "mfa_serial = arn:aws:iam::1:mfa/me\n",
      { AWS_ENDPOINT_URL_STS = peer.url })
    peer:reply({ body = '{"SecretString":"654321"}' }, machine.sts_answer("AssumeRole", "a"))
    local vault = w.session{ aws_access_key_id = "AK", aws_secret_access_key = "hush" }
      :client("secretsmanager", { endpoint_url = peer.url })
    local meanwhile = false
    local session = w.session{ profile_name = "a", mfa_prompt = function()
      while not meanwhile do
        async.sleep(0.005)
      end
      return vault:get_secret_value{ SecretId = "code" }.SecretString
    end }
    local found = async.gather(function()
      return session:get_credentials()
    end, function()
      meanwhile = true
    end)
    assert.equal("AK-a", found.access_key)
    assert.matches("TokenCode=654321", peer:last().body)
  end)

  it("must not wait for the role that it is for", function()
    local w <close> = machine.new(machine.BASE .. machine.role() .. "mfa_serial = arn:aws:iam::1:mfa/me\n")
    local session
    session = w.session{ profile_name = "a", mfa_prompt = function()
      return session:get_credentials().access_key
    end }
    local err = raised(machine.keys, session)
    assert.matches("mfa_prompt: a provider waits for the credentials", err.message, 1, true)
  end)
end)
