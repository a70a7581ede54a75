-- moto's server, a throw-away AWS: started when this is first required, one per process, and gone with it.
--
--   local moto = require("spec.support.moto")
--   local s3 = aws.client("s3", { endpoint_url = moto.url, region_name = "us-east-1", ... })
--   before_each(moto.reset)
local child = require("spec.support.child")

--- The python that has moto: scripts/setup wrote its path down.
local function python()
  local folder = os.getenv("LUAWS_BUILD") or "build"
  local file = io.open(folder .. "/moto-python") or io.open("build/moto-python")
  if not file then
    return "python3"
  end
  local path = file:read("l")
  file:close()
  return path
end

local moto_python = python()
local port, handle = child.start({ moto_python, "spec/support/moto_server.py" }, "moto's server")
local moto = {
  port = math.tointeger(tonumber(port)),
  url = "http://127.0.0.1:" .. port,
  python = moto_python,
  _handle = handle,
}

--- Forgets every resource of every service.
function moto.reset()
  child.post(moto.port, "/moto-api/reset")
end

return moto
