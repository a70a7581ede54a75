-- moto's server, a throw-away AWS: started when this is first required, one per process, and gone with it.
--
--   local moto = require("spec.support.moto")
--   local s3 = aws.client("s3", { endpoint_url = moto.url, region_name = "us-east-1", ... })
--   before_each(moto.reset)
local child = require("spec.support.child")

local port, handle = child.start({ "python3", "spec/support/moto_server.py" }, "moto's server")
local moto = {
  port = math.tointeger(tonumber(port)),
  url = "http://127.0.0.1:" .. port,
  _handle = handle,
}

--- Forgets every resource of every service.
function moto.reset()
  child.post(moto.port, "/moto-api/reset")
end

return moto
