-- The shell asks at the terminal for the MFA code that a role wants.
local machine = require("spec.support.machine")
local server = require("spec.support.server")
local shell = require("spec.support.shell")

local ASKED = "Enter MFA code for arn:aws:iam::1:mfa/me: "
local SCRIPT = [[
  local session = require("luaws").session{ profile_name = "a", region_name = "eu-west-1" }
  local credentials = session:get_credentials()
  print("method: " .. credentials.method)
  local ok, found = pcall(function() return credentials.access_key end)
  print("got: " .. tostring(ok and found or "nothing"))
  os.execute("stty -a </dev/tty | grep -o -- '-*\\becho\\b' | sed 's/^/now: /'")
  print("over")
]]

describe("at the terminal, a code of an MFA device", function()
  local w, peer, env
  before_each(function()
    peer = server.start()
    w = machine.new(machine.BASE .. machine.role() .. "mfa_serial = arn:aws:iam::1:mfa/me\n")
    env = { HOME = w.home, AWS_CONFIG_FILE = w.home .. "/.aws/config", AWS_ENDPOINT_URL_STS = peer.url,
      AWS_EC2_METADATA_DISABLED = "true", AWS_PROFILE = "a", AWS_DEFAULT_REGION = "eu-west-1",
      LUAWS_HISTORY = "" }
    peer:reply(machine.sts_answer("AssumeRole", "a", { expiry = os.time() + 3600 }))
  end)
  after_each(function()
    getmetatable(w).__close(w)
    peer:stop()
  end)

  it("is asked for, is not shown, and goes to STS", function()
    local shown, code = shell.play({ { "", ASKED }, { "123456\r", "over" } },
      { words = { "-e", SCRIPT }, env = env })
    assert.equal(0, code)
    assert.matches("method: assume%-role\n" .. ASKED:gsub("%p", "%%%0"), shown[1])
    assert.matches("got: AK%-a\nnow: echo\nover", shown[2])
    assert.not_matches("123456", table.concat(shown))
    assert.matches("SerialNumber=arn%%3Aaws%%3Aiam%%3A%%3A1%%3Amfa%%2Fme", peer:last().body)
    assert.matches("TokenCode=123456", peer:last().body)
  end)

  it("is given up with Ctrl-C, and the terminal is as it was", function()
    local shown, code = shell.play({ { "", ASKED }, { "123", 0.1 }, { "\3", "over" } },
      { words = { "-e", SCRIPT }, env = env })
    assert.equal(0, code)
    assert.matches("got: nothing\nnow: echo\nover", shown[3])
    assert.not_matches("123", table.concat(shown))
    assert.same({}, peer:requests())
  end)

  it("is given up with Ctrl-D", function()
    local shown = shell.play({ { "", ASKED }, { "\4", "over" } }, { words = { "-e", SCRIPT }, env = env })
    assert.matches("got: nothing\nnow: echo\nover", shown[2])
    assert.same({}, peer:requests())
  end)

  it("that nobody gives ends a script with an error, and not the prompt of the shell", function()
    local shown, code = shell.play({ { "", ASKED }, { "\3", "no MFA code was given" } },
      { words = { "-e", "print(require('luaws').session():get_credentials().access_key)" }, env = env })
    assert.equal(130, code)
    assert.not_matches("AK%-a", table.concat(shown))
    shown = shell.play({ { "", "> " },
      { "c = aws.session():get_credentials()\r", "> $" },
      { "c.access_key\r", ASKED },
      { "\3", "no MFA code was given[^>]*> $" },
      { "c.access_key\r", ASKED },
      { "123456\r", "AK-a" },
      { "os.exit()\r", 0.1 } }, { env = env })
    assert.equal(7, #shown, table.concat(shown, "|"))
    assert.matches("TokenCode=123456", peer:last().body)
  end)

  it("cannot be asked for where there is no terminal", function()
    local result = shell.run({ "-w", shell.program, "-e",
      "print(require('luaws').session():get_credentials().access_key)" },
      { program = "setsid", env = env, input = "123456\n" })
    assert.equal(1, result.code)
    assert.matches("an MFA code for arn:aws:iam::1:mfa/me is needed, and there is no terminal to ask at "
      .. "(a session takes mfa_prompt, a function)", result.err, 1, true)
    assert.same({}, peer:requests())
  end)
end)
