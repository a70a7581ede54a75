-- Plays a story: a few calls of one service, each with what its answer should say.
--
--   { "sqs", "a queue keeps a message",
--     { "create_queue", { QueueName = "q" }, as = "queue" },
--     { "send_message", { QueueUrl = "${queue.QueueUrl}", MessageBody = "hello" } },
--     { "receive_message", { QueueUrl = "${queue.QueueUrl}" }, { ["Messages[0].Body"] = "hello" } },
--     { "get_queue_url", { QueueName = "no" }, fails = "QueueDoesNotExist" },
--     { "paginate list_queues", {}, { ["length(QueueUrls)"] = 1 } },
--   }
--
-- A step with `service` is another service's. `paginate` gathers all pages, `wait` waits. `${name.path}` is a
-- value of an earlier answer, and what is checked is a JMESPath
-- expression. Streams are read to their end.
local aws = require("luaws")

local story = {}

-- Replaces what refers to earlier answers. A text that is nothing but a reference becomes the value itself.
local function fill(value, known)
  if type(value) == "string" then
    local whole = value:match("^%${([^}]*)}$")
    if whole then
      return aws.jmespath.search(whole, known)
    end
    return (value:gsub("%${([^}]*)}", function(path)
      return tostring(aws.jmespath.search(path, known))
    end))
  elseif type(value) == "table" then
    local copy = {}
    for k, v in pairs(value) do
      copy[k] = fill(v, known)
    end
    return copy
  end
  return value
end

-- Puts the content of streams in their place.
local function read_streams(response)
  for name, value in pairs(response) do
    if type(value) == "userdata" and value ~= aws.null then
      response[name] = value:read("a")
    end
  end
  return response
end

local function call(client, method, params)
  local verb, name = method:match("^(%a+) (%S+)$")
  if verb == "paginate" then
    params.PaginationConfig = params.PaginationConfig or { PageSize = 1 }
    return client:get_paginator(name):paginate(params):build_full_result()
  elseif verb == "wait" then
    params.WaiterConfig = { Delay = 0, MaxAttempts = 3 }
    client:get_waiter(name):wait(params)
    return {}
  end
  return read_streams(client[method](client, params))
end

--- Plays a story and hands every answer, or error, to a function.
---@param told table the story
---@param client_of function makes the client of a service, in a region
---@param each function called with the step, the answer or nil, the error or nil, and all answers with a name
function story.play(told, client_of, each)
  local known, clients = {}, {}
  for i = 3, #told do
    local step = told[i]
    local service = step.service or told[1]
    clients[service] = clients[service] or client_of(service, told.region or "us-east-1")
    local ok, answer = pcall(call, clients[service], step[1], fill(step[2] or {}, known))
    if ok and step.as then
      known[step.as] = answer
    end
    if ok then
      each(step, answer, nil, known)
    else
      each(step, nil, answer, known)
    end
  end
end

--- The values that a step expects, with references filled in, and those that are there.
---@return table expected
---@return table got
function story.compare(step, answer, known)
  local expected, got = {}, {}
  for expression, value in pairs(step[3] or {}) do
    expected[expression] = fill(value, known)
    got[expression] = aws.jmespath.search(expression, answer)
  end
  return expected, got
end

return story
