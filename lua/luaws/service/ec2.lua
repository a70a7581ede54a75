--- EC2: user data and console output in base64, snapshots from other regions, Filters for Filter.
local core = require("luaws.core")
local form = require("luaws.service.form")
local parameter = require("luaws.service.parameter")

local ec2 = {}

local function replace_bad_utf8(bytes)
  local pieces, start = {}, 1
  while true do
    local good, bad = utf8.len(bytes, start)
    pieces[#pieces + 1] = bytes:sub(start, good and -1 or bad - 1)
    if good then
      return table.concat(pieces)
    end
    pieces[#pieces + 1] = "\u{FFFD}"
    start = bad + 1
  end
end

-- Consoles print what they like: what is no UTF-8 is replaced.
local function decode_output(event)
  local output = event.parsed.Output
  local bytes = type(output) == "string" and core.base64_decode((output:gsub("[^%w+/=]", "")))
  if bytes then
    event.parsed.Output = replace_bad_utf8(bytes)
  end
end

local function copy_snapshot(event)
  local body = event.request.body
  local source = form.get(body, "SourceRegion")
  if form.get(body, "PresignedUrl") or not source then
    return
  end
  local url = form.presigned_url(event, source)
  body = form.with(form.without(body, "DestinationRegion"), "DestinationRegion",
    event.request_signer.region_name)
  event.request.body = form.with(body, "PresignedUrl", url)
end

function ec2.register(emitter)
  emitter:register_first("before-parameter-build.ec2.*", parameter.alias("Filter", "Filters"))
  emitter:register("before-parameter-build.ec2.RunInstances", parameter.base64("UserData"))
  emitter:register("before-call.ec2.CopySnapshot", copy_snapshot)
  emitter:register("after-call.ec2.GetConsoleOutput", decode_output)
end

return ec2
