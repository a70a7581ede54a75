--- Amazon Bedrock AgentCore orders events by their times: there every time is told to the millisecond.
return { millisecond_timestamps = true }
