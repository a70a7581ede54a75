--- Mechanical Turk: methods that once had other names.
local method_alias = require("luaws.service.parameter").method_alias

local mturk = {}

function mturk.register(emitter)
  emitter:register("getattr.mturk.list_hi_ts_for_qualification_type",
    method_alias("list_hits_for_qualification_type"))
end

return mturk
