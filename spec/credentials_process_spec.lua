-- Credentials that a program prints (credential_process): it runs beside everything else.
local aws = require("luaws")
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local server = require("spec.support.server")
local shell = require("spec.support.shell")

local NOW, write, raised = machine.NOW, machine.write, machine.raised
local async = aws.async

local function json(name, more)
  return ('{"Version":1,"AccessKeyId":"AK%s","SecretAccessKey":"hush-%s"%s}'):format(name, name, more or "")
end

--- A machine whose profile "p" runs a shell script, in which $HOME is that machine's home.
local function world(script)
  local w = machine.new()
  write(w.home .. "/program", "HOME='" .. w.home .. "'\n" .. script)
  write(w.home .. "/.aws/config", "[profile p]\ncredential_process = sh '" .. w.home .. "/program'\n")
  return w
end

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

--- Waits, in a task, until something holds.
local function until_holds(condition)
  while not condition() do
    async.sleep(0.01)
  end
end

--- How many descriptors of this process there are, or of those that a pattern is found in. One more or less
--- may be that of the question itself.
local function descriptors(pattern)
  collectgarbage()
  collectgarbage() -- what earlier specs left
  local list = child.output{ "ls", "-l", "/proc/" .. machine.read("/proc/self/stat"):match("^%d+") .. "/fd" }
  local count = 0
  for line in list:gmatch("[^\n]*%->[^\n]*") do
    count = count + (line:find(pattern or "") and 1 or 0)
  end
  return count
end

-- The program waits for what another task does meanwhile, but not forever.
local WAIT = 'i=0; while [ ! -e "$HOME/go" ] && [ $i -lt 1000 ]; do sleep 0.02; i=$((i+1)); done\n'
  .. '[ -e "$HOME/go" ] || exit 9\n'
local STAY = 'echo $$ >"$HOME/pid.new"; mv "$HOME/pid.new" "$HOME/pid"; exec sleep 600\n'

