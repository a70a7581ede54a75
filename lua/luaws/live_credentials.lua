--- The credentials of a session as an object that is always up to date. Reading its keys refreshes them when
--- that is due; signing and whoever else needs keys that belong together takes them frozen.
---
---     local credentials = session:get_credentials()
---     credentials.access_key                              -- asks STS now, if it is a role
---     local keys = credentials:get_frozen_credentials()   -- access_key, secret_key, token of one moment
local methods = require("luaws.methods")

local live_credentials = {}

local KEYS = { access_key = true, secret_key = true, token = true, account_id = true, expiry = true }
local TOKEN_KEYS = { token = "token", expiration = "expiry" }

-- object → the core's session; not a field, which whoever looks at the object would see
local sessions = setmetatable({}, { __mode = "k" })

local frozen_mt = { __name = "luaws.frozen_credentials" }
function frozen_mt.__tostring()
  return "Credentials(frozen)"
end

local Live = {}
local live_mt = { __name = "luaws.credentials" }

function live_mt:__index(name)
  if not KEYS[name] then
    return Live[name]
  end
  local now = sessions[self]:credentials()
  return now and now[name]
end

function live_mt:__tostring()
  return ("Credentials(method='%s')"):format(self.method)
end

--- The keys of one moment, which do not change any more.
---@return table access_key, secret_key, token, account_id
function Live:get_frozen_credentials()
  local now = sessions[self]:credentials() or {}
  return setmetatable({ access_key = now.access_key, secret_key = now.secret_key, token = now.token,
    account_id = now.account_id }, frozen_mt)
end

methods.all("credentials", live_mt, Live, KEYS)

--- Makes the object.
---@param session userdata the core's session
---@param method string whose they are: the name of their provider
---@return table `method`; `access_key`, `secret_key`, `token`, `account_id`, `expiry` as they are when read
function live_credentials.new(session, method)
  local self = setmetatable({ method = method }, live_mt)
  sessions[self] = session
  return self
end

-- ---- tokens ----

local Token = {}
local token_mt = { __name = "luaws.auth_token" }

function token_mt:__index(name)
  if not TOKEN_KEYS[name] then
    return Token[name]
  end
  local now = sessions[self]:auth_token()
  return now and now[TOKEN_KEYS[name]]
end

function token_mt:__tostring()
  return ("AuthToken(method='%s')"):format(self.method)
end

local frozen_token_mt = { __name = "luaws.frozen_auth_token" }
function frozen_token_mt.__tostring()
  return "AuthToken(frozen)"
end

--- The token of one moment.
---@return table token, expiration
function Token:get_frozen_token()
  local now = sessions[self]:auth_token() or {}
  return setmetatable({ token = now.token, expiration = now.expiry }, frozen_token_mt)
end

methods.all("token", token_mt, Token, TOKEN_KEYS)

--- The same for the session's token.
---@param session userdata the core's session
---@param method string
---@return table `method`; `token`, `expiration` as they are when read
function live_credentials.token(session, method)
  local self = setmetatable({ method = method }, token_mt)
  sessions[self] = session
  return self
end

local environment_mt = { __name = "luaws.auth_token", __tostring = token_mt.__tostring }
environment_mt.__index = {
  get_frozen_token = function(self)
    return setmetatable({ token = self.token }, frozen_token_mt)
  end,
}

--- What the environment has for a service, which does not change; nil when that is nothing.
---@param session userdata the core's session
---@param signing_name string
function live_credentials.environment_token(session, signing_name)
  local has_env = false
  for _, name in ipairs(session:providers("tokens")) do
    has_env = has_env or name == "env"
  end
  local token = has_env and session:token_variable(signing_name)
  return token and setmetatable({ method = "env", token = token }, environment_mt) or nil
end

--- Whether a provider of tokens comes first in the row; of it and another.
---@param session userdata
---@param name string
---@param other? string
function live_credentials.is_first(session, name, other)
  for _, known in ipairs(session:providers("tokens")) do
    if known == name or not other or known == other then
      return known == name
    end
  end
  return false
end

return live_credentials
