--- Loads an object's data when something of it is first asked for.
local core = require("luaws.core")

-- The task that loads now, by the meta of the object.
local loading = setmetatable({}, { __mode = "k" })

--- Loads the object. Tasks that ask for it at the same time share one call; each of them gets its error.
---@param object table
return function(object)
  if not core.task() then
    return object:load()
  end
  local meta = object.meta
  local task = loading[meta]
  if not task then
    task = require("luaws.async").spawn(object.load, object)
    loading[meta] = task
  end
  -- A task that is cancelled while it waits leaves the load to the others.
  local _ <close> = setmetatable({}, { __close = function()
    if loading[meta] == task then
      loading[meta] = nil
    end
  end })
  task:await()
end
