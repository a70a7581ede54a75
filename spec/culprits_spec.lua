-- Who has mistyped something in files or variables is told what it is, where it stands, and what to do.
local cjson = require("cjson")
local aws = require("luaws")
local child = require("spec.support.child")
local errors = require("luaws.errors")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local write, raised, iso, NOW = machine.write, machine.raised, machine.iso, machine.NOW

--- What a session's keys, or a client's call, fail with on a machine.
local function complaint(w, opts)
  local err = raised(function()
    local session = w.session(opts)
    session:get_credentials():get_frozen_credentials()
    session:client("sqs", { endpoint_url = "http://127.0.0.1:1" }):list_queues()
  end)
  return (errors.shown(err):gsub(w.home:gsub("%p", "%%%0"), "HOME"))
end

describe("what is written wrong is told with its place and the remedy:", function()
  local CONFIG = "[dev]\nregion = x\n[profile my dev]\nregion = x\n[profile prod]\nregion = x\n"
  local LOST = "The config profile (%s) could not be found"

  -- The profile, what is said behind botocore's words, and the variable it is named by.
  for _, case in ipairs{
    { "dev", "; [dev] in HOME/.aws/config:1 must be [profile dev]" },
    { "my dev", '; [profile my dev] in HOME/.aws/config:3 must be [profile "my dev"]' },
    { "keys", "; [profile keys] in HOME/.aws/credentials:1 must be [keys]" },
    { "a key", '; [profile "a key"] in HOME/.aws/credentials:3 must be [a key]' },
    { "prdo", "; did you mean 'prod'?" },
    { "Prod", "; did you mean 'prod'?" },
    { '"prod"', "; did you mean 'prod'?" },
    { "somebody-else", "" },
    { "prdo", "; did you mean 'prod'? (From AWS_PROFILE)", "AWS_PROFILE" },
    { "nobody", " (From AWS_DEFAULT_PROFILE)", "AWS_DEFAULT_PROFILE" },
    { "", " (From AWS_PROFILE, which is set to nothing)", "AWS_PROFILE" },
  } do
    it(("the profile %q%s"):format(case[1], case[3] and " of " .. case[3] or ""), function()
      local w <close> = machine.new(CONFIG, case[3] and { [case[3]] = case[1] })
      write(w.home .. "/.aws/credentials", '[profile keys]\na = b\n[profile "a key"]\na = b\n')
      assert.equal(LOST:format(case[1]) .. case[2],
        complaint(w, { profile_name = not case[3] and case[1] or nil }))
    end)
  end

  it("a profile where there are no files", function()
    local w <close> = machine.new()
    assert.equal(LOST:format("dev") .. "; there is neither HOME/.aws/config nor HOME/.aws/credentials",
      complaint(w, { profile_name = "dev" }))
  end)

  -- A variable or a line of the profile, and what is said of it at last.
  for _, case in ipairs{
    { "AWS_RETRY_MODE", "adaptve", "retry_mode" }, { "AWS_MAX_ATTEMPTS", "0", "max_attempts" },
    { "AWS_MAX_ATTEMPTS", "many", "max_attempts" }, { "AWS_DEFAULTS_MODE", "quick", "defaults_mode" },
    { "AWS_REQUEST_CHECKSUM_CALCULATION", "never", "request_checksum_calculation" },
    { "AWS_RESPONSE_CHECKSUM_VALIDATION", "never", "response_checksum_validation" },
    { "AWS_ACCOUNT_ID_ENDPOINT_MODE", "never", "account_id_endpoint_mode" },
    { "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", "never", "s3_disable_express_session_auth" },
    { "AWS_STS_REGIONAL_ENDPOINTS", "never", "sts_regional_endpoints" },
    { "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "never", "s3_us_east_1_regional_endpoint" },
    { "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", "9999999", "request_min_compression_size_bytes" },
    { "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv5", "ec2_metadata_service_endpoint_mode" },
    { "AWS_EC2_METADATA_SERVICE_ENDPOINT", "no where", "ec2_metadata_service_endpoint" },
    { "AWS_DEFAULT_REGION", "eu west", "region" }, { "AWS_ENDPOINT_URL", "no where", "endpoint_url" },
    { nil, "pth", "s3 =\n  addressing_style" },
  } do
    local variable, value, key = table.unpack(case)
    local function said(config, env)
      env.AWS_ACCESS_KEY_ID, env.AWS_SECRET_ACCESS_KEY = "a", "b"
      local w <close> = machine.new(config, env)
      local err = raised(function()
        local session = aws.session{ _env = w.env, _home = w.home }
        session:get_credentials()
        session:client("s3", key ~= "region" and { region_name = "eu-west-1" } or nil)
      end)
      assert.not_matches(" (From ", err.message, 1, true)
      return (errors.shown(err):gsub(w.home:gsub("%p", "%%%0"), "HOME"))
    end
    it(("%s = %s"):format(key:match("[%w_]+$"), value), function()
      if variable then
        assert.matches(" (From " .. variable .. ")", said(nil, { [variable] = value }), 1, true)
      end
      local line = key:find("\n") and 4 or 3
      assert.matches(" (From HOME/.aws/config:" .. line .. ")",
        said("[default]\noutput = json\n" .. key .. " = " .. value .. "\n", {}), 1, true)
    end)
  end

  it("a section of SSO's that is not there", function()
    local w <close> = machine.new("[profile s]\nsso_session = crop\nsso_account_id = 1\nsso_role_name = r\n"
      .. "[sso-session corp]\nsso_start_url = https://corp/start\nsso_region = x\n")
    assert.equal('The specified sso-session does not exist: "crop"; did you mean \'corp\'?',
      complaint(w, { profile_name = "s" }))
  end)

  it("a line that is no setting", function()
    local w <close> = machine.new("[default]\nregion\n")
    local err = raised(w.session)
    assert.same({ "Unable to parse config file: " .. w.home .. "/.aws/config",
      ", line 2: neither key and value nor a section" }, { err.message, err.advice })
  end)

  it("half a pair of keys", function()
    local w <close> = machine.new()
    write(w.home .. "/.aws/credentials", "[default]\n\naws_access_key_id = AK\n")
    assert.equal("Partial credentials found in shared-credentials-file, missing: aws_secret_access_key, "
      .. "beside aws_access_key_id in HOME/.aws/credentials:3", complaint(w))
  end)

  it("a key or a token with a line break", function()
    for name, value in pairs{ AWS_ACCESS_KEY_ID = "access key", AWS_SESSION_TOKEN = "session token" } do
      for _, break_ in ipairs{ "\n", "\r" } do
        local w <close> = machine.new(nil, { AWS_ACCESS_KEY_ID = "AK", AWS_SECRET_ACCESS_KEY = "hush" })
        w.env[name] = "AK" .. break_
        assert.equal(("the %s from env has a line break in it"):format(value), complaint(w))
      end
    end
  end)

  it("what a role's profile says that STS would not take", function()
    local w <close> = machine.new(machine.BASE
      .. machine.role("source_profile = base\nduration_seconds = 60\n"))
    assert.equal("Parameter validation failed:\nInvalid value for parameter DurationSeconds, value: 60, "
      .. 'valid min value: 900\n(of AssumeRole, for the profile "a")', complaint(w, { profile_name = "a" }))
    write(w.home .. "/.aws/config", machine.BASE .. machine.role("source_profile = base\n")
      .. "mfa_serial = short\n[profile b]\nrole_arn = arn:aws:iam::1:role/b\nsource_profile = a\n")
    assert.matches('(of AssumeRole, for the profile "a")', complaint(w, { profile_name = "b",
      mfa_prompt = function() return "123456" end }), 1, true)
  end)

  it("a code or a token that is too short, without showing it", function()
    local w <close> = machine.new(machine.BASE .. machine.role("source_profile = base\n")
      .. "mfa_serial = arn:aws:iam::1:mfa/me\n")
    for _, code in ipairs{ "471", '4"71', "4\t71" } do
      assert.equal("Parameter validation failed:\nInvalid length for parameter TokenCode, value: (hidden), "
        .. 'valid min length: 6\n(of AssumeRole, for the profile "a")', complaint(w, { profile_name = "a",
        mfa_prompt = function() return code end }))
    end
    write(w.home .. "/token", "47b")
    write(w.home .. "/.aws/config", "[profile a]\nrole_arn = arn:aws:iam::123456789012:role/a\n"
      .. "web_identity_token_file = " .. w.home .. "/token\n")
    local said = complaint(w, { profile_name = "a" })
    assert.matches('WebIdentityToken, value: (hidden), valid min length: 4\n(of AssumeRoleWithWebIdentity, '
      .. 'for the profile "a")', said, 1, true)
    assert.not_matches("47", said, 1, true)
  end)

  it("an address of a container", function()
    for _, case in ipairs{
      { "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil.test/", 'is no path: it must begin with "/"' },
      { "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ".evil.test/", nil },
      { "AWS_CONTAINER_CREDENTIALS_FULL_URI", "nowhere", "is no URL" },
      { "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://evil.test/", nil },
    } do
      local w <close> = machine.new(nil, { [case[1]] = case[2] })
      local said = complaint(w)
      if case[3] then
        assert.equal(case[1] .. " " .. case[3], said)
      else
        assert.matches("^Unsupported host '[%w.]*evil%.test'.* %(From " .. case[1] .. "%)$", said)
      end
    end
  end)
end)

describe("a token of SSO that is of no use", function()
  local SESSION = "[profile s]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n"
    .. "[profile old]\nsso_start_url = https://corp/start\nsso_region = x\nsso_account_id = 1\n"
    .. "sso_role_name = r\n[sso-session corp]\nsso_start_url = https://corp/start\nsso_region = x\n"
  local LOGIN = "; run aws sso login --profile s"
  local RENEWABLE = { clientId = "i", clientSecret = "s", refreshToken = "r",
    registrationExpiresAt = iso(NOW + 1000) }

  local function digest(text)
    return child.output{ "sh", "-c", 'printf %s "$1" | sha1sum', "sh", text }:match("^%x+")
  end

  local function said(content, profile, stem, url)
    local w <close> = machine.new(SESSION, { AWS_ENDPOINT_URL_SSO_OIDC = url, AWS_MAX_ATTEMPTS = "1" })
    local name = digest(stem or "corp") .. ".json"
    if content then
      write(w.home .. "/.aws/sso/cache/" .. name, content)
    end
    return (complaint(w, { profile_name = profile or "s" }):gsub(name, "FILE"))
  end

  local function token(fields)
    local all = { accessToken = "t", expiresAt = iso(NOW - 1) }
    for name, value in pairs(fields or {}) do
      all[name] = value
    end
    return cjson.encode(all)
  end

  it("is told with its file, why, and how to get another", function()
    local LOAD, PATH = "Error loading SSO Token: Token for ", ": HOME/.aws/sso/cache/FILE: "
    local EXPIRED = "Error when retrieving token from sso: Token has expired and refresh failed: "
    assert.equal(LOAD .. "corp does not exist" .. PATH .. "No such file or directory" .. LOGIN, said())
    assert.equal(LOAD .. "corp does not exist" .. PATH .. "it is no JSON" .. LOGIN, said("{"))
    local INVALID = LOAD .. "https://corp/start is invalid" .. PATH
    assert.equal(INVALID .. "no accessToken in it" .. LOGIN, said("{}"))
    assert.equal(INVALID .. "no time in its expiresAt" .. LOGIN,
      said('{"accessToken":"t","expiresAt":"soon"}'))
    assert.equal(EXPIRED .. "its file has no refreshToken" .. LOGIN, said(token()))
    RENEWABLE.registrationExpiresAt = iso(NOW - 1)
    assert.equal(EXPIRED .. "its registration has expired" .. LOGIN, said(token(RENEWABLE)))
    RENEWABLE.registrationExpiresAt = iso(NOW + 1000)
    assert.matches('profile. (It is "old")', said(token(), "old", "https://corp/start"), 1, true)
  end)

  it("is told with what the service said; where none answers there is no use in a login", function()
    local EXPIRED = "Error when retrieving token from sso: Token has expired and refresh failed: "
    local peer <close> = server.start()
    peer:reply{ status = 400, headers = { ["x-amzn-ErrorType"] = "InvalidGrantException" },
      body = '{"error":"invalid_grant","error_description":"Invalid refresh token provided"}' }
    assert.equal(EXPIRED .. "An error occurred (InvalidGrantException) when calling the CreateToken "
      .. "operation: Invalid refresh token provided" .. LOGIN, said(token(RENEWABLE), "s", "corp", peer.url))
    peer:reply{ body = '{"accessToken":"t","expiresIn":0}' }
    assert.equal(EXPIRED .. "the new one has expired as well" .. LOGIN,
      said(token(RENEWABLE), "s", "corp", peer.url))
    local refusing <close> = server.start{ refuse = true }
    assert.equal(('%sCould not connect to the endpoint URL: "%s/token"'):format(EXPIRED, refusing.url),
      said(token(RENEWABLE), "s", "corp", refusing.url))
  end)
end)

describe("files that may not be read", function()
  -- Root may read everything, unless it gives that right away.
  local function run(home, script)
    local root = child.output{ "id", "-u" } == "0\n"
    return child.output{ "sh", "-c", 'exec "$@" 2>&1', "sh", "env", "-i", "PATH=" .. os.getenv("PATH"),
      "HOME=" .. home, "AWS_EC2_METADATA_DISABLED=true", "AWS_ACCESS_KEY_ID=AKENV",
      "AWS_SECRET_ACCESS_KEY=hush", "AWS_REGION=eu-west-1", root and "setpriv" or "env",
      root and "--bounding-set=-dac_override,-dac_read_search" or "A=b", os.getenv("LUAWS_BUILD") .. "/luaws",
      "-e", 'local aws = require("luaws") ' .. script }
  end
  local SHOW = 'print(aws.client("sts").meta.endpoint_url, aws.session():get_credentials().method) '

  it("do not count, as in botocore, and are told", function()
    local w <close> = machine.new("[default]\nregion = us-east-2\n")
    write(w.home .. "/.aws/credentials", "[default]\naws_access_key_id = AK\naws_secret_access_key = x\n")
    child.output{ "chmod", "000", w.home .. "/.aws/credentials" }
    assert.equal("https://sts.eu-west-1.amazonaws.com\tenv\n", run(w.home, SHOW))
    assert.matches("credentials does not count: Permission denied",
      run(w.home, 'aws.set_stream_logger("luaws.settings", "warning") ' .. SHOW), 1, true)
    local page = run(w.home, "print(aws.default_session():explain())")
    assert.matches(w.home .. "/.aws/credentials (cannot be read: Permission denied)", page, 1, true)
    assert.equal("; " .. w.home .. "/.aws/credentials cannot be read: Permission denied\n",
      run(w.home, 'print(select(2, pcall(aws.session, { profile_name = "dev" })).advice)'))
  end)

  it("may lie in a folder that is closed, as the home of whoever one was before", function()
    local w <close> = machine.new("[default]\nregion = us-east-2\n")
    child.output{ "mkdir", w.home .. "/.aws/models" }
    child.output{ "chmod", "000", w.home .. "/.aws" }
    assert.equal("https://sts.eu-west-1.amazonaws.com\tenv\n", run(w.home, SHOW))
    child.output{ "chmod", "700", w.home .. "/.aws" }
  end)
end)
