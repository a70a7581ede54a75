-- Finds what botocore finds, and asks what it asks: spec/fixtures/credentials.json, written by
-- scripts/credentials-fixtures.py.
local cjson = require("cjson")
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local fixture = cjson.decode(machine.read("spec/fixtures/credentials.json"))

-- What is no botocore exception there has a name here.
local KINDS = {
  KeyError = { PartialCredentialsError = true, InvalidConfigError = true },
  FileNotFoundError = { CredentialRetrievalError = true },
}

--- What is compared of a request.
local function summary(request)
  local form = {}
  for name, value in request.body:gmatch("([^&=]+)=([^&]*)") do
    form[name] = value:gsub("%+", " "):gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
  end
  if (form.RoleSessionName or ""):match("^luaws%-session%-%d+$") then
    form.RoleSessionName = "(generated)"
  end
  local h = request.headers
  local key, scope = (h.authorization or ""):match("^AWS4%-HMAC%-SHA256 Credential=([^/]+)/%d+/([^,]+),")
  local all = { method = request.method, target = request.target:gsub("^/%d+", ""),
    form = next(form) and form, authorization = key and key .. "/" .. scope or h.authorization }
  for _, name in ipairs{ "x-amz-security-token", "x-amz-sso_bearer_token", "x-aws-ec2-metadata-token",
    "x-aws-ec2-metadata-token-ttl-seconds" } do
    all[name] = h[name]
  end
  return all
end

describe("as botocore does it, credentials are found", function()
  local peer
  setup(function()
    peer = server.start()
    for _, reply in ipairs(fixture.replies) do
      reply.always = true
    end
  end)
  teardown(function()
    peer:stop()
  end)

  local function sha1(text)
    return (child.output{ "sh", "-c", "printf %s \"$1\" | sha1sum", "sh", text }:match("^%x+"))
  end

  --- What is found in the case of that number, which is part of every URL.
  local function run(w, case, number)
    local function fill(text)
      return (text:gsub("{(%u+)}", { URL = peer.url .. "/" .. number, HOME = w.home }))
    end
    machine.write(w.home .. "/.aws/config", fill(case.config))
    for name in pairs(w.env) do
      w.env[name] = nil
    end
    for _, env in ipairs{ fixture.env, case.env } do
      for name, value in pairs(env) do
        w.env[name] = fill(value)
      end
    end
    local method
    local ok, found = pcall(function()
      local credentials = w.session{ profile_name = case.profile, region_name = nil }:get_credentials()
      method = credentials and credentials.method
      return credentials and credentials:get_frozen_credentials()
    end)
    if not ok then
      return { kind = found.kind, message = found.message:gsub(w.home, "{HOME}") }
    end
    found = found or {}
    return { access_key = found.access_key, secret_key = found.secret_key, token = found.token,
      account_id = found.account_id, method = method }
  end

  --- What was asked in each case.
  local function requests()
    local lists = {}
    for _, request in ipairs(peer:requests()) do
      local number = tonumber(request.target:match("^/(%d+)"))
      lists[number] = lists[number] or {}
      table.insert(lists[number], summary(request))
    end
    return lists
  end

  local function differs(case, got)
    local expect = case.expect
    if expect.kind then
      local kinds = KINDS[expect.kind] or { [expect.kind] = true }
      return not kinds[got.kind] or (not KINDS[expect.kind] and got.message ~= expect.message)
    end
    for _, name in ipairs{ "access_key", "secret_key", "token", "account_id", "method", "kind" } do
      if expect[name] ~= got[name] then
        return true
      end
    end
  end

  -- scripts/credentials-fuzz without a seed makes up hundreds.
  it("on machines that chance has made", function()
    local said = child.output{ "sh", "-c", "python3 scripts/credentials-fuzz 60 7 || true" }
    assert.matches("^seed 7: 60 machines, credentials on %d+, 0 not understood alike\n$", said)
  end)

  it("in every combination of profile, environment and choice", function()
    local w <close> = machine.new()
    machine.write(w.home .. "/token", "the-web-identity")
    for _, name in ipairs{ "corp", "https://corp/start" } do
      machine.write(w.home .. "/.aws/sso/cache/" .. sha1(name) .. ".json",
        '{"accessToken":"the-access-token","expiresAt":"2099-01-01T00:00:00Z"}')
    end
    peer:reply(table.unpack(fixture.replies))
    local wrong = {}
    for number, case in ipairs(fixture.cases) do
      local got = run(w, case, number)
      if differs(case, got) then
        wrong[#wrong + 1] = { case.name, expected = case.expect, got = got }
      end
    end
    assert.same({}, wrong)
    local asked = requests()
    for number, case in ipairs(fixture.cases) do
      assert.same(case.expect.requests, asked[number] or {}, case.name)
    end
  end)
end)
