--- Neptune: copies from other regions.
local copy_from_region = require("luaws.service.form").copy_from_region

local neptune = {}

function neptune.register(emitter)
  emitter:register("before-call.neptune.CopyDBClusterSnapshot", copy_from_region)
  emitter:register("before-call.neptune.CreateDBCluster", copy_from_region)
end

return neptune
