--- The folder of a spec, with files that it makes: folder.make() in setup, folder.remove() in teardown.
local child = require("spec.support.child")

local folder = {}

local root

function folder.make()
  root = child.output{ "mktemp", "-d" }:gsub("\n", "")
end

function folder.remove()
  child.output{ "rm", "-rf", root }
  root = nil
end

--- Where a file is, or the folder itself.
---@param name string|nil
---@return string
function folder.path(name)
  return name and root .. "/" .. name or root
end

--- The same for the shell.
function folder.quoted(name)
  return child.quote(folder.path(name))
end

--- Makes a file, and returns its path.
---@param name string
---@param data string
---@return string
function folder.write(name, data)
  local file <close> = assert(io.open(folder.path(name), "wb"))
  assert(file:write(data))
  return folder.path(name)
end

--- What is in one; nil where there is none.
---@param name string
---@return string|nil
function folder.read(name)
  local file <close> = io.open(folder.path(name), "rb")
  return file and file:read("a")
end

--- The names of what is there, sorted, with a blank behind each.
---@return string
function folder.names()
  return (child.output{ "ls", "-A", root }:gsub("\n", " "))
end

return folder
