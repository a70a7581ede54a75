--- Loads an object's data when something of it is first asked for.
local core = require("luaws.core")

-- The task that loads now, by the meta of the object.
local loading = setmetatable({}, { __mode = "k" })

local function load_now(object)
  object:load()
  return object.meta.data
end

--- Loads the object. Tasks that ask for it at the same time share one call; each of them gets its error, or
--- its data, which an action of another task may have taken off the object again before it gets to run.
---@param object table
---@return any data
return function(object)
  if not core.task() then
    return load_now(object)
  end
  local meta = object.meta
  local task = loading[meta]
  if not task then
    task = require("luaws.async").spawn(load_now, object)
    loading[meta] = task
  end
  -- A task that is cancelled while it waits leaves the load to the others.
  local _ <close> = setmetatable({}, { __close = function()
    if loading[meta] == task then
      loading[meta] = nil
    end
  end })
  return task:await()
end
