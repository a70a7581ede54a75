-- Busted's plain report, and a last line that suite.py adds up. A pending test counts as failed: what is not
-- run is not known to work.
local plain = require("busted.outputHandlers.plainTerminal")

return function(options)
  local busted = require("busted")
  local handler = plain(options)
  busted.subscribe({ "exit" }, function()
    local failed = handler.failuresCount + handler.errorsCount + handler.pendingsCount
    print(("%d passed, %d failed"):format(handler.successesCount, failed))
    return nil, true
  end)
  return handler
end
