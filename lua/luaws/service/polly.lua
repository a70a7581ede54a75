--- Polly: the URL of a speech to be fetched later carries the parameters, and no Content-Type.
local core = require("luaws.core")

local polly = {}

local function add(query, name, value)
  if type(value) == "table" then
    for _, item in ipairs(value) do
      add(query, name, item)
    end
  else
    query[#query + 1] = core.percent_encode(name) .. "=" .. core.percent_encode(tostring(value))
  end
end

local function move_to_url(event)
  if not event.is_presign then
    return
  end
  local request, query = event.request, {}
  for name, value in pairs(require("cjson").decode(request.body)) do
    add(query, name, value)
  end
  table.sort(query)
  request.url = request.url .. "?" .. table.concat(query, "&")
  request.body = ""
  request.headers["Content-Type"] = nil
end

function polly.register(emitter)
  emitter:register("before-sign.polly.SynthesizeSpeech", move_to_url)
end

return polly
