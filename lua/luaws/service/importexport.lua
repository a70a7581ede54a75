--- Import/Export: its model names Signature Version 2, which its endpoints have left behind.
local importexport = {}

local function sign_v4(event)
  return not event.signature_configured and "v4" or nil
end

function importexport.register(emitter)
  emitter:register("choose-signer.importexport", sign_v4)
end

return importexport
