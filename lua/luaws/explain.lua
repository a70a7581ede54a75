--- What a session goes by, and why: every setting with its source, and how the search for credentials went.
---
---     print(session:explain())
local explain = {}

local Explanation = {}
local explanation_mt = { __name = "luaws.explanation", __index = Explanation }

--- The end of an access key, as much as is shown of it.
local function masked(text)
  return text and ("*"):rep(16) .. text:sub(-4)
end

local function describe_source(setting)
  if setting.source == "variable" then
    return setting.variable
  elseif setting.source == "file" then
    return ("%s:%d"):format(setting.path, setting.line)
  end
  return setting.source
end

--- Settings may hold passwords only as part of a URL.
local function without_password(value)
  if type(value) == "string" then
    return (value:gsub("(%a[%w+.-]*://[^/@:]*):[^/@]*@", "%1:****@"))
  elseif type(value) == "table" then
    local copy = {}
    for key, item in pairs(value) do
      copy[key] = without_password(item)
    end
    return copy
  end
  return value
end

local function settings(core)
  local all = core:settings()
  local endpoint = core:endpoint_setting("")
  endpoint.name = "endpoint_url"
  all[#all + 1] = endpoint
  for _, setting in ipairs(all) do
    setting.value = without_password(setting.value)
    setting.from = not setting.error and describe_source(setting) or nil
    all[setting.name] = setting
  end
  return all
end

local function credentials(session)
  local ok, found = pcall(session.get_credentials, session)
  local result = { providers = session._core:provider_notes() }
  if not ok then
    result.error = found
  elseif found then
    result.method, result.account_id = found.method, found.account_id
    result.access_key = masked(found.access_key)
    result.secret_key, result.token = masked(""), found.token and masked("")
    result.expiry = found.expiry
  end
  local asked = {}
  for _, provider in ipairs(result.providers) do
    asked[provider.name] = true
  end
  for _, name in ipairs(session._core:providers()) do
    if not asked[name] then
      result.providers[#result.providers + 1] = { name = name, answer = "not asked" }
    end
  end
  return result
end

--- Explains a session. Looks for its credentials when that was not done yet.
---@param session table
---@return table explanation `profile_name`; `settings`, a sequence (also by name) of `name`, `value`,
---  `source` ("argument", "variable", "file", "default", "not set"), `from` (variable, or file and line), or
---  `error`; `credentials` with `method`, `access_key` and the like (masked) or `error`, and `providers`, a
---  sequence of `name`, `answer` ("found", "passed", "failed", "not asked"), `why`. Printed, it is a page to
---  read
function explain.session(session)
  return setmetatable({
    profile_name = session._core:profile_name(),
    settings = settings(session._core),
    credentials = credentials(session),
  }, explanation_mt)
end

local function shown(value)
  if type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = key .. " = " .. shown(item)
  end
  table.sort(parts)
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function add_settings(lines, all, wanted)
  for _, setting in ipairs(all) do
    local said = setting.source == "argument" or setting.source == "variable" or setting.source == "file"
    if setting.error then
      lines[#lines + 1] = wanted and ("  %-36s ! %s"):format(setting.name, setting.error) or nil
    elseif said == wanted and setting.source ~= "not set" then
      lines[#lines + 1] = ("  %-36s %-28s %s"):format(setting.name, shown(setting.value), setting.from)
    end
  end
end

local MARKS = { found = "+", passed = "-", failed = "!", ["not asked"] = " " }

local function add_credentials(lines, c)
  for _, provider in ipairs(c.providers) do
    local why = provider.why and ": " .. provider.why or ""
    lines[#lines + 1] = ("  %s %-30s %s%s"):format(MARKS[provider.answer], provider.name, provider.answer,
      why)
  end
  if c.error then
    lines[#lines + 1] = "  there are none: " .. tostring(c.error)
  elseif not c.method then
    lines[#lines + 1] = "  there are none"
  else
    local ends = c.expiry and os.date("!, until %Y-%m-%dT%H:%M:%SZ", math.tointeger(c.expiry // 1)) or ""
    lines[#lines + 1] = ("  %s from %s%s%s"):format(c.access_key, c.method,
      c.account_id and ", account " .. c.account_id or "", ends)
  end
end

function explanation_mt:__tostring()
  local lines = { "profile: " .. self.profile_name, "settings:" }
  add_settings(lines, self.settings, true)
  lines[#lines + 1] = "settings left at their default:"
  add_settings(lines, self.settings, false)
  lines[#lines + 1] = "credentials:"
  add_credentials(lines, self.credentials)
  return table.concat(lines, "\n")
end

return explain
