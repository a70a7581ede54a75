--- CloudWatch: methods that once had other names.
local method_alias = require("luaws.service.parameter").method_alias

local cloudwatch = {}

function cloudwatch.register(emitter)
  emitter:register("getattr.cloudwatch.get_o_tel_enrichment",
    method_alias("get_otel_enrichment"))
  emitter:register("getattr.cloudwatch.start_o_tel_enrichment",
    method_alias("start_otel_enrichment"))
  emitter:register("getattr.cloudwatch.stop_o_tel_enrichment",
    method_alias("stop_otel_enrichment"))
end

return cloudwatch
