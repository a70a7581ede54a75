-- Makes calls with clients of luaws and tells what would have been sent: the other side of
-- scripts/walk-clients and scripts/walk-signatures.
--
-- Reads JSON lines { service, client, method, params }, where client has the options of a client, and answers
-- each with { requests = { { method, url, headers, body } }, error = { kind, message } }; what there is none
-- of is left out. With { presign = { ExpiresIn, HttpMethod } } the answer is { result = url }; what methods
-- named generate_… return is the result as well. With { sign = { request, opts } } it is what
-- session:sign_request returns. Bytes are { ["$hex"] = … } both ways, and
-- { ["$float"] = "NaN" }, { ["$integer"] = "…" }, { ["$map"] = true }, { ["$list"] = true } and
-- { ["$stream"] = hex } stand for what JSON has no words for.
local aws = require("luaws")
local cjson = require("cjson")

-- What the operations answer whose answer other calls go by.
local ANSWERS = {
  DescribeEndpoints = { body = '{"Endpoints":[{"Address":"found.example.com","CachePeriodInMinutes":5}]}' },
  CreateSession = { body = "<CreateSessionResult><Credentials><AccessKeyId>AKIDSESSION</AccessKeyId>"
    .. "<SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>"
    .. "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>" },
}

local function bytes_of(hex)
  return (hex:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

local function hex_of(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

-- A file to read from, as a caller would open one.
local function stream_of(bytes)
  local file = assert(io.tmpfile())
  file:write(bytes)
  file:seek("set")
  return file
end

local FLOATS = { NaN = 0 / 0, Infinity = math.huge, ["-Infinity"] = -math.huge }

local function value_of(value)
  if type(value) ~= "table" then
    return value
  elseif value["$hex"] then
    return bytes_of(value["$hex"])
  elseif value["$stream"] then
    return stream_of(bytes_of(value["$stream"]))
  elseif value["$float"] then
    return FLOATS[value["$float"]]
  elseif value["$integer"] then
    return math.tointeger(value["$integer"])
  elseif value["$list"] then
    return aws.list({})
  elseif value["$map"] then
    return aws.map({})
  end
  local made = {}
  for name, inner in pairs(value) do
    made[name] = value_of(inner)
  end
  return made
end

local session

local function make_client(question)
  local options = question.client
  local time_s = options.time -- the clock stands still
  session = not time_s and session or aws.session{ _clock = time_s and function() return time_s end }
  local client = session:client(question.service, {
    region_name = options.region,
    endpoint_url = options.endpoint_url,
    aws_access_key_id = "AKIDEXAMPLE",
    aws_secret_access_key = "the-secret",
    aws_session_token = options.token,
    config = options.config,
  })
  local sent = {}
  client.meta.events:register("before-send", function(event)
    local request = event.request
    local headers = {}
    for name, value in pairs(request.headers) do
      headers[name] = { ["$hex"] = hex_of(value) }
    end
    sent[#sent + 1] = { method = request.method, url = request.url, headers = headers,
      body = { ["$hex"] = hex_of(request.body or "") } }
    local answer = ANSWERS[event.operation_name] or {}
    return { status_code = 200, headers = {}, body = answer.body or "" }
  end)
  return client, sent
end

local function printable(text)
  return (tostring(text):gsub("[\x80-\xFF]", "?"))
end

-- Clients are kept while the same is asked for: a walk goes over one service's operations in a row.
local known = {}

local function client_for(question)
  local key = question.service .. cjson.encode(question.client)
  if known.key ~= key or question.fresh then
    if known.client then
      known.client:close()
    end
    known = {}
    local client, sent = make_client(question)
    known = { key = key, client = client, sent = sent }
  end
  return known.client, known.sent
end

-- Signs a request that is no call.
local function sign(question)
  local options = question.client
  local made = aws.session{ aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret",
    aws_session_token = options.token, region_name = options.region }
  local opts = question.sign.opts
  opts.time, opts.expires = math.tointeger(opts.time), math.tointeger(opts.expires)
  return made:sign_request(value_of(question.sign.request), opts)
end

local function answer(question)
  if question.sign then
    return sign(question)
  end
  local client, sent = client_for(question)
  for i = #sent, 1, -1 do
    sent[i] = nil
  end
  local params = value_of(question.params)
  if question.presign then
    local presign = question.presign
    return client:generate_presigned_url(question.method, { Params = params, ExpiresIn = presign.ExpiresIn,
      HttpMethod = presign.HttpMethod })
  end
  local result = client[question.method](client, params)
  return question.method:find("^generate_") and result or nil
end

for line in io.lines() do
  local ok, err = pcall(answer, cjson.decode(line))
  local out = { requests = known.sent and #known.sent > 0 and known.sent or nil, result = ok and err or nil }
  if not ok then
    out.error = { kind = type(err) == "table" and err.kind or "bug", message = printable(err) }
  end
  io.write(cjson.encode(out), "\n")
  io.flush()
end
