--- CloudWatch Logs: `from` may be called fromTime.
local logs = {}

function logs.register(emitter)
  emitter:register_first("before-parameter-build.cloudwatch-logs.CreateExportTask",
    require("luaws.service.parameter").alias("from", "fromTime"))
end

return logs
