--- How far a transfer is, for the caller's Callback(bytes since the last call, bytes so far, total or nil).
---
--- What is received or copied is added. What is sent is read by the core without passing here: while
--- files are watched, they are asked now and then how much of them has gone. Bytes that must go again are
--- taken back, so that the sum is the size in the end.
local async = require("luaws.async")
local errors = require("luaws.errors")

local meter = {}

local TICK_S = 0.1

local Meter = {}
local meter_mt = { __name = "luaws.transfer.meter", __index = Meter }

--- A meter; without a callback it costs nothing.
---@param callback function|nil
---@param total integer|nil
function meter.new(callback, total)
  local mt = type(callback) == "table" and getmetatable(callback)
  if callback ~= nil and type(callback) ~= "function" and not (mt and mt.__call) then
    errors.raise("TypeError", "Callback must be a function, not a %s", type(callback))
  end
  return setmetatable({ _callback = callback, total = total, _settled = 0, _told = 0, _files = {} }, meter_mt)
end

--- Tells the callback what is new.
function Meter:tell()
  if not self._callback then
    return
  end
  local now = self._settled
  for file in pairs(self._files) do
    now = now + file:sent()
  end
  local new = now - self._told
  if new ~= 0 then
    self._told = now
    self._callback(new, now, self.total)
  end
end

--- So many bytes more are through; less than none when they have to come again.
function Meter:add(bytes)
  self._settled = self._settled + bytes
  self:tell()
end

--- The bytes of a file count from now on, until it is sent: then it counts as `bytes`.
function Meter:watch(file)
  self._files[file] = true
end

function Meter:sent(file, bytes)
  self._files[file] = nil
  self:add(bytes)
end

local function tick(self)
  while true do
    async.sleep(TICK_S)
    self:tell()
  end
end

--- Runs fn, and the callback beside it. An error of either ends both.
function Meter:during(fn)
  if not self._callback then
    return fn()
  end
  local work, clock = async.spawn(fn), async.spawn(tick, self)
  local _ <close> = setmetatable({}, { __close = function()
    clock:cancel()
    work:cancel()
  end })
  return async.first{ work, clock }:await()
end

return meter
