--- What in an explanation is worth a look: what is set but cannot be meant so, or is missing.
---
---     hints(session, explanation)  --> { "\"regin\" (/home/me/.aws/config:2) means nothing: …", … }
local core = require("luaws.core")
local errors = require("luaws.errors")
local nearest = require("luaws.nearest")

-- Keys of a profile that are no settings, those of the AWS CLI among them.
local OTHERS = {
  "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token", "aws_account_id",
  "role_arn", "source_profile", "credential_source", "external_id", "mfa_serial", "role_session_name",
  "duration_seconds", "web_identity_token_file", "sso_session", "sso_account_id", "sso_role_name",
  "sso_start_url", "sso_region", "sso_registration_scopes", "login_session", "credential_process", "services",
  "endpoint_url", "output", "cli_pager", "cli_timestamp_format", "cli_follow_urlparam", "cli_binary_format",
  "cli_history", "cli_auto_prompt", "cli_help_output",
}
-- What is written in place of another key, and is no mere slip.
local MEANT = {
  aws_region = "region", default_region = "region", aws_default_region = "region",
  aws_access_key = "aws_access_key_id", access_key_id = "aws_access_key_id",
  aws_secret_key = "aws_secret_access_key", secret_access_key = "aws_secret_access_key",
  session_token = "aws_session_token", profile = "source_profile",
}
local MAX_SLIPS, SHORT = 2, 5 -- of a key with fewer letters than that, one slip

-- Sets of keys, by the block that they stand in; "" has those of the profile itself.
local function known_keys()
  local known = { [""] = {} }
  local function add(block, key)
    known[block] = known[block] or {}
    if key then
      known[block][key] = true
    end
  end
  for _, row in ipairs(core.settings_table()) do
    add(row.block or "", row.file_key)
    add("", row.profile_key)
  end
  for _, key in ipairs(OTHERS) do
    add("", key)
  end
  return known
end

--- The known key that one was meant to be; nil for what is nobody's here, as other tools have theirs.
local function meant(entry, known)
  local other = not entry.block and MEANT[entry.key]
  local slips = #entry.key < SHORT and 1 or MAX_SLIPS
  local best, away = other or nil, slips + 1
  for name in pairs(known) do
    local distance = nearest.distance(entry.key, name, slips)
    if not other and (distance < away or distance == away and best and name < best) then
      best, away = name, distance
    end
  end
  return best
end

local function add_keys(hints, entries)
  local all = known_keys()
  for _, entry in ipairs(entries) do
    local known = all[entry.block or ""] or {}
    local where = ("%q (%s:%d)"):format(entry.key, entry.path, entry.line)
    local text = entry.key ~= "credential_process" and entry.text or ""
    local right = not known[entry.key] and meant(entry, known)
    if right then
      hints[#hints + 1] = ("%s means nothing: did you mean %q?"):format(where, right)
    elseif known[entry.key] and text:find("^([\"']).*%1$") then
      hints[#hints + 1] = where .. " has its value in quotation marks, which are taken for a part of it"
    elseif known[entry.key] and text:find("%s[#;]") then
      hints[#hints + 1] = where .. " has something behind its value, which is taken for a part of it: a "
        .. "comment needs a line of its own"
    end
  end
end

local function add_found_keys(hints, session, method)
  local ok, found = pcall(session._core.credentials, session._core)
  for _, field in ipairs{ "access_key", "secret_key", "token" } do
    local text = ok and found and found[field] or ""
    if text:find("^[\"'%s]") or text:find("[\"'%s]$") then
      hints[#hints + 1] = ("the %s from %s begins or ends with a blank, a line break or a quotation mark, as "
        .. "no key of AWS does"):format(field, method)
    end
  end
end

-- Values that go wrong only when there is a client. The metadata service is not asked for one.
local function add_client(hints, session, settings)
  local auto = tostring(settings.defaults_mode.value):lower() == "auto"
  local ok, made = pcall(session.client, session, "sts", { region_name = settings.region.value or "us-east-1",
    config = auto and { defaults_mode = "standard" } or nil })
  if ok then
    made:close()
  else
    hints[#hints + 1] = "no client can be made: " .. errors.shown(made)
  end
end

--- All there is to say, in the order of the page.
---@param session table
---@param explanation table with profile_name, error, settings and credentials
---@return string[]
local function hints(session, explanation)
  local found, settings, credentials = {}, explanation.settings, explanation.credentials
  if explanation.error then
    return found
  end
  if not settings.region.value or settings.region.value == "" then
    found[#found + 1] = ("there is no region, without which most clients cannot be made: set AWS_REGION, "
      .. "region in the profile %q, or region_name in code"):format(explanation.profile_name)
  end
  add_keys(found, session._core:profile_entries())
  if credentials.method == "env" and settings.profile.source == "variable" then
    found[#found + 1] = ("the keys in the environment go before those of the profile in %s: unset "
      .. "AWS_ACCESS_KEY_ID, or name the profile in code or with --profile"):format(settings.profile.variable)
  end
  if credentials.method then
    add_found_keys(found, session, credentials.method)
  end
  add_client(found, session, settings)
  return found
end

return hints
