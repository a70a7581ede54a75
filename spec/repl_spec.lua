local server = require("spec.support.server")
local shell = require("spec.support.shell")

local ENV = { AWS_ACCESS_KEY_ID = "a", AWS_SECRET_ACCESS_KEY = "s", AWS_REGION = "us-east-1", NO_COLOR = "1" }

local function env(more)
  local all = { LUAWS_HISTORY = "" }
  for name, value in pairs(ENV) do
    all[name] = value
  end
  for name, value in pairs(more or {}) do
    all[name] = value
  end
  return all
end

-- Types the lines at a prompt each, ends with Ctrl-D, and returns what each showed, without the line itself.
local function type_lines(lines, options)
  options = options or {}
  local steps = { { "", "> $" } }
  for i, line in ipairs(lines) do
    steps[i + 1] = { line .. "\r", "\n>>? $" }
  end
  steps[#steps + 1] = { "\4", "\n$" }
  local shown, code = shell.play(steps, { env = env(options.env), words = options.words, rows = options.rows,
    columns = options.columns })
  local answers = {}
  for i = 1, #lines do
    answers[i] = (shown[i + 1] or "nothing"):gsub("^[^\n]*\n", ""):gsub("\n?>>? $", "")
  end
  return answers, code
end

describe("the REPL at a terminal", function()
  it("greets with its version and ends with Ctrl-D", function()
    local shown, code = shell.play({ { "", "> $" }, { "\4", "\n$" } }, { env = env() })
    assert.truthy(shown[1]:find("^luaws %d+%.%d+%.%d+, Lua 5%.4"))
    assert.equal(0, code)
  end)

  it("shows what expressions are worth, and runs statements", function()
    local answers, code = type_lines({
      "x = 20 + 1", "x * 2", "= x", "'é'", "nil", "nil, x", "{ a = { 1, 2 } }", "_.a[2]",
      "(function() end)()", "print('hello')", "type(aws.client)", "function f() return 1 end", "f()",
    })
    assert.same({
      "", "42", "21", '"é"', "nil", "nil\n21", "{ a = { 1, 2 } }", "2", "", "hello", '"function"', "", "1",
    }, answers)
    assert.equal(0, code)
  end)

  it("reads on until a chunk is whole", function()
    local answers = type_lines({
      "for i = 1, 2 do", "print(i)", "end", "t = {", "1,", "}", "#t", "x = [[", "]] .. ", "1 1", "x",
    })
    assert.same({ "", "", "1\n2", "", "", "", "1", "", "", }, { table.unpack(answers, 1, 9) })
    assert.truthy(answers[10]:find("^stdin:3: "))
    assert.equal("nil", answers[11])
  end)

  it("tells errors in a line and goes on", function()
    local answers = type_lines({
      "error('plain')", "1 1", "aws.client('nope')", "aws.client('sts'):get_caller_identity{ X = 1 }",
      "error({})", "1",
    })
    assert.equal("stdin:1: plain", answers[1])
    assert.truthy(answers[2]:find("^stdin:1: "))
    assert.truthy(answers[3]:find("^Unknown service: 'nope'.* …$"))
    assert.is_true(#answers[3] < 1000)
    assert.truthy(answers[4]:find("^Parameter validation failed"))
    assert.equal("(error object is a table value)", answers[5])
    assert.equal("1", answers[6])
  end)

  it("tells before the next prompt of tasks that failed and that nobody awaited, each once", function()
    local said = "a task failed, and nobody awaited it: "
    local answers = type_lines({
      "async = aws.async; t = async.spawn(error, 'late', 0)", "1", "async.sleep(0)", "2", "pcall(t.await, t)",
      "u = async.spawn(error, 'in time', 0)", "pcall(u.await, u)",
      "for i = 1, 2 do async.spawn(error, i, 0) end async.sleep(0) error('its own', 0)", "3",
    })
    assert.same({ "", "1", said .. "late", "2", 'false\n"late"', "", 'false\n"in time"',
      "its own\n" .. said .. "1\n" .. said .. "2", "3" }, answers)
    local told = shell.run({ "-i", "-e", "a = require('luaws').async a.spawn(error, 'x', 0) a.sleep(0)" },
      { env = env(), input = "" })
    assert.equal(said .. "x\n", told.err)
  end)

  it("notes once that a local ends with its line", function()
    local answers = type_lines({ "local ec2 = 1", "local s3 = 2", "ec2" })
    assert.same({ "-- a local ends with its line: write `ec2 = …` to keep it", "", "nil" }, answers)
  end)

  it("cuts what it shows to the screen", function()
    local answers = type_lines({ "t = {} for i = 1, 90 do t[i] = ('x'):rep(50) end", "t", "('y'):rep(300)" },
      { rows = 12, columns = 60 })
    local lines = 0
    for line in answers[2]:gmatch("[^\n]+") do
      lines = lines + 1
      assert.is_true(#line <= 60)
    end
    assert.is_true(lines <= 12)
    assert.truthy(answers[2]:find("more lines"))
  end)

  it("paints nothing for who cannot see it", function()
    local result = shell.run({ "-i" }, { input = "error('x')\n'a'\n" })
    assert.falsy((result.err .. result.out):find("\27"))
  end)

  it("interrupts a loop with Ctrl-C and goes on", function()
    local shown, code = shell.play({
      { "", "> $" }, { "x = 5\r", "\n> $" },
      { "io.write('busy') io.flush() while true do end\r", "\nbusy$" }, { "\3", "interrupted!\n> $" },
      { "x\r", "\n5\n> $" }, { "\4", "\n$" },
    }, { env = env() })
    assert.equal(6, #shown)
    assert.equal(0, code)
  end)

  it("interrupts a call to a server that does not answer, and calls again", function()
    local peer <close> = server.start()
    peer:reply({ hang = true }, { body = '{"TableNames":["t"]}' })
    local shown, code = shell.play({
      { "", "> $" }, { "db = aws.client('dynamodb')\r", "\n> $" },
      { "io.write('busy') io.flush() db:list_tables()\r", "\nbusy$" }, { "", 1 },
      { "\3", "interrupted!?\n> $" },
      { "db:list_tables().TableNames\r", '\n{ "t" }\n> $' }, { "\4", "\n$" },
    }, { env = env(), words = { "--endpoint-url", peer.url } })
    assert.equal(7, #shown)
    assert.equal(0, code)
    assert.equal(2, #peer:requests())
  end)

  it("interrupts tasks that wait", function()
    local shown, code = shell.play({
      { "", "> $" },
      { "aws.async.run(function() io.write('busy') io.flush() aws.async.sleep(60) end)\r", "\nbusy$" },
      { "\3", "interrupted!?\n> $" }, { "1\r", "\n1\n> $" }, { "\4", "\n$" },
    }, { env = env() })
    assert.equal(5, #shown)
    assert.equal(0, code)
  end)

  it("interrupts a task that is busy", function()
    local shown, code = shell.play({
      { "", "> $" },
      { "aws.async.run(function() io.write('busy') io.flush() while true do end end)\r", "\nbusy$" },
      { "\3", "interrupted!?\n> $" }, { "1\r", "\n1\n> $" }, { "\4", "\n$" },
    }, { env = env() })
    assert.equal(5, #shown)
    assert.equal(0, code)
  end)

  it("drops the line, and the chunk, when Ctrl-C is pressed at the prompt", function()
    local shown, code = shell.play({
      { "", "> $" }, { "error('never'", "never'$" }, { "\3", "\n> $" },
      { "for i = 1, 2 do\r", "\n>> $" }, { "\3", "\n> $" }, { "7\r", "\n7\n> $" }, { "\4", "\n$" },
    }, { env = env() })
    assert.equal(7, #shown)
    assert.equal(0, code)
  end)

  it("completes with Tab from the models", function()
    local shown, code = shell.play({
      { "", "> $" }, { "ec2 = aws.cli\t", "client$" }, { "('ec2')\r", "\n> $" },
      { "ec2:describe_instance_att\t", "describe_instance_attribute$" }, { "\3", "\n> $" },
      { "ec2:describe_instances{ Fil\t", "Filters = $" }, { "{{ N\t", "Name = $" }, { "\3", "\n> $" },
      { "ec2:get_waiter('instance_r\t", "instance_running'$" }, { "\3", "\n> $" },
      { "ec2:run_instances{ Placement = { Tenancy = '\t", "dedicated +default +host\n+> ec2" },
      { "\3", "\n> $" },
      { "ec2:describe_instances{\r", "\n>> $" }, { "Fi\t", "Filters = $" },
      { "\3", "\n> $" }, { "\4", "\n$" },
    }, { env = env() })
    assert.equal(16, #shown)
    assert.equal(0, code)
  end)

  it("explains with help", function()
    local answers = type_lines({ "ec2 = aws.client('ec2')", "help(ec2.describe_vpcs)", "help()" })
    assert.truthy(answers[2]:find("^ec2:describe_vpcs"))
    assert.truthy(answers[3]:find("^help%(x%) explains"))
  end)

  it("leaves the terminal and its exit code to os.exit", function()
    local shown, code = shell.play({ { "", "> $" }, { "os.exit(7)\r", "\n$" } }, { env = env() })
    assert.equal(2, #shown)
    assert.equal(7, code)
  end)

  describe("remembers lines", function()
    local folder, history
    before_each(function()
      folder = os.tmpname()
      os.remove(folder)
      history = folder .. "/state/history"
    end)
    after_each(function() os.execute(("rm -rf '%s'"):format(folder)) end)

    local function lines_of(path)
      local lines = {}
      for line in io.lines(path) do
        lines[#lines + 1] = line
      end
      return lines
    end

    it("for later sessions, where only their owner can read them", function()
      type_lines({ "x = 1", "for i = 1, 2 do", "x = x + i", "end" }, { env = { LUAWS_HISTORY = history } })
      assert.same({ "x = 1", "for i = 1, 2 do x = x + i end" }, lines_of(history))
      local handle <close> = io.popen(("stat -c %%a '%s' '%s/state'"):format(history, folder))
      assert.equal("600\n700\n", handle:read("a"))
      local steps = { { "", "> $" }, { "\27[A\27[A", "x = 1$" }, { "\r", "\n> $" }, { "\4", "\n$" } }
      local shown = shell.play(steps, { env = env({ LUAWS_HISTORY = history }) })
      assert.equal(4, #shown)
    end)

    it("but no secrets, and none that begin with a space", function()
      type_lines({ " hidden = 1", "s = { aws_secret_access_key = 'x' }", "x = { SSECustomerKey = 'x' }",
        "x = { SessionToken = 'x' }", "x = { MasterUserPassword = 'x' }", "kept = 1" },
        { env = { LUAWS_HISTORY = history } })
      assert.same({ "kept = 1" }, lines_of(history))
    end)

    it("in the user's state folder, or nowhere when told so", function()
      os.execute(("mkdir '%s'"):format(folder))
      local set = { HOME = folder, XDG_STATE_HOME = folder .. "/state" }
      type_lines({ "x = 1" }, { env = set })
      local function files()
        local handle <close> = io.popen(("cd '%s' && find . -type f"):format(folder))
        return handle:read("a")
      end
      assert.equal("", files())
      local steps = { { "", "> $" }, { "x = 1\r", "\n> $" }, { "\4", "\n$" } }
      shell.play(steps, { env = set })
      assert.equal("./state/luaws/history\n", files())
    end)

    it("up to a number", function()
      os.execute(("mkdir -p '%s/state'"):format(folder))
      local file <close> = assert(io.open(history, "w"))
      for i = 1, 4001 do
        file:write("x = ", i, "\n")
      end
      file:close()
      type_lines({ "last = 1" }, { env = { LUAWS_HISTORY = history } })
      local lines = lines_of(history)
      assert.same({ 2001, "x = 2002", "last = 1" }, { #lines, lines[1], lines[#lines] })
    end)
  end)
end)

describe("the REPL without a terminal", function()
  it("reads commands from a pipe with -i", function()
    local input = "x = 1\nx + 1\nfor i = 1, 2 do\nprint(i)\nend\nerror('x')\nx\n"
    local result = shell.run({ "-i" }, { input = input })
    assert.same({ "> > 2\n> >> >> 1\n2\n> > 1\n> ", "stdin:1: x\n", 0 },
      { result.out, result.err, result.code })
  end)

  it("runs standard input as a script otherwise", function()
    local result = shell.run({}, { input = "print(aws, ...)\nprint(#arg)\n" })
    assert.same({ "nil\n0\n", "", 0 }, { result.out, result.err, result.code })
  end)
end)
