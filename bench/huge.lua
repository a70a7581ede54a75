-- huge.lua URL WHAT PATH: moves one object, the way that bench/huge.py measures.
local aws = require("luaws")
local url, what, path = ...
local s3 = aws.client("s3", { endpoint_url = url, config = { s3 = { addressing_style = "path" } } })

if what == "up" then
  s3:upload_file(path, "bucket", "key")
elseif what == "down" then
  local sink <close> = assert(io.open("/dev/null", "wb"))
  s3:download_fileobj("bucket", "key", sink)
else
  s3:download_fileobj("bucket", "key", io.stdout)
end