describe("a program that prints credentials", function()
  it("runs while other tasks go on", function()
    local w <close> = world(WAIT .. "printf '%s' '" .. json("P") .. "'")
    local session = w.session{ profile_name = "p" }
    local found = async.gather(function()
      return session:get_credentials()
    end, function()
      async.sleep(0.05)
      write(w.home .. "/go", "")
    end)
    assert.same({ "AKP", "hush-P", "custom-process" }, { found.access_key, found.secret_key, found.method })
  end)

  it("runs once for any number of tasks, at first and when what it gave has expired", function()
    local peer <close> = server.start()
    local w <close> = world('echo x >>"$HOME/runs"; sleep 0.1; n=$(wc -l <"$HOME/runs")\n'
      .. [[printf '{"Version":1,"AccessKeyId":"AK%s","SecretAccessKey":"s","Expiration":"%s"}' "$n" ]]
      .. '"$(cat "$HOME/expiry")"')
    peer:reply{ body = '{"QueueUrls":[]}', always = true }
    local session = w.session{ profile_name = "p" }
    local sqs = session:client("sqs", { endpoint_url = peer.url })
    for round = 1, 2 do
      w.now = NOW + (round - 1) * 7200
      write(w.home .. "/expiry", machine.iso(w.now + 3600))
      peer:clear()
      peer:reply{ body = '{"QueueUrls":[]}', always = true }
      local items = {}
      for i = 1, 1000 do
        items[i] = i
      end
      async.map(items, function(i)
        if i % 20 == 0 then
          sqs:list_queues()
        else
          assert.equal("AK" .. round, session:get_credentials().access_key)
        end
      end, { concurrency = 1000 })
      local requests = peer:requests()
      assert.equal(50, #requests)
      for _, request in ipairs(requests) do
        assert.matches("Credential=AK" .. round .. "/", request.headers.authorization)
      end
      assert.equal(round, select(2, machine.read(w.home .. "/runs"):gsub("\n", "")))
    end
  end)

  it("is killed when nobody waits for it any more", function()
    local w <close> = world(STAY)
    local before = descriptors()
    local session = w.session{ profile_name = "p" }
    async.run(function()
      local waiting = {}
      for i = 1, 3 do
        waiting[i] = async.spawn(machine.keys, session)
      end
      until_holds(function() return exists(w.home .. "/pid") end)
      local pid = machine.read(w.home .. "/pid"):match("%d+")
      for i = 1, 3 do
        assert.is_true(exists("/proc/" .. pid .. "/stat"), i)
        waiting[i]:cancel()
      end
      assert.is_false(exists("/proc/" .. pid .. "/stat")) -- and no zombie of it
    end)
    assert.is_true(descriptors() <= before + 1)
    assert.equal(0, descriptors("pidfd"))
    local err = raised(async.timeout, 0.05, machine.keys, session)
    assert.equal("TimeoutError", err.kind)
    assert.is_true(descriptors() <= before + 1)
    assert.equal(0, descriptors("pidfd"))
  end)

  --- Whether a process is there and no zombie; those of others are left to whoever reaps them.
  local function runs(pid)
    local stat = io.open("/proc/" .. pid .. "/stat")
    local state = stat and stat:read("a"):match("^.*%) (%a)")
    if stat then
      stat:close()
    end
    return state ~= nil and state ~= "Z"
  end

  it("is killed with all that it has started and that has not gone its own way", function()
    local w <close> = world('keep() { echo $! >>"$HOME/pids"; }\n'
      .. 'sleep 600 & keep\n'
      .. 'bash -c \'trap "" INT TERM HUP; sleep 600 & echo $! >>"$HOME/pids"; wait\' & keep\n'
      .. 'setsid bash -c \'sleep 600 & echo $! >>"$HOME/pids"; wait\' & keep\n'
      .. '(sleep 600 & echo $! >"$HOME/free")\n'
      .. 'while [ "$(wc -l <"$HOME/pids")" -lt 5 ]; do sleep 0.02; done\n' .. STAY)
    local session = w.session{ profile_name = "p" }
    async.run(function()
      local waiting = async.spawn(machine.keys, session)
      until_holds(function() return exists(w.home .. "/pid") end)
      waiting:cancel()
    end)
    local pids = machine.read(w.home .. "/pids") .. machine.read(w.home .. "/pid")
    local count = 0
    for pid in pids:gmatch("%d+") do
      async.timeout(20, until_holds, function() return not runs(pid) end)
      count = count + 1
    end
    assert.equal(6, count)
    local free = machine.read(w.home .. "/free"):match("%d+")
    assert.is_true(runs(free))
    child.output{ "kill", free }
  end)

  it("is killed with the session whose calls it was for", function()
    local w <close> = world(STAY)
    local pid
    do
      local session = w.session{ profile_name = "p" }
      local sqs = session:client("sqs", { endpoint_url = "http://127.0.0.1:9" })
      local task = async.spawn(sqs.list_queues, sqs)
      async.run(function()
        until_holds(function() return exists(w.home .. "/pid") end)
      end)
      pid = machine.read(w.home .. "/pid"):match("%d+")
      task:cancel()
    end
    assert.is_false(exists("/proc/" .. pid .. "/stat"))
  end)

  it("is killed by Ctrl-C, even one that does not listen to it", function()
    local w <close> = world("trap '' INT\nsleep 600 &\necho $! >\"$HOME/other\"\n" .. STAY)
    local script = shell.file([[
      local session = require("luaws").session{ profile_name = "p" }
      local ok, err = pcall(session.get_credentials, session)
      print("told:", ok, err)
      local pid = io.open(os.getenv("HOME") .. "/pid"):read("n")
      print("there:", io.open("/proc/" .. pid .. "/stat"))
    ]])
    finally(function() os.remove(script) end)
    local starter = shell.file("sh -c 'while [ ! -e \"$HOME/pid\" ]; do sleep 0.02; done; echo begun' &\n"
      .. child.quote(shell.program) .. " " .. script .. "\necho over\n")
    finally(function() os.remove(starter) end)
    local shown = shell.play({ { "", "begun" }, { "\3", "over" } },
      { words = { "-e", ("os.execute('exec bash %s')"):format(starter) },
        env = { HOME = w.home, AWS_CONFIG_FILE = w.home .. "/.aws/config" } })
    assert.matches("told:%s+false%s+interrupted", shown[2])
    assert.matches("there:%s+nil", shown[2])
    local other = machine.read(w.home .. "/other"):match("%d+")
    async.timeout(20, until_holds, function() return not runs(other) end)
  end)

  it("is killed alone where /proc has other numbers than ours, which would be those of strangers", function()
    local w <close> = world("sleep 600 &\necho $! >\"$HOME/other\"\n" .. STAY)
    write(w.home .. "/outside.c", [[
      #include <string.h>
      #include <unistd.h>
      ssize_t readlink(const char *path, char *out, size_t size) { memcpy(out, "1", 1); return 1; }
    ]])
    child.output{ "cc", "-shared", "-fPIC", "-o", w.home .. "/outside.so", w.home .. "/outside.c" }
    local script = shell.file([[
      local aws = require("luaws")
      local session = aws.session{ profile_name = "p" }
      aws.async.run(function()
        local waiting = aws.async.spawn(session.get_credentials, session)
        while not io.open(os.getenv("HOME") .. "/pid") do
          aws.async.sleep(0.01)
        end
        waiting:cancel()
      end)
    ]])
    finally(function() os.remove(script) end)
    local ran = shell.run({ script }, { env = { HOME = w.home, AWS_CONFIG_FILE = w.home .. "/.aws/config",
      LD_LIBRARY_PATH = w.home, LD_PRELOAD = "outside.so", ASAN_OPTIONS = "verify_asan_link_order=0" } })
    assert.same({ out = "", err = "", code = 0 }, ran)
    local pid = machine.read(w.home .. "/pid"):match("%d+")
    local other = machine.read(w.home .. "/other"):match("%d+")
    assert.is_false(runs(pid))
    assert.is_true(runs(other))
    child.output{ "kill", other }
  end)

  -- What a script prints whose program has a kernel of old: no pidfd.
  local function on_old_kernel(w, more)
    write(w.home .. "/old.c", [[
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <errno.h>
      #include <sys/types.h>
      #include <time.h>
      static long long started_ms;
      static long long now_ms(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
      }
      int pidfd_open(pid_t pid, unsigned flags) { started_ms = now_ms(); errno = ENOSYS; return -1; }
    ]] .. (more or ""))
    child.output{ "cc", "-shared", "-fPIC", "-o", w.home .. "/old.so", w.home .. "/old.c" }
    local script = "print(select(2, pcall(function() "
      .. "return aws.session{ profile_name = 'p' }:get_credentials().access_key end)))"
    return shell.run({ "60", shell.program, "-e", script }, { program = "timeout", env = { HOME = w.home,
      AWS_CONFIG_FILE = w.home .. "/.aws/config", LD_LIBRARY_PATH = w.home, LD_PRELOAD = "old.so",
      ASAN_OPTIONS = "verify_asan_link_order=0" } })
  end

  it("may leave another behind, which is not waited for where the kernel tells of no end either", function()
    local w <close> = world("sleep 600 &\necho $! >\"$HOME/pid\"\nprintf '%s' '" .. json("P") .. "'")
    local ran = on_old_kernel(w)
    child.output{ "kill", (machine.read(w.home .. "/pid"):match("%d+")) }
    assert.same({ out = "AKP\n", err = "", code = 0 }, ran)
  end)

  -- Its end was waited for while nobody read what it says: that of neither came.
  it("is ended where there is no memory to look for its end", function()
    local w <close> = world("sleep 0.1; head -c 300000 /dev/zero")
    local ran = on_old_kernel(w, [[
      void *calloc(size_t count, size_t size) {
        static void *(*real)(size_t, size_t);
        if (!real) real = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
        if (!started_ms || now_ms() - started_ms < 10) return real(count, size);
        started_ms = 0;
        return NULL;
      }
    ]])
    assert.same({ out = "Error when retrieving credentials from custom-process: the process was ended by "
      .. "signal 9\n", err = "", code = 0 }, ran)
  end)

  it("may leave another behind, which is not waited for", function()
    local w <close> = world("sleep 600 &\necho $! >\"$HOME/pid\"\nprintf '%s' '" .. json("P") .. "'")
    assert.equal("AKP", w.session{ profile_name = "p" }:get_credentials().access_key)
    child.output{ "kill", (machine.read(w.home .. "/pid"):match("%d+")) }
  end)

  it("says much, says it late and in pieces", function()
    local w <close> = world("printf '{\"Version\":1,\"AccessKeyId\":\"AKP\",'; sleep 0.05\n"
      .. "head -c 300000 /dev/zero | tr '\\0' ' '; head -c 300000 /dev/zero >&2\n"
      .. "printf '\"SecretAccessKey\":\"hush\",\"SessionToken\":\"t\",\"AccountId\":\"1\"}'")
    local found = w.session{ profile_name = "p" }:get_credentials()
    assert.same({ "AKP", "hush", "t", "1" },
      { found.access_key, found.secret_key, found.token, found.account_id })
  end)

  it("gets its words as a POSIX shell would split them, and no shell", function()
    local w <close> = machine.new()
    write(w.home .. "/a program", "#!/bin/sh\nprintf '{\"Version\":1,\"AccessKeyId\":\"%s\",'"
      .. "'\"SecretAccessKey\":\"%s\"}' \"$1\" \"$2\"")
    child.output{ "chmod", "+x", w.home .. "/a program" }
    write(w.home .. "/.aws/config", "[profile p]\ncredential_process = '" .. w.home
      .. "/a program' \"$HOME;x\" a\\ b | c\n")
    local found = w.session{ profile_name = "p" }:get_credentials()
    assert.same({ "$HOME;x", "a b" }, { found.access_key, found.secret_key })
  end)

  it("fails in words that say why", function()
    local long = ("x"):rep(5000)
    local VERSION = "Unsupported version '%s' for credential process provider, supported versions: 1"
    local MISSING = "Missing required key in response: '%s'"
    local cases = {
      { "echo sorry >&2; exit 3", "sorry" },
      { "exit 3", "the process ended with status 3" },
      { "kill -9 $$", "the process was ended by signal 9" },
      { "echo '" .. long .. "' >&2; exit 1", ("x"):rep(2000) },
      { "head -c 2000000 /dev/zero", "the process printed too much" },
      { "echo no json", "the output of the process is no JSON object" },
      { "echo '[]'", "the output of the process is no JSON object" },
      { "echo '{}'", VERSION:format("<Version key not provided>") },
      { [[echo '{"Version":2}']], VERSION:format("2") },
      { [[echo '{"Version":1,"AccessKeyId":"hush"}']], MISSING:format("SecretAccessKey") },
      { [[echo '{"Version":1,"SecretAccessKey":"hush"}']], MISSING:format("AccessKeyId") },
      { ("echo '%s'"):format(json("P", ',"Expiration":"soon"')), "Expiration is no time" },
    }
    local before = descriptors()
    for _, case in ipairs(cases) do
      local w <close> = world(case[1] .. "\n")
      local session = w.session{ profile_name = "p" }
      local err = raised(machine.keys, session)
      assert.same({ "CredentialRetrievalError",
        "Error when retrieving credentials from custom-process: " .. case[2] }, { err.kind, err.message })
    end
    for command, message in pairs{
      ["/nonexistent/program x"] = "/nonexistent/program: No such file or directory",
      ["'open"] = "credential_process is no command (",
    } do
      local w <close> = machine.new("[profile p]\ncredential_process = " .. command .. "\n")
      local session = w.session{ profile_name = "p" }
      local err = raised(machine.keys, session)
      assert.equal("CredentialRetrievalError", err.kind)
      assert.matches(message, err.message, 1, true)
    end
    assert.is_true(descriptors() <= before + 1)
    assert.equal(0, descriptors("pidfd"))
  end)

  it("is asked again by whoever comes after a failure", function()
    local w <close> = world('[ -e "$HOME/go" ] || exit 4\nprintf \'%s\' \'' .. json("P") .. "'")
    local session = w.session{ profile_name = "p" }
    raised(machine.keys, session)
    write(w.home .. "/go", "")
    assert.equal("AKP", session:get_credentials().access_key)
  end)
end)
