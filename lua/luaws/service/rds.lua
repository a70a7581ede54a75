--- RDS: copies from other regions, and passwords made of credentials.
local core = require("luaws.core")
local form = require("luaws.service.form")
local arguments = require("luaws.arguments")
local token = require("luaws.service.token")

local rds = { methods = {} }

local OPERATIONS = {
  "CopyDBClusterSnapshot", "CreateDBCluster", "CopyDBSnapshot", "CreateDBInstanceReadReplica",
  "StartDBInstanceAutomatedBackupsReplication",
}

function rds.register(emitter)
  for _, operation in ipairs(OPERATIONS) do
    emitter:register("before-call.rds." .. operation, form.copy_from_region)
  end
end

--- A password for one quarter of an hour, for databases with IAM authentication.
---@param host string|table the host name, or all arguments in one table
---@param ... any Port, DBUsername, Region
---@return string
function rds.methods.generate_db_auth_token(self, host, ...)
  local opts = arguments("generate_db_auth_token", { "DBHostname", "Port", "DBUsername", "Region" }, 3,
    host, ...)
  local port = tostring(math.tointeger(opts.Port) or opts.Port)
  return token.make(self, "rds-db", opts.DBHostname .. ":" .. port,
    { "Action=connect", "DBUser=" .. core.percent_encode(opts.DBUsername) }, opts.Region, 900)
end

return rds
