-- Starts the servers that specs talk to, and sees to it that they end with the spec (see child.py).
local child = {}

--- Quotes a word for the shell.
---@param word any
---@return string
function child.quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

--- Starts a server and waits for the one line that it prints.
---@param words string[] the program and its arguments
---@param what string its name, for error messages
---@return string line, file* handle closing the handle ends the server
function child.start(words, what)
  local quoted = {}
  for i, word in ipairs(words) do
    quoted[i] = child.quote(word)
  end
  local handle <const> = assert(io.popen("exec " .. table.concat(quoted, " ") .. " </dev/null", "r"))
  local line = handle:read("l")
  if not line then
    handle:close()
    error(what .. " did not start", 2)
  end
  return line, handle
end

--- Runs a program to its end and returns what it printed.
---@param words string[]
---@return string output
function child.output(words)
  local quoted = {}
  for i, word in ipairs(words) do
    quoted[i] = child.quote(word)
  end
  local handle <const> = assert(io.popen("exec " .. table.concat(quoted, " ") .. " </dev/null", "r"))
  local output = handle:read("a")
  local ok, how, code = handle:close()
  if not ok then
    error(("%s: %s %s\n%s"):format(words[1], how, code, output), 2)
  end
  return output
end

--- Sends an empty POST to a server on this machine.
---@param port integer
---@param path string
function child.post(port, path)
  child.output({ "curl", "-sS", "--noproxy", "*", "-f", "-X", "POST", "-o", "/dev/null",
    ("http://127.0.0.1:%d%s"):format(port, path) })
end

return child
