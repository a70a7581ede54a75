-- Which hosts of AWS are asked for credentials: seen by a proxy, which lets nobody through. What is expected
-- was seen of botocore in the same homes and environments.
local cjson = require("cjson")
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local PROFILES = machine.BASE .. [[
[profile role]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = base
[profile fips]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = base
use_fips_endpoint = true
[profile both]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = base
use_fips_endpoint = true
use_dualstack_endpoint = true
[profile legacy]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = base
sts_regional_endpoints = legacy
[profile web]
role_arn = arn:aws:iam::123456789012:role/r
web_identity_token_file = {HOME}/token
use_dualstack_endpoint = true
[profile portal]
sso_start_url = https://corp/start
sso_region = eu-central-1
sso_account_id = 111122223333
sso_role_name = Dev
use_fips_endpoint = true
[profile oidc]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = Dev
use_dualstack_endpoint = true
[sso-session corp]
sso_start_url = https://corp/start
sso_region = eu-central-1
]]

describe("credentials are asked for at the host", function()
  local peer, w

  setup(function()
    peer = server.start()
    w = machine.new()
    machine.write(w.home .. "/.aws/config", (PROFILES:gsub("{HOME}", w.home)))
    machine.write(w.home .. "/token", "the-web-identity")
    local ended, good = "2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
    for name, ends in pairs{ corp = ended, ["https://corp/start"] = good } do
      local stem = child.output{ "sh", "-c", 'printf %s "$1" | sha1sum', "sh", name }:match("^%x+")
      machine.write(w.home .. "/.aws/sso/cache/" .. stem .. ".json", cjson.encode{ accessToken = "t",
        expiresAt = ends, clientId = "i", clientSecret = "s", refreshToken = "r",
        registrationExpiresAt = good })
    end
  end)
  teardown(function()
    peer:stop()
    getmetatable(w).__close(w)
  end)

  -- A profile, the options of the client in Lua, variables; and the host.
  for _, case in ipairs{
    { "role", 'region_name = "us-west-2"', {}, "sts.us-west-2.amazonaws.com" },
    { "role", "", { AWS_REGION = "eu-west-3" }, "sts.eu-west-3.amazonaws.com" },
    { "role", "", { AWS_REGION = "cn-north-1" }, "sts.cn-north-1.amazonaws.com.cn" },
    { "role", "", { AWS_REGION = "us-west-2", AWS_STS_REGIONAL_ENDPOINTS = "legacy" }, "sts.amazonaws.com" },
    { "role", "", { AWS_REGION = "us-west-2", AWS_USE_FIPS_ENDPOINT = "true" },
      "sts-fips.us-west-2.amazonaws.com" },
    -- An option of the client is not one of the session; a region that means FIPS is.
    { "role", 'region_name = "us-west-2", config = { use_fips_endpoint = true }', {},
      "sts.us-west-2.amazonaws.com" },
    { "role", 'region_name = "fips-us-west-2"', {}, "sts-fips.us-west-2.amazonaws.com" },
    { "role", 'config = { region_name = "us-west-2-fips" }', {}, "sts-fips.us-west-2.amazonaws.com" },
    { "role", "", { AWS_REGION = "fips-us-west-2" }, "sts-fips.us-west-2.amazonaws.com" },
    { "fips", 'region_name = "us-west-2"', {}, "sts-fips.us-west-2.amazonaws.com" },
    { "both", 'region_name = "us-west-2"', {}, "sts-fips.us-west-2.api.aws" },
    { "legacy", 'region_name = "us-west-2"', {}, "sts.amazonaws.com" },
    { "legacy", 'region_name = "eu-south-1"', {}, "sts.eu-south-1.amazonaws.com" },
    { "web", 'region_name = "us-west-2"', {}, "sts.us-west-2.api.aws" },
    { "web", 'region_name = "fips-us-west-2"', {}, "sts-fips.us-west-2.api.aws" },
    { "portal", 'region_name = "us-west-2"', {}, "portal.sso-fips.eu-central-1.amazonaws.com" },
    { "oidc", 'region_name = "us-west-2"', {}, "oidc.eu-central-1.api.aws" },
  } do
    local profile, options, env, host = table.unpack(case)
    local variables = next(env) and " " .. cjson.encode(env) or ""
    it(("%s: %s {%s}%s"):format(host, profile, options, variables), function()
      local words = { "env", "-i", "HOME=" .. w.home, "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1",
        "AWS_PROFILE=" .. profile, "HTTPS_PROXY=" .. peer.url }
      for name, value in pairs(env) do
        words[#words + 1] = name .. "=" .. value
      end
      words[#words + 1] = os.getenv("LUAWS_BUILD") .. "/luaws"
      words[#words + 1] = "-e"
      words[#words + 1] = ('print(require("luaws").client("ec2", { %s }).try:describe_instances())')
        :format(options)
      peer:clear()
      peer:reply({ method = "CONNECT", status = 403, close = true, always = true })
      child.output(words)
      local request = peer:last()
      assert.equal("CONNECT " .. host .. ":443", request and request.method .. " " .. request.target)
    end)
  end
end)
