--- A Callback for transfers that draws how far they are, where there is somebody to see it.
---
---     s3:upload_file("disk.img", "my-bucket", "disk.img", { Callback = aws.progress("disk.img") })
---
--- One bar may be the Callback of one transfer only.
local core = require("luaws.core")

local UNITS = { "B", "KiB", "MiB", "GiB", "TiB" }
local EVERY_S = 0.1
local MAX_BAR, REST = 30, 52
local CLEAR = "\r\27[K"

local Progress = {}
local progress_mt = { __name = "luaws.progress", __index = Progress }

--- So many bytes for a reader: "1.5 MiB".
local function amount(bytes)
  local unit = 1
  while bytes >= 1024 and unit < #UNITS do
    bytes, unit = bytes / 1024, unit + 1
  end
  return (unit == 1 and "%.0f %s" or "%.1f %s"):format(bytes, UNITS[unit])
end

local function duration(seconds)
  local minutes = seconds // 60
  if minutes >= 60 then
    return ("%d:%02d:%02d"):format(minutes // 60, minutes % 60, seconds % 60 // 1)
  end
  return ("%d:%02d"):format(minutes // 1, seconds % 60 // 1)
end

local function bar(part, width)
  local full = math.floor(part * width)
  return ("[%s%s]"):format(("="):rep(full), (" "):rep(width - full))
end

-- A label may be a key, which may hold anything: what is no text must not reach the terminal.
local function printable(label)
  label = tostring(label):gsub("%c", "?")
  return utf8.len(label) and label or label:gsub("[\x80-\xFF]", "?")
end

-- Its first so many characters.
local function cut(text, columns)
  local stop = utf8.offset(text, columns + 1)
  return stop and text:sub(1, stop - 1) or text
end

-- The line as it is now, shorter than the terminal is wide.
local function line(self, so_far, total, now)
  local seconds = now - self._began
  local speed = seconds > 0 and so_far / seconds or 0
  local label = self._label and self._label .. "  " or ""
  if not total or total == 0 then
    return cut(("%s%s  %s/s"):format(label, amount(so_far), amount(speed)), self._columns - 1)
  end
  local part = math.max(0, math.min(1, so_far / total))
  local rest = ("%3d%%  %s of %s  %s/s  %s"):format(part * 100 // 1, amount(so_far), amount(total),
    amount(speed),
    duration(so_far >= total and seconds or speed > 0 and (total - so_far) / speed or 0))
  local width = math.min(MAX_BAR, self._columns - utf8.len(label) - REST) -- the same all the time
  return cut(label .. (width > 4 and bar(part, width) .. " " or "") .. rest, self._columns - 1)
end

function progress_mt:__call(_, so_far, total)
  if not self._columns or self._ended then
    return
  end
  local now = self._clock()
  self._began = self._began or now
  local whole = total and so_far >= total
  if whole or not self._drawn or now - self._drawn >= EVERY_S then
    self._drawn = now
    self._columns = self._measure() or self._columns -- it may have another size by now
    self._out:write(CLEAR, line(self, so_far, total, now))
    self._out:flush()
  end
  if whole then
    self:finish()
  end
end

--- Ends the line, where a transfer of unknown size or one that failed left it.
function Progress:finish()
  if self._drawn and not self._ended then
    self._out:write("\n")
    self._out:flush()
  end
  self._ended = true
end

progress_mt.__close = Progress.finish

--- Makes one.
---@param label string|nil what stands in front of the bar
---@param opts table|nil { out = io.stderr, columns = a number or a function that measures, clock }, for
---  whoever wants it drawn elsewhere
---@return table callback
return function(label, opts)
  opts = opts or {}
  local out, columns = opts.out or io.stderr, opts.columns
  local measure = type(columns) == "function" and columns or function()
    return columns or io.type(out) == "file" and core.terminal_columns(out) or nil
  end
  return setmetatable({ _label = label and printable(label), _out = out, _columns = measure(),
    _measure = measure, _clock = opts.clock or core.monotonic }, progress_mt)
end
