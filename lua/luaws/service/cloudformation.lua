--- CloudFormation: templates in JSON come as tables.
local cloudformation = {}

local function decode_template(event)
  local ok, template = pcall(require("cjson").decode, event.parsed.TemplateBody)
  if ok then
    event.parsed.TemplateBody = template
  end
end

function cloudformation.register(emitter)
  emitter:register("after-call.cloudformation.GetTemplate", decode_template)
end

return cloudformation
