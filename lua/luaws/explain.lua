--- What a session goes by, and why: every setting with its source, and how the search for credentials went.
---
---     print(session:explain())
local errors = require("luaws.errors")

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

--- Settings may hold passwords only as part of a URL: up to its last "@", as one that nobody has encoded may
--- hold anything.
local function without_password(value)
  if type(value) == "string" then
    return (value:gsub("(://[^/@:%s]*):%S*@", "%1:****@"):gsub("://[^/@:%s]+@", "://****@"))
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

-- Options of a client that are settings by another name.
local SETTING_OF = {
  region_name = "region", ["retries.mode"] = "retry_mode", ["retries.total_max_attempts"] = "max_attempts",
  inject_host_prefix = "disable_host_prefix_injection",
}

-- Somebody said so.
local SAID = { argument = true, variable = true, file = true }

-- Does a config table say what `name` is?
local function says(config, name)
  local block, key = name:match("^([%w_]+)%.(.*)$")
  if not block then
    return config[name] ~= nil
  end
  local inner = config[block] or {}
  return inner[key] ~= nil or key == "total_max_attempts" and inner.max_attempts ~= nil
end

-- One option of a client: its value, and where that comes from.
local function add_option(rows, name, value, configs, all)
  local setting = all[SETTING_OF[name] or name]
  local row = { name = name, value = without_password(value), source = "default" }
  if setting and SAID[setting.source] then
    row.source, row.variable = setting.source, setting.variable
    row.path, row.line = setting.path, setting.line
  end
  for _, config in ipairs(configs) do
    if says(config, name) then
      row.source, row.variable, row.path, row.line = "argument", nil, nil, nil
    end
  end
  row.from = describe_source(row)
  rows[#rows + 1] = row
  rows[name] = row
end

local BLOCKS = { retries = true, s3 = true, proxies_config = true }

local function sorted_keys(map)
  local names = {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function add_endpoint(rows, made, opts, all)
  local row = { name = "endpoint_url", value = without_password(made.meta.endpoint_url),
    source = "endpoint rules" }
  local configured = all["endpoint_url." .. made.meta.service_name] or all.endpoint_url
  if opts.endpoint_url then
    row.source = "argument"
  elseif configured.value and not made.meta.config.ignore_configured_endpoint_urls then
    row.source, row.variable = configured.source, configured.variable
    row.path, row.line = configured.path, configured.line
  end
  row.from = describe_source(row)
  rows[#rows + 1] = row
  rows.endpoint_url = row
end

--- What a client that is made with these options goes by.
local function client(session, service, opts, all)
  opts = opts or {}
  local ok, made = pcall(session.client, session, service, opts)
  if not ok then
    return { service_name = service, error = made }
  end
  local configs = { opts.config or {}, session:get_default_client_config() or {},
    { region_name = opts.region_name } }
  local rows, config = {}, made.meta.config
  for _, name in ipairs(sorted_keys(config)) do
    if BLOCKS[name] then
      for _, key in ipairs(sorted_keys(config[name])) do
        add_option(rows, name .. "." .. key, config[name][key], configs, all)
      end
    else
      add_option(rows, name, config[name], configs, all)
    end
  end
  add_endpoint(rows, made, opts, all)
  made:close()
  return { service_name = service, options = rows }
end

--- Explains a session. Looks for its credentials when that was not done yet.
---@param session table
---@param service string|nil also explain a client of it, made with these options: `client`, with `options`,
---  a sequence (also by name) of what `settings` has, or `error`
---@param opts table|nil as for session:client
---@return table explanation `profile_name`; `files`, a sequence of `path`, `found` and `error` (it cannot be
---  read); `error`, what is wrong with files or profile; `hints`, a sequence of texts: what cannot be meant
---  as it is, or is missing; `settings`, a sequence (also by name) of `name`, `value`, `source` ("argument",
---  "variable", "file", "default", "not set"), `from` (variable, or file and line), or `error`, with
---  `endpoint_url` and, for services with one of their own, `endpoint_url.s3`; `credentials` with
---  `method`, `access_key` and the like (masked) or `error`, and `providers`, a
---  sequence of `name`, `answer` ("found", "passed", "failed", "not asked"), `why`. Printed, it is a page to
---  read
function explain.session(session, service, opts)
  local files, wrong = session._core:files()
  local all = settings(session)
  local explanation = {
    profile_name = session._core:profile_name(),
    files = files,
    error = wrong,
    settings = all,
    client = service and client(session, service, opts, all) or nil,
    credentials = credentials(session),
  }
  explanation.hints = require("luaws.explain_hints")(session, explanation)
  return setmetatable(explanation, explanation_mt)
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
    local said = SAID[setting.source] or false
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
    local state = file.error and (" (cannot be read: %s)"):format(file.error)
      or file.found and "" or " (not there)"
    lines[#lines + 1] = ("  %s%s"):format(file.path, state)
  end
  lines[#lines + 1] = explanation.error and "  ! " .. explanation.error or nil
end

local MARKS = { found = "+", passed = "-", failed = "!" }

-- Errors may have several lines.
local function indented(text)
  return (errors.shown(text):gsub("\n", "\n    "))
end

local function add_credentials(lines, c, known_error)
  local not_asked, failed = {}, nil
  for _, provider in ipairs(c.providers) do
    if MARKS[provider.answer] then
      local why = provider.why and ": " .. indented(provider.why) or ""
      lines[#lines + 1] = ("  %s %-30s %s%s"):format(MARKS[provider.answer], provider.name, provider.answer,
        why)
    else
      not_asked[#not_asked + 1] = provider.name
    end
    failed = provider.answer == "failed" and provider or failed
  end
  if #not_asked > 0 then
    lines[#lines + 1] = "    not asked: " .. table.concat(not_asked, ", ")
  end
  if failed and c.error and errors.shown(c.error) == failed.why then
    lines[#lines + 1] = ("  there are none, as %s failed"):format(failed.name)
  elseif c.error and errors.shown(c.error) == known_error then
    lines[#lines + 1] = "  there are none, see above"
  elseif c.error then
    lines[#lines + 1] = "  there are none: " .. indented(c.error)
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
  if self.client then
    lines[#lines + 1] = ("client of %s:"):format(self.client.service_name)
    lines[#lines + 1] = self.client.error and "  ! " .. indented(self.client.error) or nil
    for _, option in ipairs(self.client.options or {}) do
      lines[#lines + 1] = ("  %-36s %-28s %s"):format(option.name, shown(option.value), option.from)
    end
  end
  lines[#lines + 1] = "credentials:"
  add_credentials(lines, self.credentials, self.error)
  lines[#lines + 1] = self.hints[1] and "worth a look:"
  for _, hint in ipairs(self.hints) do
    lines[#lines + 1] = "  ! " .. indented(hint)
  end
  return table.concat(lines, "\n")
end

return explain
