-- Makes of odd answers and odd files what botocore makes of them: spec/fixtures/credentials-answers.json,
-- written by scripts/credentials-answers.py.
local async = require("luaws").async
local cjson = require("cjson")
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")
local shell = require("spec.support.shell")

local fixture = cjson.decode(machine.read("spec/fixtures/credentials-answers.json"))

-- What is raised here where botocore lets an error of Python's through, or one of a service's own class.
local KINDS = {
  ResourceNotFoundException = { ClientError = true },
  KeyError = { PartialCredentialsError = true, InvalidConfigError = true, CredentialRetrievalError = true,
    SSOTokenLoadError = true },
  TypeError = { CredentialRetrievalError = true },
  ParserError = { CredentialRetrievalError = true },
  FileNotFoundError = { CredentialRetrievalError = true },
  ValueError = { ValueError = true, CredentialRetrievalError = true },
}

local function sorted(body)
  local parts = {}
  for part in body:gmatch("[^&]+") do
    parts[#parts + 1] = part
  end
  table.sort(parts)
  return parts
end

--- What is compared of a request.
local function summary(request)
  local h = request.headers
  local key, scope = (h.authorization or ""):match("^AWS4%-HMAC%-SHA256 Credential=([^/]+)/%d+/([^,]+),")
  local target = request.target:gsub("^/%d+", "")
  local body = request.body:gsub("luaws%-session%-%d+", "(generated)")
  local out = { method = request.method, target = target,
    authorization = key and key .. "/" .. scope or h.authorization }
  for _, name in ipairs{ "x-amz-security-token", "x-amz-sso_bearer_token", "x-aws-ec2-metadata-token" } do
    out[name] = h[name] ~= "" and h[name] or nil
  end
  if not target:find("^/sts") then
    out.accept = h.accept ~= "*/*" and h.accept or nil
  end
  if body:find("=", 1, true) then
    out.body = sorted(body)
  elseif body ~= "" then
    out.body = cjson.decode(body)
  end
  if out.authorization == "" then
    out.authorization = nil
  end
  return out
end

describe("as botocore does it, odd answers and files", function()
  local peer, root
  setup(function()
    peer = server.start()
    root = server.temporary_folder()
    child.output{ "sh", "-c", 'cd "$1" && for i in $(seq "$2"); do '
      .. "echo $i/.aws/sso/cache $i/.aws/login/cache; done | xargs mkdir -p", "sh", root, #fixture.cases }
  end)
  teardown(function()
    peer:stop()
    child.output{ "rm", "-rf", root }
  end)

  --- A function that fills in what differs from run to run.
  local function filler(w, number)
    local url = peer.url .. "/" .. number
    return function(text)
      local proxy = peer.url:gsub("//", "//" .. number .. ":x@")
      text = text:gsub("{URL}", url):gsub("{PROXY}", proxy):gsub("{HOME}", w.home)
      return (text:gsub("{IN:(%-?%d+)}", function(seconds)
        return machine.iso(w.now + math.tointeger(tonumber(seconds)))
      end))
    end, url
  end

  local function prepare(w, case, fill)
    for _, env in ipairs{ fixture.env, case.env } do
      for name, value in pairs(env) do
        w.env[name] = value ~= cjson.null and fill(value) or nil
      end
    end
    machine.write(w.home .. "/.aws/config", fill(case.config))
    for name, text in pairs(case.files) do
      machine.write(w.home .. "/" .. name, fill(text))
      if text:find("^#!") then
        child.output{ "chmod", "700", w.home .. "/" .. name }
      end
    end
  end

  --- The token that is kept now in the one file that was there.
  local function kept(w, case)
    local token = cjson.decode(machine.read(w.home .. "/" .. next(case.files)))
    for _, part in ipairs{ token, token.accessToken } do
      if type(part) == "table" and part.expiresAt then
        part.expiresAt = part.expiresAt:gsub("^20[2-8]%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", "(time)")
      end
    end
    return token
  end

  local function make_client(session, how, region)
    local opts = { region_name = region }
    if how == "keys" then
      opts.aws_access_key_id, opts.aws_secret_access_key = "a", "b"
    elseif how == "unsigned" then
      opts.config = { signature_version = "unsigned" }
    elseif how == "asked" then
      session:get_credentials()
    end
    session:client("sqs", opts)
  end

  --- The credentials, and how they were found.
  local function ask(w, case)
    local profile = case.profile ~= cjson.null and case.profile or nil
    local session = require("luaws").session{ _env = w.env, _home = w.home, profile_name = profile,
      _clock = function() return w.now end }
    for _, client in ipairs(case.before) do
      make_client(session, table.unpack(client))
    end
    local credentials = session:get_credentials()
    if credentials then
      return credentials:get_frozen_credentials(), credentials.method
    end
  end

  --- The error that a process of its own gets: a proxy is looked for in the real environment only.
  local function ask_outside(w, case)
    local env = { HOME = w.home }
    for name, value in pairs(w.env) do
      env[name] = value
    end
    local script = "local s = aws.session{ profile_name = arg[1] } "
      .. "local _, err = pcall(function() return s:get_credentials():get_frozen_credentials() end) "
      .. "print(err.kind, err.message)"
    local file = shell.file(script)
    local said = shell.run({ "-l", "aws=luaws", file, case.profile }, { env = env })
    os.remove(file)
    local kind, message = said.out:match("^(%S+)\t([^\n]*)")
    return { kind = kind or said.err, message = message or "" }
  end

  local function run(case, number)
    local w = { home = root .. "/" .. number, env = {}, now = os.time() }
    local fill, url = filler(w, number)
    prepare(w, case, fill)
    local ok, found, method
    if case.env.HTTPS_PROXY then
      ok, found = false, ask_outside(w, case)
    else
      ok, found, method = pcall(ask, w, case)
    end
    local got = {}
    if not ok then
      local message = found.message:gsub(w.home, "{HOME}"):gsub(url:gsub("%p", "%%%0"), "{URL}")
      got = { kind = found.kind, message = message }
    elseif found then
      got = { access_key = found.access_key, secret_key = found.secret_key, token = found.token,
        account_id = found.account_id, method = method }
    end
    got.kept = case.expect.kept and kept(w, case)
    return got
  end

  local function differs(expect, got)
    if expect.kind then
      local kinds = KINDS[expect.kind] or { [expect.kind] = true }
      return not kinds[got.kind]
    end
    for _, name in ipairs{ "access_key", "secret_key", "token", "account_id", "method", "kind" } do
      if expect[name] ~= got[name] then
        return true
      end
    end
  end

  -- Nobody is asked here: a token that is no header is refused once the address is allowed.
  it("come from no address that botocore would not ask", function()
    local allowed, stricter, wrong = 0, 0, {}
    for _, case in ipairs(fixture.urls) do
      local url, theirs = table.unpack(case)
      local session = require("luaws").session{ _home = "/nowhere", _env = {
        AWS_EC2_METADATA_DISABLED = "true", AWS_CONTAINER_CREDENTIALS_FULL_URI = url,
        AWS_CONTAINER_AUTHORIZATION_TOKEN = "a\nb" } }
      local err = machine.raised(session.get_credentials, session)
      assert.equal("ValueError", err.kind)
      local ours = err.message == "Auth token value is not a legal header value"
      local odd = url:find("[@%s%%]") or not url:find("^[Hh][Tt][Tt][Pp][Ss]?://")
      if theirs and not ours and odd then -- names of users, other schemes, what is quoted or has blanks
        stricter = stricter + 1
      elseif ours ~= theirs and not url:find("^https://[^/]*[\x80-\xFF]") then -- libcurl's business
        wrong[#wrong + 1] = (theirs and "refuses " or "allows ") .. url
      end
      allowed = allowed + (ours and 1 or 0)
    end
    assert.equal("", table.concat(wrong, "\n"))
    assert.is_true(#fixture.urls > 500 and allowed > 100, allowed .. " allowed, " .. stricter .. " stricter")
  end)

  it("lead to the same credentials or error, the same requests and the same files", function()
    local replies, numbers, got = {}, {}, {}
    for number, case in ipairs(fixture.cases) do
      numbers[number] = number
      for _, reply in ipairs(case.replies) do
        replies[#replies + 1] = reply
      end
    end
    peer:reply(table.unpack(replies))
    async.map(numbers, function(number)
      got[number] = run(fixture.cases[number], number)
      got[number].requests = {}
    end, { concurrency = 24 })
    for _, request in ipairs(peer:requests()) do
      local list = got[tonumber(request.proxy_user or request.target:match("^/(%d+)"))].requests
      list[#list + 1] = summary(request)
    end
    local wrong = {}
    for number, case in ipairs(fixture.cases) do
      local same = pcall(assert.same, { case.expect.requests, case.expect.kept },
        { got[number].requests, got[number].kept })
      if not same or differs(case.expect, got[number]) then
        wrong[#wrong + 1] = case.name .. "\n  botocore: " .. cjson.encode(case.expect) .. "\n  luaws:    "
          .. cjson.encode(got[number])
      end
    end
    assert.equal("", table.concat(wrong, "\n"))
  end)
end)
