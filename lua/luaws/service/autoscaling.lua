--- Auto Scaling: user data is sent in base64.
local autoscaling = {}

function autoscaling.register(emitter)
  emitter:register("before-parameter-build.auto-scaling.CreateLaunchConfiguration",
    require("luaws.service.parameter").base64("UserData"))
end

return autoscaling
