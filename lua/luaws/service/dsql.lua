--- Aurora DSQL: passwords made of credentials.
local arguments = require("luaws.arguments")
local token = require("luaws.service.token")

local dsql = { methods = {} }

local function method(name, action)
  return function(self, host, ...)
    local opts = arguments(name, { "Hostname", "Region", "ExpiresIn" }, 1, host, ...)
    return token.make(self, "dsql", opts.Hostname, { "Action=" .. action }, opts.Region,
      math.tointeger(opts.ExpiresIn or 900) or opts.ExpiresIn)
  end
end

--- A password for an ordinary role: Hostname, Region, ExpiresIn = 900; in a row or in one table.
dsql.methods.generate_db_connect_auth_token = method("generate_db_connect_auth_token", "DbConnect")
--- A password for the role admin, likewise.
dsql.methods.generate_db_connect_admin_auth_token =
  method("generate_db_connect_admin_auth_token", "DbConnectAdmin")

return dsql
