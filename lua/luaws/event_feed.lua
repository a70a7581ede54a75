--- A function that gives events, called within a task: it gets a task of its own, so that it may wait for
--- whatever it likes while the answers are read.
local async = require("luaws.async")

local function feed(writer, next_event)
  while writer:room() do
    local event = next_event()
    if event == nil then
      return writer:close()
    end
    writer:send(event)
  end
end

--- Starts it.
---@param writer table an event writer that belongs to the call
---@param next_event function
---@return table task
return function(writer, next_event)
  return async.spawn(function()
    local ok, err = pcall(feed, writer, next_event)
    if not ok then
      writer:fail(err)
    end
  end)
end
