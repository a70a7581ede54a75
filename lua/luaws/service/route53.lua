--- Route 53: ids may be given as they come, with "/hostedzone/" before them.
local core = require("luaws.core")

local route53 = {}

local SHAPES = { ResourceId = true, DelegationSetId = true, ChangeId = true }

local function last_piece(event)
  local input = event.model.input and core.shape(event.client, event.model.input)
  for name, shape in pairs(input and input.members or {}) do
    local value = event.params[name]
    if SHAPES[shape] and type(value) == "string" then
      event.params[name] = value:match("[^/]*$")
    end
  end
end

function route53.register(emitter)
  emitter:register("before-parameter-build.route-53", last_piece)
end

return route53
