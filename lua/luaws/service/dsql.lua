--- Aurora DSQL: passwords made of credentials.
local token = require("luaws.service.token")

local dsql = { methods = {} }

local function method(name, action)
  return function(self, host, ...)
    local opts = token.options(name, { "Hostname", "Region", "ExpiresIn" }, 1, host, ...)
    return token.make(self, "dsql", opts.Hostname, { "Action=" .. action }, opts.Region,
      opts.ExpiresIn or 900)
  end
end

--- A password for an ordinary role: Hostname, Region, ExpiresIn = 900; in a row or in one table.
dsql.methods.generate_db_connect_auth_token = method("generate_db_connect_auth_token", "DbConnect")
--- A password for the role admin, likewise.
dsql.methods.generate_db_connect_admin_auth_token =
  method("generate_db_connect_admin_auth_token", "DbConnectAdmin")

return dsql
