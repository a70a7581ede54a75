--- Tags of EC2: the resource model has no words for making many at once, or for taking them away.
local errors = require("luaws.errors")

local ServiceResource, Instance = {}, {}

--- Tags resources: create_tags{ Resources = { id, … }, Tags = { { Key =, Value = }, … } }
---@return table Tag resources, one for each resource and tag
function ServiceResource:create_tags(params)
  params = params or {}
  self.meta.client:create_tags(params)
  local tags = {}
  for _, id in ipairs(params.Resources or {}) do
    for _, tag in ipairs(params.Tags or {}) do
      tags[#tags + 1] = self:Tag(id, tag.Key, tag.Value)
    end
  end
  return tags
end

--- Takes tags away from the instance: delete_tags{ Tags = { { Key = "name" } } }
function Instance:delete_tags(params)
  if params ~= nil and type(params) ~= "table" then
    errors.raise("TypeError", "delete_tags takes its parameters in one table")
  end
  local own = {}
  for name, value in pairs(params or {}) do
    own[name] = value
  end
  own.Resources = { self.id }
  return self.meta.client:delete_tags(own)
end

return { ServiceResource = ServiceResource, Instance = Instance }
