--- Requests whose body is a form, and URLs that are signed for another region: what services share that take
--- snapshots and databases from one region to another.
local core = require("luaws.core")

local form = {}

--- The decoded value of a field, or nil.
---@param body string
---@param name string
function form.get(body, name)
  local value = ("&" .. body):match("&" .. name .. "=([^&]*)")
  return value and core.percent_decode((value:gsub("+", " ")))
end

--- The form without a field.
function form.without(body, name)
  local rest = ("&" .. body):gsub("&" .. name .. "=[^&]*", "")
  return rest:sub(2)
end

--- The form with one more field.
function form.with(body, name, value)
  return body .. "&" .. name .. "=" .. core.percent_encode(value)
end

--- The URL of the same call in another region, signed there.
---@param event table of before-call
---@param source string the other region
---@return string
function form.presigned_url(event, source)
  local request, signer = event.request, event.request_signer
  local here = signer.region_name
  local plain = here:gsub("%p", "%%%0")
  return signer:generate_presigned_url({ url = request.url:gsub(plain, source), context = event.context,
    body = form.with(form.without(request.body, "DestinationRegion"), "DestinationRegion", here) },
    event.operation_name, { region_name = source })
end

--- A handler of before-call that gives RDS, and what speaks like it, the URL for a copy from another region.
function form.copy_from_region(event)
  local body = event.request.body
  local source = form.get(body, "SourceRegion")
  if not source then
    return
  end
  -- No part of the API: it only tells where to sign.
  body = form.without(body, "SourceRegion")
  event.request.body = body
  if not form.get(body, "PreSignedUrl") then
    local url = form.presigned_url(event, source)
    event.request.body = form.with(body, "PreSignedUrl", url)
  end
end

return form
