--- The row of providers that a session asks for credentials, or for bearer tokens: looked at, and changed.
---
---     local chain = session:get_component("credential_provider")
---     chain:insert_before("env", { METHOD = "vault", load = function(self, context)
---       return { access_key = …, secret_key = …, token = …, expiry = os.time() + 3600 }
---     end })
local errors = require("luaws.errors")
local methods = require("luaws.methods")

local Chain = {}
local chain_mt = { __name = "luaws.credential_chain", __index = Chain }

local credentials = {}

local ROWS = {
  credential_provider = { name = "credentials", load = "load", what = "Credential" },
  token_provider = { name = "tokens", load = "load_token", what = "Token" },
}

--- A chain of a session.
---@param session table
---@param component string "credential_provider" or "token_provider"
---@return table
function credentials.chain(session, component)
  return setmetatable({ _session = session, _row = ROWS[component], _own = {} }, chain_mt)
end

--- The names of the providers, in the order in which they are asked.
---@return string[]
function Chain:names()
  return self._session._core:providers(self._row.name)
end

local function insert(self, where, name, provider)
  local row = self._row
  local is_table = type(provider) == "table"
  if not is_table or type(provider.METHOD) ~= "string" or type(provider[row.load]) ~= "function" then
    errors.raise("TypeError", "a provider is a table with METHOD, its name, and %s, a function", row.load)
  end
  require("luaws.async") -- which runs load as a task
  self._session._core:insert_provider(row.name, where, name, provider.METHOD, function(take, context)
    take(provider[row.load](provider, context))
  end)
  self._own[provider.METHOD] = provider
end

--- Has a provider asked before another.
---@param name string of the one that is there; UnknownCredentialError when it is not
---@param provider table METHOD (its name) and load(self, context) → a table with access_key, secret_key,
---  token, account_id, expiry (seconds since the epoch or a text; without one they are never asked for
---  again); nil to pass. context has profile_name and refresh. In a row of tokens it is load_token(self,
---  context) → a token, or a table with token and expiration
function Chain:insert_before(name, provider)
  insert(self, "before", name, provider)
end

--- Has a provider asked after another.
---@param name string
---@param provider table
function Chain:insert_after(name, provider)
  insert(self, "after", name, provider)
end

--- Has a provider asked no more; one that is not there is no error.
---@param name string
function Chain:remove(name)
  self._session._core:remove_provider(self._row.name, name)
end

--- A provider by its name: what was inserted, or a table with its METHOD.
---@param name string
---@return table
function Chain:get_provider(name)
  for _, known in ipairs(self:names()) do
    if known == name then
      return self._own[name] or { METHOD = name }
    end
  end
  errors.raise("UnknownCredentialError", "%s named %s not found.", self._row.what, name)
end

--- The credentials that the chain finds, or nil.
---@return table|nil
function Chain:load_credentials()
  return self._session:get_credentials()
end

--- The token that the chain finds, or nil.
---@param opts table|nil signing_name
---@return table|nil
function Chain:load_token(opts)
  return self._session:get_auth_token(opts)
end

methods.all("chain", chain_mt, Chain)

function chain_mt:__tostring()
  return ("%s chain (%s)"):format(self._row.what:lower(), table.concat(self:names(), ", "))
end

return credentials
