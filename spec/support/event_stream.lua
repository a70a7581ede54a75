-- Writes event streams: the messages that a service sends, byte by byte.
--
--   local frames = require("spec.support.event_stream")
--   local body = frames.event("Records", "a,b\n") .. frames.event("End")
local frames = {}

local crc_table = {}
for i = 0, 255 do
  local crc = i
  for _ = 1, 8 do
    crc = crc & 1 == 1 and crc >> 1 ~ 0xEDB88320 or crc >> 1
  end
  crc_table[i] = crc
end

--- The CRC-32 of a text.
---@param text string
---@return integer
function frames.crc32(text)
  local crc = 0xFFFFFFFF
  for i = 1, #text do
    crc = crc >> 8 ~ crc_table[(crc ~ text:byte(i)) & 0xFF]
  end
  return crc ~ 0xFFFFFFFF
end

local FORMATS = { byte = "i1", short = ">i2", integer = ">i4", long = ">i8", bytes = ">s2", string = ">s2",
  timestamp = ">i8", uuid = "c16" }
local TYPES = { [true] = 0, [false] = 1, byte = 2, short = 3, integer = 4, long = 5, bytes = 6, string = 7,
  timestamp = 8, uuid = 9 }

--- One header: `kind` is true, false, or the name of a type.
---@return string
function frames.header(name, kind, value)
  local text = string.pack("s1B", name, TYPES[kind])
  return FORMATS[kind] and text .. string.pack(FORMATS[kind], value) or text
end

--- One message of headers, as `frames.header` makes them, and a payload.
---@param headers string
---@param payload? string
---@return string
function frames.message(headers, payload)
  payload = payload or ""
  local prelude = string.pack(">I4I4", 16 + #headers + #payload, #headers)
  local text = prelude .. string.pack(">I4", frames.crc32(prelude)) .. headers .. payload
  return text .. string.pack(">I4", frames.crc32(text))
end

local function typed(kind, name_header, name, payload, more)
  return frames.message(frames.header(":message-type", "string", kind)
    .. frames.header(name_header, "string", name) .. (more or ""), payload)
end

--- An event of that name.
function frames.event(name, payload, more)
  return typed("event", ":event-type", name, payload, more)
end

--- A modeled exception.
function frames.exception(name, payload)
  return typed("exception", ":exception-type", name, payload)
end

--- An error that no model describes.
function frames.error(code, message)
  return typed("error", ":error-code", code, "", frames.header(":error-message", "string", message))
end

--- All that is left in a stream that a call returned.
function frames.collect(stream)
  local events = {}
  for event in stream:events() do
    events[#events + 1] = event
  end
  return events
end

return frames
