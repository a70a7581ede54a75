--- Where a download goes: a file beside its target that takes its place when it is whole, a file that is
--- open already, or something that takes bytes in order (a pipe, a function, an object with a write
--- method).
---
--- A sink saves what a body holds: save(body, offset, max, sum) returns how many bytes, and what broke them
--- off. They are added to `sum`, where there is one.
local async = require("luaws.async")
local core = require("luaws.core")
local errors = require("luaws.errors")

local sink = {}

local FIFO_S = 0.02

local Target = {}
local target_mt = { __name = "luaws.transfer.target", __index = Target }

function Target:save(body, offset, max, sum)
  local n, err = body:save(self._target, offset, max, sum)
  if err and err.kind == "IOError" and self._name then
    err = errors.new("IOError", ("%s: %s"):format(self._name, err.message))
  end
  return n, err
end

--- It is whole.
function Target:finish(size)
  if self._new then
    local ok, why = self._target:commit()
    if not ok then
      errors.raise("IOError", "%s", why)
    end
  elseif self._io and not self.in_order then
    self._io:seek("set", size)
  end
end

--- It is over; what is not whole goes.
function Target:close()
  self._target:close() -- which leaves an io file open
end

local function new_target(target, fields)
  fields._target, fields.in_order = target, target:in_order()
  return setmetatable(fields, target_mt)
end

local Writer = { in_order = true }
local writer_mt = { __name = "luaws.transfer.writer", __index = Writer }

function Writer:save(body, _, max, sum)
  local ok, chunk = pcall(body.read, body, max)
  if not ok then
    return 0, chunk
  elseif not chunk then
    return 0
  end
  local written, why = self._write(chunk)
  if not written and why ~= nil then -- as Lua says that writing failed
    return 0, errors.new("IOError", "what is downloaded could not be written: " .. tostring(why))
  end
  if sum then
    sum:add(chunk)
  end
  return #chunk
end

function Writer.finish() end
function Writer.close() end

--- The file of this name. It is there as before until the download is whole. What is no regular file is
--- written to as it is, in order.
function sink.of_name(name)
  if name == "/dev/stdout" or name == "/dev/stderr" then
    local stream = name == "/dev/stdout" and io.stdout or io.stderr
    return new_target(core.target(stream, "in order"), { _io = stream })
  end
  local status = core.file_status(name)
  if status and status.kind == "folder" then
    errors.raise("IOError", "%s: Is a directory", name)
  elseif status and status.kind == "special" then
    local target, why, unread = core.target(name, "special")
    while unread do -- a FIFO that nobody has opened for reading; there is no event to wait for
      async.sleep(FIFO_S)
      target, why, unread = core.target(name, "special")
    end
    if not target then
      errors.raise("IOError", "%s", why)
    end
    return new_target(target, { _name = name })
  end
  local target, why = core.target(name, "new")
  if not target then
    errors.raise("IOError", "%s", why)
  end
  return new_target(target, { _new = true, _name = name })
end

--- An io file, a function that takes strings, or an object with a write method.
function sink.of_object(object)
  if io.type(object) == "file" then
    if not select(2, core.io_modes(object)) then
      errors.raise("ValueError", "Fileobj is not open for writing")
    end
    return new_target(core.target(object), { _io = object })
  elseif io.type(object) then
    errors.raise("ValueError", "Fileobj is a closed file")
  elseif type(object) == "function" then
    return setmetatable({ _write = object }, writer_mt)
  end
  local kind = type(object)
  local has_methods = kind == "table" or kind == "userdata" and (getmetatable(object) or {}).__index
  local write = has_methods and object.write
  if not write then
    errors.raise("ValueError", "Fileobj must implement write")
  end
  return setmetatable({ _write = function(chunk)
    return write(object, chunk)
  end }, writer_mt)
end

return sink
