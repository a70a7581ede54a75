local child = require("spec.support.child")
local server = require("spec.support.server")
local shell = require("spec.support.shell")

local AS_LUA = [[
print("args", ..., #arg, arg[0] ~= nil, arg[1], arg[2])
print("globals", aws, package.loaded.luaws)
]]

local function script(text)
  local path = shell.file(text)
  finally(function() os.remove(path) end)
  return path
end

-- What a program wrote, with its own name and what differs from run to run taken out.
local function comparable(result, program)
  local function clean(text)
    return (text:gsub(program:gsub("%p", "%%%0"), "PROGRAM"):gsub("0x%x+", "0x…"))
  end
  local err = clean(result.err):gsub("^[^:]*: ", "PROGRAM: ")
  return { out = clean(result.out), err = err, code = result.code }
end

describe("luaws, as lua(1),", function()
  local cases = {
    { "-e", "print(1)", "-e", "print(2)" },
    { "-eprint(3)" },
    { "-e", "x = 1" },
    { "-l", "math", "-e", "print(math.pi)" },
    { "-lm=math", "-e", "print(m.pi)" },
    { "-l", "no.such.module" },
    { "-W", "-e", "warn('x')" },
    { "-e", "warn('x')" },
    { "-e", "os.exit(3)" },
    { "-e", "os.exit(true, true)" },
    { "-e", "error('x')" },
    { "-e", "error({})" },
    { "-e", "error()" },
    { "-e", "error(setmetatable({}, { __tostring = function() return 'told' end }))" },
    { "-e", "x =" },
    { "-e", "local c <close> = setmetatable({}, { __close = function() print('closed') end })" },
    { "no-such-file.lua" },
    { "-" , "a", "b", input = AS_LUA },
    { input = AS_LUA },
    { "--", "-", input = AS_LUA },
    { "-i", input = "" , only = "code" },
    { "-e", "print(arg[0], arg[-1], arg[1], arg[2])", "--", "/dev/null", "a" },
    { "-e", "print(1)", env = { LUA_INIT = "print('init')" } },
    { "-e", "print(1)", env = { LUA_INIT_5_4 = "print('5.4')", LUA_INIT = "print('init')" } },
    { "-E", "-e", "print(1)", env = { LUA_INIT = "print('init')", LUA_PATH = "nowhere/?.lua" } },
    { "-E", "-e", "print(package.path)", env = { LUA_PATH = "nowhere/?.lua" } },
    { "-e", "print(package.path)", env = { LUA_PATH = "nowhere/?.lua" } },
    { "-e", "print(1)", env = { LUA_INIT = "error('early')" } },
  }
  for _, case in ipairs(cases) do
    local name = table.concat(case, " ") .. (case.input and " < input" or "")
    for variable, value in pairs(case.env or {}) do
      name = ("%s=%s %s"):format(variable, value, name)
    end
    it("runs `" .. name .. "`", function()
      local ours = comparable(shell.run(case, case), shell.program)
      case.program = "lua5.4"
      local theirs = comparable(shell.run(case, case), "lua5.4")
      if case.only then
        ours, theirs = ours[case.only], theirs[case.only]
      end
      assert.same(theirs, ours)
    end)
  end

  it("gives a script its arguments and no global of its own", function()
    local path = script(AS_LUA .. "print(arg[0], arg[-1])")
    local words = { "-W", path, "-v", "--local" }
    local theirs = comparable(shell.run(words, { program = "lua5.4" }), "lua5.4")
    assert.same(theirs, comparable(shell.run(words), shell.program))
  end)

  it("complains about options in one line and a hint", function()
    for _, word in ipairs({ "-x", "-Ex", "-e", "-l" }) do
      local theirs = shell.run({ word }, { program = "lua5.4" })
      local ours = shell.run({ word })
      assert.same({ theirs.code, theirs.err:match("^[^:]*: (.-)\n") },
        { ours.code, ours.err:match("^luaws: (.-)\n") })
      assert.truthy(ours.err:find("luaws --help", 1, true))
    end
  end)
end)

describe("luaws", function()
  it("prints versions and help", function()
    for _, word in ipairs({ "-v", "--version" }) do
      local result = shell.run({ word })
      assert.truthy(result.out:find("^luaws %d+%.%d+%.%d+  Lua 5%.4"))
      assert.same({ "", 0 }, { result.err, result.code })
    end
    local help = shell.run({ "--help" })
    for option in ("profile region endpoint-url no-sign-request debug local"):gmatch("%S+") do
      assert.truthy(help.out:find("--" .. option, 1, true))
    end
    assert.equal(0, help.code)
  end)

  it("refuses options that make no sense, and runs nothing", function()
    local cases = {
      { "unrecognized option '--nope'", "--nope" },
      { "unrecognized option '--regions=x'", "--regions=x" },
      { "option '--region' needs an argument", "--region" },
      { "option '--region=' needs an argument", "--region=" },
      { "option '--debug=1' takes no argument", "--debug=1" },
      { "--local and --endpoint-url exclude each other", "--local", "--endpoint-url", "http://x" },
      { "--local and --profile exclude each other: it knows no account of yours", "--profile=x", "--local" },
    }
    for _, case in ipairs(cases) do
      local words = { table.unpack(case, 2) }
      words[#words + 1] = words[1] ~= "--region" and "-e" or nil
      words[#words + 1] = words[1] ~= "--region" and "print('ran')" or nil
      local result = shell.run(words)
      assert.same({ "", "luaws: " .. case[1], 1 }, { result.out, result.err:match("^(.-)\n"), result.code })
    end
  end)

  it("loads nothing of AWS before it is asked for", function()
    local loaded = [[
      local n = 0
      for name in pairs(package.loaded) do n = n + (name:find("^lua%as") and 1 or 0) end
      print(n)
    ]]
    assert.equal("0\n", shell.run({ "-e", loaded, "--region", "x" }).out)
    assert.equal("0\n", shell.run({ "--region", "x", script(loaded) }).out)
  end)

  it("has the global aws in chunks of the command line, not in scripts", function()
    local path = script("print(aws)")
    assert.equal("function\nnil\n", shell.run({ "-e", "print(type(aws.client))", path }).out)
    assert.equal("mine\nnil\n", shell.run({ "-e", "aws = 'mine' print(aws)", path }).out)
  end)

  it("makes the default session that the flags ask for", function()
    local config = script("[profile p]\nregion = eu-west-3\n")
    local env = { AWS_CONFIG_FILE = config }
    local show = script([[
      local session = require("luaws").default_session()
      print(session.profile_name, session.region_name)
    ]])
    assert.equal("p\teu-west-3\n", shell.run({ "--profile", "p", show }, { env = env }).out)
    local both = { "--profile=p", "--region=sa-east-1", show }
    assert.equal("p\tsa-east-1\n", shell.run(both, { env = env }).out)
    assert.equal("default\tsa-east-1\n", shell.run({ "--region", "sa-east-1", show }, { env = env }).out)
  end)

  it("says in one line that there is no such profile", function()
    local path = script("require('luaws')")
    local result = shell.run({ "--profile", "nobody", path })
    assert.matches("^luaws: " .. path:gsub("%p", "%%%0")
      .. ":1: The config profile %(nobody%) could not be found; there is neither [^\n]+\n$", result.err)
    assert.equal(1, result.code)
  end)

  it("calls the endpoint that the flags name, signed or not", function()
    local peer <close> = server.start()
    local call = script([[
      local aws = require("luaws")
      local db = aws.client("dynamodb", { config = { connect_timeout = 5 } })
      print(db:list_tables().TableNames[1])
    ]])
    local env = { AWS_ACCESS_KEY_ID = "a", AWS_SECRET_ACCESS_KEY = "s", AWS_REGION = "us-east-1" }
    for _, flag in ipairs({ "--region=us-east-1", "--no-sign-request" }) do
      peer:clear()
      peer:reply({ body = '{"TableNames":["t"]}' })
      local result = shell.run({ "--endpoint-url", peer.url, flag, call }, { env = env })
      assert.same({ "t\n", "", 0 }, { result.out, result.err, result.code })
      assert.equal(flag ~= "--no-sign-request", peer:last().headers.authorization ~= nil)
    end
  end)

  describe("when a script fails", function()
    local path
    before_each(function()
      path = shell.file([[
        local aws = require("luaws")
        local ec2 = aws.client("ec2", { region_name = "us-east-1" })
        local function call()
          ec2:describe_instances{ Colour = "red" }
        end
        call()
      ]])
    end)
    after_each(function() os.remove(path) end)

    it("tells what luaws had to say with the script's line and no stack", function()
      local result = shell.run({ path })
      assert.same({ "", 1 }, { result.out, result.code })
      assert.equal("luaws: " .. path .. ":4: Parameter validation failed:", result.err:match("^[^\n]*"))
      assert.truthy(result.err:find("Colour", 1, true))
      assert.falsy(result.err:find("traceback", 1, true))
    end)

    it("tells at its end of tasks that failed and that nobody awaited, and of no others", function()
      local lost = shell.file([[
local async = require("luaws").async
async.spawn(error, "lost", 0)
async.spawn(error, require("luaws").errors.new("ValueError", "lost as well"), 0)
local late, found = async.spawn(error, "late", 0), async.spawn(error, "found", 0)
local cancelled = async.spawn(async.sleep, 60)
pcall(found.await, found)
pcall(late.await, late)
cancelled:cancel()
pcall(async.gather, function() error("first", 0) end, function() error("second", 0) end)
pcall(async.map, { 1, 2, 3 }, function(i) error(i, 0) end)
pcall(async.timeout, 1, function() error("in time", 0) end)
local gone
local left = async.spawn(function()
  while not gone do async.sleep(0.001) end
  error("left by who awaited it", 0)
end)
local leaver = async.spawn(left.await, left)
async.sleep(0)
leaver:cancel()
gone = true
while not left:done() do async.sleep(0.001) end
async.spawn(error, setmetatable({}, { __tostring = function() error({}) end }))
async.spawn(async.sleep, 60)
async.sleep(0)
print("the end")]])
      local result = shell.run({ lost })
      assert.same({ "the end\n", 0 }, { result.out, result.code })
      local expected = {}
      for i, lost_error in ipairs{ "lost", "lost as well", "left by who awaited it",
        "an error that cannot be shown" } do
        expected[i] = "luaws: a task failed, and nobody awaited it: " .. lost_error .. "\n"
      end
      assert.equal(table.concat(expected), result.err)
      os.remove(lost)
    end)

    it("shows the stack with --debug", function()
      assert.truthy(shell.run({ "--debug", path }).err:find("stack traceback:.*in main chunk"))
    end)
  end)

  it("can be interrupted in a loop and in a call", function()
    local peer <close> = server.start()
    peer:reply({ hang = true, always = true })
    local loop = "io.write('ready') io.flush() while true do end"
    local call = "io.write('ready') io.flush() aws.client('sts'):get_caller_identity()"
    local env = { AWS_ACCESS_KEY_ID = "a", AWS_SECRET_ACCESS_KEY = "s", AWS_REGION = "us-east-1" }
    for _, chunk in ipairs({ loop, call }) do
      local shown, code = shell.play({ { "", "ready" }, { "", 0.2 }, { "\3", "interrupted.*\n" } },
        { words = { "--endpoint-url", peer.url, "-e", chunk }, env = env })
      assert.truthy(shown[3] and shown[3]:find("luaws: .*interrupted"))
      assert.equal(130, code)
    end
  end)

  it("raises a KeyboardInterrupt on Ctrl-C, wherever it comes, and client.try lets it through", function()
    local peer <close> = server.start()
    peer:reply({ hang = true, always = true })
    local env = { AWS_ACCESS_KEY_ID = "a", AWS_SECRET_ACCESS_KEY = "s", AWS_REGION = "us-east-1" }
    for _, body in ipairs({
      "while aws do end",
      "aws.client('sts').try:get_caller_identity()",
      "aws.client('s3'):get_waiter('bucket_exists'):wait{ Bucket = 'bucket' }",
      "aws.async.map({ 1, 2 }, function() aws.client('sts'):get_caller_identity() end)",
      "aws.async.map({ 1, 2 }, function() while true do end end)",
    }) do
      local chunk = ([[local ok, err = pcall(function() io.write('ready') io.flush() %s end)
        print(ok, err.kind, err, err:is('BotoCoreError'), 'end')]]):format(body)
      local shown, code = shell.play({ { "", "ready" }, { "", 0.2 }, { "\3", "end\n" } },
        { words = { "--endpoint-url", peer.url, "-e", chunk }, env = env })
      assert.matches("false\tKeyboardInterrupt\tinterrupted!\tfalse\tend", shown[3])
      assert.equal(0, code)
    end
  end)
end)

describe("luaws --local", function()
  -- Whether somebody listens there; one that is being killed gets a moment.
  local function is_gone(url)
    for _ = 1, 100 do
      if not os.execute("curl -s -o /dev/null --noproxy '*' " .. url) then
        return true
      end
      os.execute("sleep 0.01")
    end
    return false
  end

  -- As scripts/setup writes it down.
  local function env(more)
    local all = { AWS_PROFILE = "production", AWS_SESSION_TOKEN = "real",
      AWS_ENDPOINT_URL_S3 = "http://real.invalid", AWS_REGION = "eu-west-1",
      HTTP_PROXY = "http://127.0.0.1:9", http_proxy = "http://127.0.0.1:9" }
    for name, value in pairs(more or {}) do
      all[name] = value
    end
    return all
  end

  it("runs a script against a throw-away AWS, and touches no account", function()
    local path = script([[
      local aws = require("luaws")
      local s3 = aws.client("s3")
      s3:create_bucket{ Bucket = "mine" }
      print(s3:list_buckets().Buckets[1].Name, s3.meta.region_name, os.getenv("AWS_PROFILE"),
        os.getenv("AWS_SESSION_TOKEN"))
      for _, service in ipairs({ "s3", "ec2", "sts" }) do
        assert(aws.client(service).meta.endpoint_url == os.getenv("AWS_ENDPOINT_URL"))
      end
      local credentials = aws.default_session():get_credentials()
      print(credentials.access_key, credentials.method)
      print(pcall(aws.session, { profile_name = "production" }))
    ]])
    local result = shell.run({ "--local", path }, { env = env() })
    assert.same({ "mine\tus-east-1\tnil\tnil\ntesting\tenv\n"
      .. "false\tThe config profile (production) could not be found\n", "", 0 },
      { result.out, result.err, result.code })
  end)

  it("ends the server however the script ends", function()
    local path = script([[
      print(os.getenv("AWS_ENDPOINT_URL"))
      io.stdout:flush()
      local how = arg[1]
      if how == "error" then error("x")
      elseif how == "exit" then os.exit(4)
      elseif how then os.execute("kill -" .. how .. " $PPID") end
    ]])
    for how, code in pairs({ [""] = 0, error = 1, exit = 4, TERM = 143, KILL = 137, HUP = 129 }) do
      local result = shell.run({ "--local", path, how ~= "" and how or nil }, { env = env() })
      local url = result.out:match("^http://127%.0%.0%.1:%d+")
      assert.truthy(url)
      assert.same({ how, code, true }, { how, result.code, is_gone(url) })
    end
  end)

  it("takes the region from the flags", function()
    local result = shell.run({ "--local", "--region", "ap-south-1", "-e",
      "print(aws.client('sts').meta.region_name, os.getenv('AWS_REGION'))" }, { env = env() })
    assert.equal("ap-south-1\tap-south-1\n", result.out)
  end)

  it("tells how to get moto when there is none", function()
    for _, python in ipairs({ "/no/such/python", "false" }) do
      local result = shell.run({ "--local", "-e", "print('ran')" },
        { env = env({ LUAWS_MOTO_PYTHON = python }) })
      assert.same({ "", 1 }, { result.out, result.code })
      assert.truthy(result.err:find("^luaws: %-%-local"))
    end
    assert.truthy(shell.run({ "--local" }, { env = env({ LUAWS_MOTO_PYTHON = "/no/such/python" }) }).err
      :find("pip install 'moto[server]'", 1, true))
  end)

  it("leaves the server alone when a script forks", function()
    local out = child.output({ shell.program, "--local", "-e",
      "io.popen('exit 0'):close() print(aws.client('sts'):get_caller_identity().Account)" })
    assert.equal("123456789012\n", out)
  end)
end)
