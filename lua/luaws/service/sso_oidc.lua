--- SSO OIDC: errors follow OAuth, whose message has another name.
local sso_oidc = {}

local function map_error(event)
  local response = event.response_dict
  if response.status_code < 400 then
    return
  end
  local cjson = require("cjson")
  local ok, body = pcall(cjson.decode, response.body)
  if ok and type(body) == "table" and body.error_description and not (body.Message or body.message) then
    body.Message = body.error_description
    response.body = cjson.encode(body)
  end
end

function sso_oidc.register(emitter)
  emitter:register("before-parse.sso-oidc.*", map_error)
end

return sso_oidc
