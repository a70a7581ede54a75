-- luaws bench/transfers.lua WHAT URL BUCKET FILE-OR-FOLDER [CA]: luaws' side of the benchmark of transfers.
local what, url, bucket, path, ca = table.unpack(arg)
local aws = require "luaws"
local s3 = aws.resource("s3", {
  endpoint_url = url, verify = ca, config = { s3 = { addressing_style = "path" } },
})
local target = s3:Bucket(bucket)

local RUN = {
  up = function()
    target:upload_file(path, "big")
  end,
  down = function()
    target:download_file("big", path)
  end,
  pipe = function()
    target:upload_fileobj(io.stdin, "big")
  end,
  many_up = function()
    target:upload_dir(path, { Prefix = "small" })
  end,
  many_down = function()
    target:download_dir(path, { Prefix = "small" })
  end,
}
RUN[what]()
