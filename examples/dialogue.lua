-- A conversation with an Amazon Lex V2 bot, a line at a time:
--   luaws examples/dialogue.lua BOT-ID BOT-ALIAS-ID [LOCALE]
-- Events go both ways over one connection: what is typed is sent, what the bot says is printed.
local aws = require("luaws")

local bot, alias, locale = arg[1], arg[2], arg[3] or "en_US"
if not alias then
  io.stderr:write("usage: dialogue.lua BOT-ID BOT-ALIAS-ID [LOCALE]\n")
  os.exit(2)
end

local writer <close> = aws.event_writer()
-- Sent as soon as there is a connection: the service may begin to answer only then.
writer:send{
  ConfigurationEvent = { responseContentType = "text/plain; charset=utf-8", disablePlayback = true },
}
local stream <close> = aws.client("lexv2-runtime"):start_conversation{
  botId = bot, botAliasId = alias, localeId = locale, sessionId = "luaws-" .. os.time(),
  conversationMode = "TEXT", requestEventStream = writer,
}.responseEventStream
local next_event = stream:events()

-- Everything that the bot says until it listens again.
local function listen()
  for event in next_event do
    if event.TextResponseEvent then
      for _, message in ipairs(event.TextResponseEvent.messages or {}) do
        print("bot: " .. (message.content or ""))
      end
      return
    end
  end
end

for line in io.lines() do
  writer:send{ TextInputEvent = { text = line } }
  listen()
end
writer:send{ DisconnectionEvent = {} }
writer:close()
listen() -- until the service has ended the conversation, too
