-- Credentials that containers and instances hand out over HTTP.
local aws = require("luaws")
local cjson = require("cjson")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local NOW, iso, write, raised = machine.NOW, machine.iso, machine.write, machine.raised
local sts_answer, role = machine.sts_answer, machine.role

describe("credentials", function()
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

  local function disabled_v6()
    local file <close> = io.open("/proc/sys/net/ipv6/conf/lo/disable_ipv6")
    return not file or file:read("n") ~= 0
  end

  --- What a container's and an instance's endpoint answer.
  local function keys(name, opts)
    opts = opts or {}
    local body = '{"AccessKeyId":"AK-%s","SecretAccessKey":"SECRET-%s","Token":"TOKEN-%s",'
      .. '"Expiration":"%s"%s}'
    return { body = body:format(name, name, name, iso(opts.expiry or NOW + 3600), opts.more or ""),
      always = opts.always }
  end

  describe("of a container", function()
    it("come from the address in AWS_CONTAINER_CREDENTIALS_FULL_URI", function()
      local w <close> = machine.new(nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url .. "/creds?a=b",
        AWS_CONTAINER_AUTHORIZATION_TOKEN = "Bearer the-token" })
      peer:reply(keys("c", { more = ',"AccountId":"42"' }))
      local found = w.session():get_credentials()
      assert.same({ "AK-c", "SECRET-c", "TOKEN-c", "42", "container-role", NOW + 3600 }, { found.access_key,
        found.secret_key, found.token, found.account_id, found.method, found.expiry })
      local request = peer:last()
      assert.same({ "GET", "/creds?a=b", "Bearer the-token", "application/json" },
        { request.method, request.target, request.headers.authorization, request.headers.accept })
    end)

    it("are asked for with the token in the file as it is then", function()
      local w <close> = machine.new(nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url,
        AWS_CONTAINER_AUTHORIZATION_TOKEN = "not this one" })
      w.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = w.home .. "/token"
      write(w.home .. "/token", "one")
      peer:reply(keys("c1"), keys("c2", { expiry = NOW + 9000 }))
      local session = w.session()
      machine.keys(session)
      assert.equal("one", peer:last().headers.authorization)
      write(w.home .. "/token", "two")
      w.now = NOW + 3600
      assert.equal("AK-c2", session:get_credentials().access_key)
      assert.equal("two", peer:last().headers.authorization)
    end)

    it("come from this machine by any of its names, and over https from anywhere", function()
      local tls <close> = server.start{ tls = { names = "DNS:keys.localhost,IP:127.0.0.1" } }
      local function ask(peer_, host)
        local url = (peer_.url:gsub("//.*:", "//" .. host .. ":")) .. "/creds"
        local w <close> = machine.new(nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = url,
          AWS_CONTAINER_AUTHORIZATION_TOKEN = "t", AWS_CA_BUNDLE = peer_.ca })
        peer_:clear()
        peer_:reply(keys("near"))
        local ok, found = pcall(machine.keys, w.session())
        local request = peer_:last()
        return ok and found.access_key or found.kind, request and request.headers.host:gsub(":%d+$", "")
      end
      local cases = { { peer, "127.0.0.1" }, { peer, "localhost" }, { peer, "LocalHost" },
        { tls, "127.0.0.1" }, { tls, "keys.localhost" } }
      -- A machine may have no IPv6; spec/c/test_credentials_addresses.c goes there in any case.
      local v6 <close> = not disabled_v6() and server.start{ ipv6 = true } or nil
      if v6 then
        cases[#cases + 1] = { v6, "[::1]" }
        cases[#cases + 1] = { v6, "[0:0::0:1]" }
      end
      for _, case in ipairs(cases) do
        assert.same({ "AK-near", case[2] }, { ask(case[1], case[2]) })
      end
      assert.same({ "ValueError" }, { ask(peer, "keys.localhost") }) -- in clear it is somebody's name
    end)

    it("are not asked for where nobody may know of them", function()
      local cases = {
        "http://example.com/", "http://169.254.170.1/", "http://localhost.example.com/", "", "localhost/",
        "http://127.0.0.1.example.com/", "http://[::2]/", "ftp://localhost/", "http://user@localhost/",
        "http://2130706433/",
      }
      for _, url in ipairs(cases) do
        local w <close> = machine.new(nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = url })
        local session = w.session()
        assert.equal("ValueError", raised(machine.keys, session).kind, url)
      end
      for _, uri in ipairs{ "@example.com/", ".example.com/" } do
        local w <close> = machine.new(nil, { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = uri })
        local session = w.session()
        assert.equal("ValueError", raised(machine.keys, session).kind, uri)
      end
    end)

    it("are not asked for with a token that would break the request", function()
      for _, token in ipairs{ "a\r\nX-Evil: 1", "a\nb" } do
        local w <close> = machine.new(nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url,
          AWS_CONTAINER_AUTHORIZATION_TOKEN = token })
        local session = w.session()
        local err = raised(machine.keys, session)
        assert.same({ "ValueError", "Auth token value is not a legal header value" },
          { err.kind, err.message })
      end
      assert.same({}, peer:requests())
    end)

    it("are asked for three times, and then what is wrong is raised", function()
      local closed <close> = server.start{ refuse = true }
      local replies = {
        { "/status", { status = 500, body = "SECRET" }, "Received non 200 response 500" },
        { "/json", { body = "SECRET" }, "Unable to parse JSON" },
        { "/reset", { reset = true }, "Received error when attempting" },
        { "/refused", nil, "Received error when attempting" },
        { "/partial", { body = '{"AccessKeyId":"A"}' }, "has no SecretAccessKey", 1 },
        { "/time", { body = '{"AccessKeyId":"A","SecretAccessKey":"B","Token":"C","Expiration":"soon"}' },
          "Expiration is no time", 1 },
      }
      local plan = {}
      for _, case in ipairs(replies) do
        if case[2] then
          case[2].target, case[2].always = case[1], true
          plan[#plan + 1] = case[2]
        end
      end
      peer:reply(table.unpack(plan))
      aws.async.run(function()
        aws.async.map(replies, function(case)
          local url = (case[2] and peer or closed).url .. case[1]
          local w <close> = machine.new(nil, { AWS_CONTAINER_CREDENTIALS_FULL_URI = url })
          local session = w.session()
          local err = raised(machine.keys, session)
          assert.equal("CredentialRetrievalError", err.kind)
          assert.matches(case[3], err.message, 1, true)
          assert.not_matches("SECRET", err.message)
        end)
      end)
      local counts = {}
      for _, request in ipairs(peer:requests()) do
        counts[request.target] = (counts[request.target] or 0) + 1
      end
      assert.same({ ["/status"] = 3, ["/json"] = 3, ["/reset"] = 3, ["/partial"] = 1, ["/time"] = 1 }, counts)
    end)
  end)

  describe("of an instance", function()
    local function imds_world(env)
      env = env or {}
      env.AWS_EC2_METADATA_DISABLED = env.AWS_EC2_METADATA_DISABLED or "false"
      env.AWS_EC2_METADATA_SERVICE_ENDPOINT = env.AWS_EC2_METADATA_SERVICE_ENDPOINT or peer.url
      return machine.new(nil, env)
    end
    local PATH = "/latest/meta-data/iam/security-credentials/"

    it("come from its metadata service: a token, the role's name, its credentials", function()
      local w <close> = imds_world()
      peer:reply("the-token", "my+role", keys("i", { more = ',"AccountId":"42"' }))
      local found = w.session():get_credentials()
      assert.same({ "AK-i", "SECRET-i", "TOKEN-i", "iam-role", NOW + 3600 },
        { found.access_key, found.secret_key, found.token, found.method, found.expiry })
      assert.is_nil(found.account_id)
      local requests = peer:requests()
      assert.same({ "PUT", "/latest/api/token", "21600" }, { requests[1].method, requests[1].target,
        requests[1].headers["x-aws-ec2-metadata-token-ttl-seconds"] })
      assert.same({ "GET", PATH, "the-token" },
        { requests[2].method, requests[2].target, requests[2].headers["x-aws-ec2-metadata-token"] })
      assert.same({ "GET", PATH .. "my+role", "the-token" },
        { requests[3].method, requests[3].target, requests[3].headers["x-aws-ec2-metadata-token"] })
      assert.matches("^luaws/", requests[3].headers["user-agent"])
    end)

    it("come without a token from a service that gives none", function()
      for _, reply in ipairs{
        { status = 403 }, { status = 404 }, { status = 405 }, { status = 500 }, { reset = true },
        { hang = true },
      } do
        peer:clear()
        local w <close> = imds_world{ AWS_METADATA_SERVICE_TIMEOUT = reply.hang and "1" }
        peer:reply(reply, "role", keys("v1"))
        assert.equal("AK-v1", w.session():get_credentials().access_key)
        assert.is_nil(peer:last().headers["x-aws-ec2-metadata-token"])
        assert.equal(3, #peer:requests())
      end
    end)

    it("do not come without a token when that is forbidden", function()
      local w <close> = imds_world{ AWS_EC2_METADATA_V1_DISABLED = "true" }
      peer:reply({ status = 403 }, "role", keys("v1"))
      local session = w.session()
      local err = raised(machine.keys, session)
      assert.equal("MetadataRetrievalError", err.kind)
      assert.equal(1, #peer:requests())
    end)

    it("are not there when the service answers nonsense", function()
      local cases = {
        { 1, { status = 400 } },
        { 2, "t", { status = 404 } },
        { 2, "t", { body = "" } },
        { 2, "t", { status = 500 } },
        { 3, "t", "role", { status = 500 } },
        { 3, "t", "role", "this is no JSON" },
        { 3, "t", "role", '{"Code":"AssumeRoleUnauthorizedAccess","Message":"no"}' },
        { 3, "t", "role", "[]" },
        { 3, "t", "role", { body = "0123456789", cut = { after = 5, how = "close" } } },
      }
      for _, case in ipairs(cases) do
        peer:clear()
        local w <close> = imds_world()
        peer:reply(table.unpack(case, 2))
        assert.is_nil(w.session():get_credentials())
        assert.equal(case[1], #peer:requests())
      end
    end)

    it("are asked for as often as is configured", function()
      local w <close> = imds_world{ AWS_METADATA_SERVICE_NUM_ATTEMPTS = "3" }
      peer:reply({ status = 500 }, { reset = true }, "t", { status = 500 }, "role", "no JSON",
        { status = 500 }, keys("late"))
      assert.equal("AK-late", w.session():get_credentials().access_key)
      assert.equal(8, #peer:requests())
    end)

    it("come with the second token where the first was no header value", function()
      local w <close> = imds_world{ AWS_METADATA_SERVICE_NUM_ATTEMPTS = "2" }
      peer:reply("line\nline", "t", "role", keys("second"))
      assert.equal("AK-second", w.session():get_credentials().access_key)
      assert.equal("t", peer:last().headers["x-aws-ec2-metadata-token"])
    end)

    it("are waited for as long as is configured, be it very long", function()
      for _, timeout in ipairs{ "2147483", "2147484", "99999999999" } do
        local w <close> = imds_world{ AWS_METADATA_SERVICE_TIMEOUT = timeout }
        peer:clear()
        peer:reply("t", { body = "role", delay = 1.2 }, keys("late"))
        assert.equal("AK-late", w.session():get_credentials().access_key)
      end
    end)

    -- How much longer is left to chance: what botocore makes of them with the least and the most of it.
    it("are taken to be good for longer when the service hands out old ones", function()
      local edges = cjson.decode(machine.read("spec/fixtures/credentials-answers.json")).extension
      local lengths, count = {}, 0
      for _, edge in ipairs(edges) do
        local w <close> = imds_world()
        local left, least, most = table.unpack(edge)
        local draws = {}
        for i = 1, 6 do
          draws[i] = i
        end
        peer:clear()
        peer:reply({ body = "t", method = "PUT", always = true },
          { body = "r", target = "/$", always = true }, keys("old", { expiry = NOW + left, always = true }))
        aws.async.map(draws, function()
          local good_for = w.session():get_credentials().expiry - NOW
          assert.is_true(good_for >= least and good_for <= most, ("%d: %d"):format(left, good_for))
          count = count + (lengths[good_for] and 0 or 1)
          lengths[good_for] = true
        end)
      end
      assert.is_true(count > 20)
    end)

    it("are not asked for when that is disabled", function()
      local w <close> = imds_world{ AWS_EC2_METADATA_DISABLED = "TRUE" }
      assert.is_nil(w.session():get_credentials())
      assert.same({}, peer:requests())
    end)

    it("are nowhere when nobody answers", function()
      local closed <close> = server.start{ refuse = true }
      local deaf <close> = server.start{ deaf = true }
      for _, nobody in ipairs{ closed, deaf } do
        local w <close> = imds_world{ AWS_EC2_METADATA_SERVICE_ENDPOINT = nobody.url,
          AWS_METADATA_SERVICE_TIMEOUT = "1" }
        local session = w.session()
        assert.is_nil(session:get_credentials())
        local sqs = session:client("sqs")
        assert.equal("NoCredentialsError", raised(sqs.list_queues, sqs).kind)
      end
    end)

    it("need an endpoint and a mode that make sense", function()
      for _, case in ipairs{
        { { AWS_EC2_METADATA_SERVICE_ENDPOINT = "not a url" }, "InvalidIMDSEndpointError" },
        { { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE = "ipv5" }, "InvalidIMDSEndpointModeError" },
        { { AWS_METADATA_SERVICE_TIMEOUT = "soon" }, "ValueError" },
        { { AWS_METADATA_SERVICE_TIMEOUT = "0" }, "ValueError" },
        { { AWS_METADATA_SERVICE_TIMEOUT = "-1" }, "ValueError" },
      } do
        local w <close> = imds_world(case[1])
        local session = w.session()
        assert.equal(case[2], raised(machine.keys, session).kind)
      end
    end)

    it("can be the source of a role", function()
      local w <close> = imds_world{ AWS_ENDPOINT_URL_STS = peer.url }
      write(w.home .. "/.aws/config", role("credential_source = Ec2InstanceMetadata\n"))
      peer:reply("t", "role", keys("i"), sts_answer("AssumeRole", "a"))
      assert.equal("AK-a", w.session{ profile_name = "a" }:get_credentials().access_key)
      assert.matches("Credential=AK%-i/", peer:last().headers.authorization)
    end)
  end)
end)
