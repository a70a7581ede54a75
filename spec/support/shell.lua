-- Runs the built luaws as a user does: from a command line, or at a terminal.
local child = require("spec.support.child")
local cjson = require("cjson")

local shell = {}

shell.program = (os.getenv("LUAWS_BUILD") or "build") .. "/luaws"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

--- Writes a temporary file and returns its path.
---@param text string
---@return string
function shell.file(text)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  return path
end

local function command(words, env)
  local quoted = {}
  for name, value in pairs(env or {}) do
    quoted[#quoted + 1] = child.quote(name .. "=" .. value)
  end
  table.sort(quoted)
  table.insert(quoted, 1, "env")
  for _, word in ipairs(words) do
    quoted[#quoted + 1] = child.quote(word)
  end
  return table.concat(quoted, " ")
end

--- Runs a program, luaws unless options name another, and returns what it wrote and how it ended.
---@param words string[] its arguments
---@param options table|nil program, input (for its standard input), env
---@return table out, err, code (128 + the signal that killed it)
function shell.run(words, options)
  options = options or {}
  local all = { options.program or shell.program, table.unpack(words) }
  local out, err, input = os.tmpname(), os.tmpname(), shell.file(options.input or "")
  local line = ("%s <%s >%s 2>%s"):format(command(all, options.env), input, out, err)
  local _, _, code = os.execute("sh -c " .. child.quote(line) .. " 2>/dev/null")
  local result = { out = read(out), err = read(err), code = code }
  for _, path in ipairs({ out, err, input }) do
    os.remove(path)
  end
  return result
end

--- Plays a user at a terminal (see terminal.py). Returns what was shown in each step, and the exit code.
---@param steps table sequence of { keys, pattern to wait for }
---@param options table|nil words (arguments of luaws), env, rows, columns
---@return table shown
---@return integer|nil code
function shell.play(steps, options)
  options = options or {}
  local play = {
    words = { shell.program, table.unpack(options.words or {}) },
    env = options.env, rows = options.rows, columns = options.columns, steps = steps,
  }
  local input = shell.file(cjson.encode(play))
  local output = child.output({ "sh", "-c", "exec python3 spec/support/terminal.py <" .. child.quote(input) })
  os.remove(input)
  local played = cjson.decode(output)
  return played.shown, played.code ~= cjson.null and math.tointeger(played.code) or nil
end

return shell
