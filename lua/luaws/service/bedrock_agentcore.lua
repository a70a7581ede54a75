--- Amazon Bedrock AgentCore orders events by their times: there every time is told to the millisecond.
local bedrock_agentcore = {}

local function tell_milliseconds(event)
  event.serializer_kwargs.timestamp_precision = "millisecond"
end

function bedrock_agentcore.register(emitter)
  emitter:register("creating-serializer.bedrock-agentcore", tell_milliseconds)
end

return bedrock_agentcore
