--- Cognito identities: what gives credentials out cannot ask for any.
local unsigned = require("luaws.service.parameter").unsigned

local cognito_identity = {}

function cognito_identity.register(emitter)
  for _, operation in ipairs{ "GetId", "GetOpenIdToken", "UnlinkIdentity", "GetCredentialsForIdentity" } do
    emitter:register("choose-signer.cognito-identity." .. operation, unsigned)
  end
end

return cognito_identity
