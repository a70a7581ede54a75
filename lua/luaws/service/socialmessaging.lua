--- End User Messaging Social: methods that once had other names.
local method_alias = require("luaws.service.parameter").method_alias

local socialmessaging = {}

function socialmessaging.register(emitter)
  emitter:register("getattr.socialmessaging.delete_whatsapp_media_message",
    method_alias("delete_whatsapp_message_media"))
end

return socialmessaging
