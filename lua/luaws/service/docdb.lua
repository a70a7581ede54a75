--- DocumentDB: copies from other regions.
local copy_from_region = require("luaws.service.form").copy_from_region

local docdb = {}

function docdb.register(emitter)
  emitter:register("before-call.docdb.CopyDBClusterSnapshot", copy_from_region)
  emitter:register("before-call.docdb.CreateDBCluster", copy_from_region)
end

return docdb
