--- Where the bytes of an upload come from: a file, any range of which the core can send by itself, or
--- something that is read in order (a pipe, a function, an object with a read method).
local core = require("luaws.core")
local errors = require("luaws.errors")

local source = {}

local File = {}
local file_mt = { __name = "luaws.transfer.file", __index = File }

--- A body that is this range of the file, sent no faster than so many bytes a second.
function File:range(first, length, speed)
  return core.file(self._file, self._first + first, length, speed)
end

local Stream = {}
local stream_mt = { __name = "luaws.transfer.stream", __index = Stream }

--- The next n bytes in a piece, whoever gets it closes it; fewer only at the end.
---@param n integer
---@param speed integer|nil bytes a second, when it is sent
function Stream:take(n, speed)
  local piece = core.piece(n, speed)
  local held = self._held
  if held then
    self._at = self._at + piece:add(held, self._at)
    if self._at < #held then
      return piece
    end
    held:close()
    self._held = nil
  end
  while #piece < n and not self._ended do
    self:_more(piece, n - #piece)
  end
  return piece
end

--- The bytes of this piece come first again.
function Stream:give_back(piece)
  self._held, self._at = piece, 0
end

-- What is asked of an object at once: what it gives is a string, and is collected when Lua gets to it.
local ASK_BYTES = 256 * 1024

-- A piece of what an object or a function gives; nil and why is how Lua says that reading failed.
local function check_chunk(chunk, why)
  if not chunk and why ~= nil then
    errors.raise("IOError", "what is uploaded could not be read: %s", tostring(why))
  elseif chunk and type(chunk) ~= "string" then
    errors.raise("TypeError", "what is uploaded gave a %s instead of a string", type(chunk))
  end
  return chunk or ""
end

-- Sources that give strings: `read` takes how many bytes are wanted, and may give others.
local function of_strings(read)
  local rest, at = "", 0
  return setmetatable({
    _more = function(self, piece, wanted)
      if at == #rest then
        rest, at = check_chunk(read(math.min(wanted, ASK_BYTES))), 0
        self._ended = rest == ""
      end
      at = at + piece:add(rest, at)
    end,
  }, stream_mt)
end

-- An io file, or what has this name, that is read through the event loop.
local function io_stream(file)
  local reader, why = core.reader(file)
  if not reader then
    errors.raise("IOError", "%s", why)
  end
  return setmetatable({
    _more = function(self, piece)
      self._ended = not piece:fill(reader)
    end,
    close = function()
      reader:close()
    end,
  }, stream_mt)
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
    return io_stream(name)
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
    if not core.io_modes(object) then
      errors.raise("ValueError", "Fileobj is not open for reading")
    end
    return of_io(object)
  elseif io.type(object) then
    errors.raise("ValueError", "Fileobj is a closed file")
  elseif type(object) == "function" then
    return of_strings(object)
  end
  local kind = type(object)
  local has_methods = kind == "table" or kind == "userdata" and (getmetatable(object) or {}).__index
  local read = has_methods and object.read
  if not read then
    errors.raise("ValueError", "Fileobj must implement read")
  end
  return of_strings(function(n)
    return read(object, n)
  end)
end

return source
