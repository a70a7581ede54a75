-- versitygw, an S3 server that verifies signatures and checksums and keeps its objects in files: started in a
-- folder of its own, gone with this process. scripts/setup builds it where there is Go; without it the suite
-- says so and leaves out the specs that are named after it.
--
--   local gateway = require("spec.support.versitygw").start{ tls = true }
--   local s3 = aws.client("s3", gateway.options)
local child = require("spec.support.child")
local server = require("spec.support.server")

local versitygw = {}

--- Starts one; `options` are those of a client that may do everything there.
---@param options table|nil { tls = true }
---@return table { url, options }
function versitygw.start(options)
  local folder = child.output({ "mktemp", "-d" }):gsub("\n$", "")
  local words = { "python3", "spec/support/versitygw.py", "build/tools/versitygw", folder }
  local ca
  if options and options.tls then
    ca, words[6] = server.make_certificate(folder, "localhost", "DNS:localhost,IP:127.0.0.1")
    words[5] = ca
  end
  local port, handle = child.start(words, "versitygw")
  local url = ("%s://127.0.0.1:%s"):format(ca and "https" or "http", port)
  return { url = url, _handle = handle, options = {
    endpoint_url = url, region_name = "us-east-1", verify = ca,
    aws_access_key_id = "testing", aws_secret_access_key = "testing-secret",
  } }
end

return versitygw
