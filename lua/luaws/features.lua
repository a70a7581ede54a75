--- Which helper of luaws makes the calls under way: their User-Agents tell it (see base/feature.h).
local core = require("luaws.core")

local features = {}

local function finish(before, ok, ...)
  core.features(before)
  if not ok then
    error((...), 0)
  end
  return ...
end

--- Calls fn(...). The calls that it makes, also in tasks that it spawns, tell of the feature.
---@param feature string "waiter", "paginator" or "s3_transfer"
---@param fn function
---@return any what fn returns
function features.during(feature, fn, ...)
  return finish(core.features(feature), pcall(fn, ...))
end

return features
