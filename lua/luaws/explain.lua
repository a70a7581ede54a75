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

--- The URLs of services that are not that of all of them, from variables or a `services` section.
local function service_endpoints(session, general, add)
  for _, name in ipairs(session:get_available_services()) do
    local endpoint = session._core:endpoint_setting(name)
    if endpoint.error ~= general.error or endpoint.value ~= general.value then
      endpoint.name = "endpoint_url." .. name
      add(endpoint)
    end
  end
end

local function settings(session)
  local all = session._core:settings()
  local ignored = false
  local function add(setting)
    all[#all + 1] = setting
  end
  for _, setting in ipairs(all) do
    ignored = ignored or setting.name == "ignore_configured_endpoint_urls" and setting.value == true
  end
  local count = #all
  local endpoint = session._core:endpoint_setting("")
  endpoint.name = "endpoint_url"
  add(endpoint)
  service_endpoints(session, endpoint, add)
  for i, setting in ipairs(all) do
    setting.value = without_password(setting.value)
    setting.from = not setting.error and describe_source(setting) or nil
    setting.ignored = i > count and setting.value and ignored or nil
    all[setting.name] = setting
  end
  return all
end

local function credentials(session)
  local core = session._core
  local ok, found = pcall(core.credentials, core)
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
  for _, name in ipairs(session._core:providers("credentials")) do
    if not asked[name] then
      result.providers[#result.providers + 1] = { name = name, answer = "not asked" }
    end
  end
  return result
end

--- Explains a session. Looks for its credentials when that was not done yet.
---@param session table
---@return table explanation `profile_name`; `files`, a sequence of `path` and `found`; `error`, what is wrong
---  with files or profile; `settings`, a sequence (also by name) of `name`, `value`, `source` ("argument",
---  "variable", "file", "default", "not set"), `from` (variable, or file and line), or `error`, with
---  `endpoint_url` and, for services with one of their own, `endpoint_url.s3`; `credentials` with
---  `method`, `access_key` and the like (masked) or `error`, and `providers`, a
---  sequence of `name`, `answer` ("found", "passed", "failed", "not asked"), `why`. Printed, it is a page to
---  read
function explain.session(session)
  local files, wrong = session._core:files()
  return setmetatable({
    profile_name = session._core:profile_name(),
    files = files,
    error = wrong,
    settings = settings(session),
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

-- What is wrong with the files is said once, and not of each setting.
local function add_settings(lines, all, wanted, known_error)
  for _, setting in ipairs(all) do
    local said = setting.source == "argument" or setting.source == "variable" or setting.source == "file"
    if setting.error then
      local new = wanted and setting.error ~= known_error
      lines[#lines + 1] = new and ("  %-36s ! %s"):format(setting.name, setting.error) or nil
    elseif said == wanted and setting.source ~= "not set" then
      local ignored = setting.ignored and " (ignored: ignore_configured_endpoint_urls)" or ""
      lines[#lines + 1] = ("  %-36s %-28s %s%s"):format(setting.name, shown(setting.value), setting.from,
        ignored)
    end
  end
end

local function add_files(lines, explanation)
  for _, file in ipairs(explanation.files or {}) do
    lines[#lines + 1] = ("  %s%s"):format(file.path, file.found and "" or " (not there)")
  end
  lines[#lines + 1] = explanation.error and "  ! " .. explanation.error or nil
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
  local lines = { "profile: " .. self.profile_name, "files:" }
  add_files(lines, self)
  lines[#lines + 1] = "settings:"
  add_settings(lines, self.settings, true, self.error)
  lines[#lines + 1] = "settings left at their default:"
  add_settings(lines, self.settings, false)
  lines[#lines + 1] = "credentials:"
  add_credentials(lines, self.credentials)
  return table.concat(lines, "\n")
end

return explain
