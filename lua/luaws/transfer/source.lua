--- Where the bytes of an upload come from: a file, any range of which the core can send by itself, or
--- something that is read in order (a pipe, a function, an object with a read method).
local core = require("luaws.core")
local errors = require("luaws.errors")

local source = {}

local READ_BYTES = 1024 * 1024

local File = {}
local file_mt = { __name = "luaws.transfer.file", __index = File }

--- A body that is this range of the file, sent no faster than so many bytes a second.
function File:range(first, length, speed)
  return core.file(self._file, self._first + first, length, speed)
end

local Stream = {}
local stream_mt = { __name = "luaws.transfer.stream", __index = Stream }

--- The next n bytes; fewer only at the end.
function Stream:take(n)
  local pieces, have = { self._rest }, #self._rest
  while have < n and not self._ended do
    local piece = self._read(n - have)
    if piece == nil or piece == "" then
      self._ended = true
    elseif type(piece) ~= "string" then
      errors.raise("TypeError", "what is uploaded gave a %s instead of a string", type(piece))
    else
      pieces[#pieces + 1] = piece
      have = have + #piece
    end
  end
  local all = #pieces == 1 and pieces[1] or table.concat(pieces)
  if have <= n then
    self._rest = ""
    return all
  end
  self._rest = all:sub(n + 1)
  return all:sub(1, n)
end

--- These bytes come first again.
function Stream:give_back(bytes)
  self._rest = bytes .. self._rest
end

local function stream(read)
  return setmetatable({ _read = read, _rest = "", _ended = false }, stream_mt)
end

local function io_stream(file)
  return stream(function(n)
    local piece, why = file:read(math.min(n, READ_BYTES))
    if not piece and why then
      errors.raise("IOError", "reading: %s", why)
    end
    return piece
  end)
end

--- Of a file's name. What has no size, such as a pipe, is read as it comes.
---@return table source with `size`, or without one
function source.of_name(name)
  local status, why = core.file_status(name)
  if not status then
    errors.raise("IOError", "%s", why)
  elseif status.kind == "folder" then
    errors.raise("IOError", "%s: Is a directory", name)
  elseif status.kind == "special" then
    local file
    file, why = io.open(name, "rb")
    if not file then
      errors.raise("IOError", "%s", why)
    end
    local made = io_stream(file)
    made.close = function()
      file:close()
    end
    return made
  end
  return setmetatable({ _file = name, _first = 0, size = status.size }, file_mt)
end

local function of_io(file)
  local target_is_regular, at = not core.target(file):in_order(), file:seek()
  if not target_is_regular or not at then
    return io_stream(file)
  end
  local size = file:seek("end")
  file:seek("set", at)
  local made = setmetatable({ _file = file, _first = at, size = math.max(0, size - at) }, file_mt)
  made.close = function()
    file:seek("end")
  end
  return made
end

--- Of an io file (from where it stands), a function that returns chunks, or an object with a read method.
function source.of_object(object)
  if io.type(object) == "file" then
    return of_io(object)
  elseif io.type(object) then
    errors.raise("ValueError", "Fileobj is a closed file")
  elseif type(object) == "function" then
    return stream(object)
  end
  local kind = type(object)
  local has_methods = kind == "table" or kind == "userdata" and (getmetatable(object) or {}).__index
  local read = has_methods and object.read
  if not read then
    errors.raise("ValueError", "Fileobj must implement read")
  end
  return stream(function(n)
    return read(object, n)
  end)
end

return source
