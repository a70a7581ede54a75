--- The REPL: reads Lua, runs it, shows what came of it. The terminal (bindings/repl.c) is handed in.
local complete = require("luaws.repl.complete")
local core = require("luaws.core")
local help = require("luaws.help")
local pretty = require("luaws.pretty")

local repl = {}

local PROMPT, PROMPT_MORE = "> ", ">> "
local MAX_ERROR_LINES = 8
-- Of lines that are not remembered; in lower case.
local SECRETS = { "secret_?access_?key", "secret_?key", "secretstring", "secretbinary", "session_?token",
  "identitytoken", "customerkey", "password" }

-- ---- reading ----

local function compile(text)
  local expression = text:match("^%s*=(.*)$") or text
  local chunk = load("return " .. expression, "=stdin", "t")
  if chunk then
    return chunk, nil, true
  end
  return load(text, "=stdin", "t")
end

local function is_incomplete(message)
  return message ~= nil and message:sub(-5) == "<eof>"
end

-- The entry in the history: one line, unless that would change what it means.
local function remember(self, lines)
  local text = table.concat(lines, "\n")
  local private = text:find("^%s") ~= nil
  for _, secret in ipairs(SECRETS) do
    private = private or text:lower():find(secret) ~= nil
  end
  if not text:find("%S") then
    return
  elseif not (text:find("--", 1, true) or text:find("%[=*%[") or text:find("\\\n")) then
    lines = { (text:gsub("%s*\n%s*", " ")) }
  end
  for _, line in ipairs(lines) do
    self.terminal.remember(line, private)
  end
end

-- Reads lines until they are a whole. Returns the chunk, or false and what is wrong with it; nil at the end
-- of the input. The lines of an unfinished chunk are in self.lines, for completion.
local function read_chunk(self)
  local lines = {}
  self.lines = lines
  while true do
    local line = self.terminal.read(#lines == 0 and PROMPT or PROMPT_MORE)
    if line == nil then
      return nil
    elseif not line then
      io.write("\n")
      return false
    end
    lines[#lines + 1] = line
    local text = table.concat(lines, "\n")
    local chunk, message, is_expression = compile(text)
    if chunk or not is_incomplete(message) then
      remember(self, lines)
      return chunk or false, message, is_expression, text
    end
  end
end

-- ---- showing ----

local function style_for(self)
  local rows, columns = self.terminal.size()
  if not rows then
    return { width = 100 }
  end
  return {
    width = columns,
    max_lines = math.max(rows - 2, 4),
    color = not os.getenv("NO_COLOR") and os.getenv("TERM") ~= "dumb",
  }
end

local function show_results(self, results)
  local style = style_for(self)
  for i = 1, results.n do
    io.write(pretty.dump(results[i], style), "\n")
  end
end

local function show_error(self, message)
  io.stdout:flush()
  local _, columns = self.terminal.size()
  local limit = columns and columns * MAX_ERROR_LINES
  if limit and #message > limit then
    message = message:sub(1, limit):gsub("[\xC0-\xFF][\x80-\xBF]*$", "") .. " …"
  end
  if columns and not os.getenv("NO_COLOR") then
    message = "\27[31m" .. message .. "\27[0m"
  end
  io.stderr:write(message, "\n")
end

-- ---- running ----

-- Runs the chunk, then prints what it returns, all of which Ctrl-C can end.
local function run_chunk(self, chunk)
  local function run()
    local results = table.pack(chunk())
    if results.n > 0 then
      self.env._ = results[1]
      show_results(self, results)
    end
  end
  local ok, message = self.terminal.call(run)
  if not ok then
    show_error(self, message)
  end
end

-- Errors of tasks that no line has asked for.
local function tell_unheard(self)
  local async = package.loaded["luaws.async"]
  for _, line in ipairs(async and async.unheard() or {}) do
    show_error(self, line)
  end
end

local function warn_of_local(self, text)
  local name = text:match("^%s*local%s+([%a_][%w_]*)")
  if name and not self.warned and not text:find("\n") and load(text .. " return", "=stdin", "t") then
    self.warned = true
    io.write(("-- a local ends with its line: write `%s = …` to keep it\n"):format(name))
  end
end

-- ---- completing ----

local function common_prefix(names)
  local prefix = names[1]
  for _, name in ipairs(names) do
    while name:sub(1, #prefix) ~= prefix do
      prefix = prefix:sub(1, -2)
    end
  end
  return prefix
end

local function in_columns(names, rows, columns)
  local widest = 0
  for _, name in ipairs(names) do
    widest = math.max(widest, #name)
  end
  local across = math.max(1, columns // (widest + 2))
  local down = (#names + across - 1) // across
  local lines = {}
  for row = 1, math.min(down, math.max(rows - 2, 4)) do
    local cells = {}
    for i = row, #names, down do
      cells[#cells + 1] = names[i] .. (i + down <= #names and (" "):rep(widest + 2 - #names[i]) or "")
    end
    lines[row] = table.concat(cells)
  end
  if #lines < down then
    lines[#lines + 1] = ("… %d in all"):format(#names)
  end
  return table.concat(lines, "\n")
end

--- What Tab does: how many characters before the cursor to delete, the text to insert, and names to show
--- below.
---@param self table with env, lines (of the chunk so far) and terminal
---@param line string the line up to the cursor
---@return integer|nil
---@return string|nil
---@return string|nil
function repl.on_tab(self, line)
  local text = table.concat(self.lines, "\n")
  text = #self.lines > 0 and text .. "\n" .. line or line
  if not line:find("%S") and #self.lines == 0 then
    return nil, "  "
  end
  local names, start, suffix = complete(text, self.env)
  if #names == 0 then
    return nil
  end
  local typed = text:sub(start)
  local common = common_prefix(names)
  if #names == 1 then
    return #typed, names[1] .. suffix
  elseif #common > #typed then
    return #typed, common
  end
  local rows, columns = self.terminal.size()
  return nil, nil, in_columns(names, rows or 24, columns or 80)
end

-- ---- the whole ----

local function history_path()
  local path = os.getenv("LUAWS_HISTORY")
  if path then
    return path ~= "" and path or nil
  end
  local state, home = os.getenv("XDG_STATE_HOME"), os.getenv("HOME")
  state = state and state ~= "" and state or home and home .. "/.local/state"
  return state and state .. "/luaws/history"
end

--- Reads, runs and shows until the input ends.
---@param terminal table open, read, remember, size, call (bindings/repl.c)
---@param env table|nil the globals of what is run; _G
function repl.run(terminal, env)
  local self = { terminal = terminal, env = env or _G, lines = {} }
  self.env.help = help
  help.width = function() return select(2, terminal.size()) end
  terminal.open(history_path(), function(line) return repl.on_tab(self, line) end)
  if terminal.size() then
    io.write(("luaws %s, %s. The module is in `aws`; Tab completes, help(x) explains, Ctrl-D ends.\n"):format(
      core.version, _VERSION))
  end
  while true do
    tell_unheard(self)
    local chunk, message, is_expression, text = read_chunk(self)
    if chunk == nil then
      break
    elseif chunk then
      if not is_expression then
        warn_of_local(self, text)
      end
      run_chunk(self, chunk)
    elseif message then
      show_error(self, message)
    end
  end
  if terminal.size() then
    io.write("\n")
  end
end

return repl
