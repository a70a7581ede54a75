--- STS: what gives credentials out for a token cannot ask for any.
local sts = {}

function sts.register(emitter)
  for _, operation in ipairs{ "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity" } do
    emitter:register("choose-signer.sts." .. operation, require("luaws.service.parameter").unsigned)
  end
end

return sts
