-- What a session says of itself, and the chain of its providers as scripts see it.
local aws = require("luaws")
local child = require("spec.support.child")
local errors = require("luaws.errors")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local NOW, raised = machine.NOW, machine.raised

local function by_name(list)
  local found = {}
  for _, item in ipairs(list) do
    found[item.name] = item
  end
  return found
end

describe("session:explain", function()
  local CONFIG = "[profile dev]\nregion = eu-north-1\nmax_attempts = 7\ns3 =\n  addressing_style = path\n"

  it("tells where each setting comes from", function()
    local w <close> = machine.new(CONFIG, { AWS_RETRY_MODE = "adaptive",
      AWS_ENDPOINT_URL = "http://localhost:1" })
    local settings = w.session{ profile_name = "dev", region_name = "us-west-1" }:explain().settings
    local file = w.home .. "/.aws/config"
    local cases = {
      region = { value = "us-west-1", source = "argument", from = "argument" },
      retry_mode = { value = "adaptive", source = "variable", variable = "AWS_RETRY_MODE",
        from = "AWS_RETRY_MODE" },
      max_attempts = { value = 7, source = "file", path = file, line = 3, from = file .. ":3" },
      ["s3.addressing_style"] = { value = "path", source = "file", path = file, line = 5,
        from = file .. ":5" },
      parameter_validation = { value = true, source = "default", from = "default" },
      ca_bundle = { source = "not set", from = "not set" },
      endpoint_url = { value = "http://localhost:1", source = "variable", variable = "AWS_ENDPOINT_URL",
        from = "AWS_ENDPOINT_URL" },
    }
    for name, expected in pairs(cases) do
      expected.name = name
      assert.same(expected, settings[name])
    end
  end)

  it("tells what is wrong with a setting, and goes on", function()
    local w <close> = machine.new("[default]\nmax_attempts = many\n")
    local explanation = w.session():explain()
    assert.matches("many", explanation.settings.max_attempts.error, 1, true)
    assert.equal("eu-west-1", explanation.settings.region.value)
    assert.matches("max_attempts +! Invalid value", tostring(explanation))
  end)

  it("tells what each provider answered, and shows no secret", function()
    local w <close> = machine.new(CONFIG)
    machine.write(w.home .. "/.aws/credentials",
      "[dev]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = the-secret\n"
        .. "aws_session_token = the-token\n")
    local explanation = w.session{ profile_name = "dev" }:explain()
    local c, providers = explanation.credentials, by_name(explanation.credentials.providers)
    assert.same({ "shared-credentials-file", "****************MPLE", "****************", "****************" },
      { c.method, c.access_key, c.secret_key, c.token })
    assert.is_nil(providers.env) -- the profile was named in code
    assert.same({ name = "assume-role", answer = "passed", why = 'no role_arn in profile "dev"' },
      providers["assume-role"])
    assert.same({ name = "shared-credentials-file", answer = "found", why = w.home .. "/.aws/credentials:2" },
      providers["shared-credentials-file"])
    assert.same({ name = "iam-role", answer = "not asked" }, providers["iam-role"])
    local page = tostring(explanation) .. aws.pretty(explanation)
    assert.not_matches("the-secret", page, 1, true)
    assert.not_matches("the-token", page, 1, true)
    assert.not_matches("AKIDEXAMPLE", page, 1, true)
  end)

  it("tells which provider failed, and why", function()
    local w <close> = machine.new("[default]\nrole_arn = r\n")
    local c = w.session():explain().credentials
    assert.equal("PartialCredentialsError", c.error.kind)
    assert.same({ name = "assume-role", answer = "failed", why = errors.shown(c.error) },
      by_name(c.providers)["assume-role"])
    assert.equal("not asked", by_name(c.providers).sso.answer)
  end)

  it("knows of keys given in code", function()
    local w <close> = machine.new()
    local session = w.session{ aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "hush" }
    local c = session:explain().credentials
    assert.equal("explicit", c.method)
    assert.equal("not asked", c.providers[1].answer)
  end)

  it("tells the endpoints of services, from variables and from the section of the profile", function()
    local w <close> = machine.new("[default]\nservices = local\nendpoint_url = http://all.test\n"
      .. "[services local]\ns3 =\n  endpoint_url = http://me:hush@s3.test\nec2 =\n  endpoint_url =\n",
      { AWS_ENDPOINT_URL_ELASTIC_BEANSTALK = "http://beanstalk.test", REQUESTS_CA_BUNDLE = "/ca.pem" })
    local explanation = w.session():explain()
    local found = {}
    for _, setting in ipairs(explanation.settings) do
      if setting.name:find("^endpoint_url") then
        found[setting.name] = { setting.value, setting.from }
      end
    end
    local file = w.home .. "/.aws/config"
    assert.same({ endpoint_url = { "http://all.test", file .. ":3" },
      ["endpoint_url.s3"] = { "http://me:****@s3.test", file .. ":6" },
      ["endpoint_url.elasticbeanstalk"] = { "http://beanstalk.test", "AWS_ENDPOINT_URL_ELASTIC_BEANSTALK" } },
      found)
    assert.same({ "/ca.pem", "REQUESTS_CA_BUNDLE" }, { explanation.settings.ca_bundle.value,
      explanation.settings.ca_bundle.from })
    w.env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS = "true"
    assert.matches("endpoint_url.s3.*ignored: ignore_configured_endpoint_urls",
      tostring(w.session():explain()))
  end)

  it("tells of a client what was given in code, and what comes from elsewhere", function()
    local w <close> = machine.new("[default]\nregion = eu-north-1\nretry_mode = adaptive\ns3 =\n"
      .. "  use_arn_region = false\n", { AWS_MAX_ATTEMPTS = "7", AWS_DISABLE_HOST_PREFIX_INJECTION = "true",
      AWS_ENDPOINT_URL_S3 = "http://s3.test", AWS_DEFAULT_REGION = "eu-south-1" })
    local session = w.session()
    session:set_default_client_config({ read_timeout = 5 })
    local explanation = session:explain("s3", { config = { connect_timeout = 3, s3 = {
      addressing_style = "path" }, proxies = { http = "http://me:hush@proxy.test" } } })
    local options, file = explanation.client.options, w.home .. "/.aws/config"
    for name, expected in pairs{
      connect_timeout = { 3, "argument" }, read_timeout = { 5, "argument" },
      region_name = { "eu-south-1", "AWS_DEFAULT_REGION" },
      ["retries.mode"] = { "adaptive", file .. ":3" },
      ["retries.total_max_attempts"] = { 7, "AWS_MAX_ATTEMPTS" },
      ["s3.addressing_style"] = { "path", "argument" }, ["s3.use_arn_region"] = { false, file .. ":5" },
      inject_host_prefix = { false, "AWS_DISABLE_HOST_PREFIX_INJECTION" },
      max_pool_connections = { 10, "default" }, endpoint_url = { "http://s3.test", "AWS_ENDPOINT_URL_S3" },
      proxies = { { http = "http://me:****@proxy.test" }, "argument" },
    } do
      assert.same(expected, { options[name].value, options[name].from }, name)
    end
    assert.matches("client of s3:\n.*connect_timeout +3 +argument\n", tostring(explanation))
    assert.not_matches("hush", tostring(explanation) .. aws.pretty(explanation), 1, true)
    assert.equal("endpoint rules", session:explain("ec2").client.options.endpoint_url.from)
    assert.equal("argument", session:explain("s3", { endpoint_url = "http://x.test" }).client.options
      .endpoint_url.from)
    local broken = session:explain("s33")
    assert.equal("UnknownServiceError", broken.client.error.kind)
    assert.matches("client of s33:\n  ! Unknown service: 's33'", tostring(broken), 1, true)
  end)

  it("tells of the files, and what is wrong with them or the profile, once", function()
    for _, case in ipairs{
      { "[default]\nregion = x\nregion\n", {}, "/.aws/config, line 3: " },
      { "[default]\nregion = x\n", { AWS_PROFILE = "nope" }, "The config profile (nope) could not be found" },
      { "[default]\nservices = nope\n", {}, '"nope" services configuration does not exist' },
    } do
      local w <close> = machine.new(case[1], case[2])
      w.env.AWS_RETRY_MODE = "legacy"
      local page = tostring(w.session{ _lenient = true }:explain())
      local first = page:find(case[3], 1, true)
      assert(first, page)
      local settings = page:sub(1, page:find("\ncredentials:", 1, true))
      assert.is_nil(settings:find(case[3], first + 1, true))
      assert.matches("retry_mode +legacy +AWS_RETRY_MODE", page)
    end
    local w <close> = machine.new("[default]\n")
    assert.same({ { path = w.home .. "/.aws/config", found = true },
      { path = w.home .. "/.aws/credentials", found = false } }, w.session():explain().files)
    assert.matches("/.aws/credentials (not there)", tostring(w.session():explain()), 1, true)
  end)

  it("tells what cannot be meant as it is, and where", function()
    local w <close> = machine.new("[default]\nregion = eu-west-1\n[profile p]\nregin = x\n"
      .. 'aws_access_key_id = "AK"\naws_secret_access_key = hush # mine\naws_secret_key = hush\n'
      .. "output = json\ncli_pager =\ncli_history = x\nid = x\nretry_mode = adaptve\n"
      .. "sso_start_url = https://x/#/\ns3 =\n  adressing_style = path\n  use_dualstack_endpoint = true # x\n"
      .. "  profile = x\n  max_bandwith = 3MB/s\nmine =\n  adressing_style = path\n", { AWS_PROFILE = "p" })
    local file = w.home .. "/.aws/config:"
    local session = aws.session{ _env = w.env, _home = w.home }
    local page = tostring(session:explain())
    assert.same({
      "there is no region, without which most clients cannot be made: set AWS_REGION, "
        .. 'region in the profile "p", or region_name in code',
      ('"regin" (%s4) means nothing: did you mean "region"?'):format(file),
      ('"aws_access_key_id" (%s5) has its value in quotation marks, which are taken for a part of it')
        :format(file),
      ('"aws_secret_access_key" (%s6) has something behind its value, which is taken for a part of it: a '
        .. "comment needs a line of its own"):format(file),
      ('"aws_secret_key" (%s7) means nothing: did you mean "aws_secret_access_key"?'):format(file),
      ('"adressing_style" (%s15) means nothing: did you mean "addressing_style"?'):format(file),
      ('"use_dualstack_endpoint" (%s16) has something behind its value, which is taken for a part of it: a '
        .. "comment needs a line of its own"):format(file),
      "the access_key from config-file begins or ends with a blank, a line break or a quotation mark, as no "
        .. "key of AWS does",
      'no client can be made: Invalid value provided to "mode": "adaptve" must be one of: (\'legacy\', '
        .. "'standard', 'adaptive') (From " .. file .. "12)",
    }, session:explain().hints)
    assert.matches('\nworth a look:\n  ! there is no region', page, 1, true)
    assert.not_matches("hush", page .. aws.pretty(session:explain()), 1, true)
    local command <close> = machine.new("[default]\nregion = x\ncredential_process = 'false' # x\n")
    assert.same({}, command.session():explain().hints)
    w.env.AWS_ACCESS_KEY_ID, w.env.AWS_SECRET_ACCESS_KEY, w.env.AWS_SESSION_TOKEN = "AK", "hush\r", " t"
    local hints = table.concat(aws.session{ _env = w.env, _home = w.home }:explain().hints, "\n")
    assert.matches("the keys in the environment go before those of the profile in AWS_PROFILE: unset", hints,
      1, true)
    assert.matches("the secret_key from env begins or ends", hints, 1, true)
    assert.matches("the token from env begins or ends", hints, 1, true)
  end)

  it("has nothing to add where all is well, and says an error once, in its place", function()
    local w <close> = machine.new("[default]\nregion = eu-west-1\n[profile r]\nrole_arn = short\n"
      .. "source_profile = default\nduration_seconds = 1\n",
      { AWS_ACCESS_KEY_ID = "AK", AWS_SECRET_ACCESS_KEY = "hush", AWS_DEFAULTS_MODE = "auto" })
    local page = tostring(w.session():explain())
    assert.same({}, w.session():explain().hints)
    assert.not_matches("worth a look", page, 1, true)
    assert.matches("\n    not asked: assume-role, assume-role-with-web-identity, sso, ", page, 1, true)
    machine.write(w.home .. "/.aws/credentials",
      "[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    page = tostring(w.session{ profile_name = "r" }:explain())
    assert.matches("! assume%-role +failed: Parameter validation failed:\n    Invalid length", page)
    assert.matches("\n  there are none, as assume-role failed", page, 1, true)
    page = tostring(w.session{ profile_name = "defualt", _lenient = true }:explain())
    assert.matches("could not be found; did you mean 'default'?", page, 1, true)
    assert.matches("\n  there are none, see above", page, 1, true)
  end)

  it("asks the network for nothing but credentials", function()
    local metadata = server.start()
    local w <close> = machine.new(nil, { AWS_DEFAULTS_MODE = "auto", AWS_CSM_ENABLED = "true",
      AWS_EC2_METADATA_SERVICE_ENDPOINT = metadata.url, AWS_EC2_METADATA_DISABLED = "false",
      AWS_ACCESS_KEY_ID = "AKENV", AWS_SECRET_ACCESS_KEY = "hush" })
    assert.equal("env", w.session():explain().credentials.method)
    assert.same({}, metadata:requests())
    metadata:stop()
  end)

  it("is printed by luaws --explain even of files that are broken, and of no such profile", function()
    local w <close> = machine.new("region = x\n")
    for _, flags in ipairs{ "", " --profile nope", " --region eu-west-3" } do
      local page = child.output{ "sh", "-c", "exec env -i HOME=" .. child.quote(w.home)
        .. " AWS_EC2_METADATA_DISABLED=true " .. child.quote(os.getenv("LUAWS_BUILD") .. "/luaws")
        .. " --explain" .. flags }
      assert.matches("Unable to parse config file: " .. w.home .. "/.aws/config, line 1", page, 1, true)
    end
    machine.write(w.home .. "/.aws/config", "[default]\nregion = eu-west-3\n")
    local page = child.output{ "env", "-i", "HOME=" .. w.home, "AWS_EC2_METADATA_DISABLED=true",
      os.getenv("LUAWS_BUILD") .. "/luaws", "--explain", "--profile", "nope" }
    assert.matches("The config profile (nope) could not be found", page, 1, true)
  end)

  it("is what luaws --explain prints", function()
    local w <close> = machine.new("[default]\nregion = eu-west-3\naws_access_key_id = AKIDEXAMPLE\n"
      .. "aws_secret_access_key = the-secret\n")
    local page = child.output{ "env", "-i", "HOME=" .. w.home, "AWS_EC2_METADATA_DISABLED=true",
      os.getenv("LUAWS_BUILD") .. "/luaws", "--explain" }
    assert.matches("eu-west-3                    " .. w.home .. "/.aws/config:2\n", page, 1, true)
    assert.matches("+ config-file                    found: " .. w.home .. "/.aws/config:3\n", page, 1, true)
    assert.not_matches("the-secret", page, 1, true)
  end)
end)

describe("the chain of providers", function()
  it("can be looked at and changed", function()
    local w <close> = machine.new(nil, { AWS_ACCESS_KEY_ID = "AKENV", AWS_SECRET_ACCESS_KEY = "hush" })
    local session = w.session()
    local chain = session:get_component("credential_provider")
    local asked = {}
    local vault = { METHOD = "vault", load = function(self, context)
      asked[#asked + 1] = { self.METHOD, context.profile_name, context.refresh }
      return { access_key = "AKVAULT", secret_key = "hush", token = "t", account_id = "42",
        expiry = NOW + 3600 * #asked }
    end }
    chain:insert_before("env", vault)
    chain:insert_after("env", { METHOD = "never", load = function()
      error("asked")
    end })
    chain:remove("iam-role")
    chain:remove("iam-role")
    assert.same({ "vault", "env", "never", "assume-role" }, { table.unpack(chain:names(), 1, 4) })
    assert.equal("boto-config", chain:names()[12])
    assert.equal("container-role", chain:names()[13])
    assert.is_nil(chain:names()[14])
    assert.equal(vault, chain:get_provider("vault"))
    assert.equal("env", chain:get_provider("env").METHOD)
    assert.equal("UnknownCredentialError", raised(chain.get_provider, chain, "iam-role").kind)
    assert.equal("UnknownCredentialError", raised(chain.insert_before, chain, "iam-role", vault).kind)
    local found = chain:load_credentials()
    assert.same({ "AKVAULT", "42", "vault", NOW + 3600 },
      { found.access_key, found.account_id, found.method, found.expiry })
    w.now = NOW + 3590
    assert.equal(NOW + 7200, session:get_credentials().expiry)
    assert.same({ { "vault", "default", false }, { "vault", "default", true } }, asked)
  end)

  it("goes past a provider that has none, and ends at one that fails", function()
    local w <close> = machine.new(nil, { AWS_ACCESS_KEY_ID = "AKENV", AWS_SECRET_ACCESS_KEY = "hush" })
    local cases = {
      { function() return nil end, nil, "env" },
      { function() error("the vault is shut") end, "CredentialRetrievalError", "the vault is shut" },
      { function() return 42 end, "CredentialRetrievalError", "load returned a number, not a table" },
      { function() return { access_key = "a" } end, "PartialCredentialsError", "missing: secret_key" },
      { function() return { access_key = "a", secret_key = "b", expiry = "soon" } end,
        "CredentialRetrievalError", "expiry is no time" },
    }
    for _, case in ipairs(cases) do
      local session = w.session()
      session:get_component("credential_provider"):insert_before("env", { METHOD = "own", load = case[1] })
      if case[2] then
        local err = raised(machine.keys, session)
        assert.equal(case[2], err.kind)
        assert.matches(case[3], err.message, 1, true)
      else
        assert.equal(case[3], session:get_credentials().method)
      end
    end
  end)

  it("lives as long as clients need it", function()
    local w <close> = machine.new()
    local session = w.session()
    session:get_component("credential_provider"):insert_before("env", { METHOD = "own", load = function()
      return { access_key = "AKOWN", secret_key = "hush" }
    end })
    local sts = session:client("sts", { endpoint_url = "http://127.0.0.1:1" })
    session = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.matches("AKOWN", sts:generate_presigned_url("get_caller_identity", {}), 1, true)
  end)
end)
