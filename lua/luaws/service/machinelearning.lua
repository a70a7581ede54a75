--- Machine Learning: predictions are asked of an endpoint of their own.
local errors = require("luaws.errors")

local machinelearning = {}

local function switch_host(event)
  local body = event.request.body or ""
  local ok, params = pcall(require("cjson").decode, body)
  local host = ok and params.PredictEndpoint
  if host then
    local start = tostring(host):match("^%a+://[^/?]+")
    if not start then
      errors.raise("ValueError", "Invalid endpoint: %s", tostring(host))
    end
    event.request.url = start .. event.request.url:match("^%a+://[^/?]*(.*)$")
  end
end

function machinelearning.register(emitter)
  emitter:register("request-created.machine-learning.Predict", switch_host)
end

return machinelearning
