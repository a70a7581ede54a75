--- API Gateway answers in HAL unless JSON is asked for.
local apigateway = {}

local function accept_json(event)
  local headers = event.request.headers
  headers.Accept = headers.Accept or "application/json"
end

function apigateway.register(emitter)
  emitter:register("before-call.api-gateway", accept_json)
end

return apigateway
