--- The documentation of a client's service: that of the last service asked about stays unpacked.
local core = require("luaws.core")

local docs = {}

local opened = {}

--- Its documentation, with the methods service(), operation(name), shape(name) and member(shape, name), which
--- return HTML or nil; nil for models that have none.
---@param client userdata
---@return userdata|nil
function docs.of(client)
  local info = core.client_info(client)
  if opened.service ~= info.service_name or opened.version ~= info.api_version then
    opened = { service = info.service_name, version = info.api_version,
      docs = core.docs(info.service_name, info.api_version) }
  end
  return opened.docs
end

--- The names that a documented list explains: of "<ul><li><code>vpc-id</code> - The ID …" those in code, as
--- far as they are the same for everybody ("tag:" of "tag:<key>").
---@param html string|nil
---@return table
function docs.listed_names(html)
  local names = {}
  for name in (html or ""):gmatch("<li>%s*<p>%s*<code>([^<]+)</code>") do
    names[#names + 1] = name:match("^(.-)&lt;") or name
  end
  return names
end

return docs
