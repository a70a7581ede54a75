--- How often another task ran while fn did.
---@param fn function
---@return integer
local aws = require("luaws")

return function(fn)
  local count = 0
  aws.async.run(function()
    local other = aws.async.spawn(function()
      while true do
        aws.async.sleep(0.01)
        count = count + 1
      end
    end)
    local _ <close> = setmetatable({}, { __close = function()
      other:cancel()
    end })
    fn()
  end)
  return count
end
