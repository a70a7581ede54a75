-- Smithy's RPC over CBOR on a real socket. No service chooses it while it offers JSON as well, so models of
-- our own do; what they are asked is read by botocore's parser and answered by botocore's serializer.
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")
local server = require("spec.support.server")

-- What JSON has no word for (see cbor_peer.py).
local function unmark(value)
  if type(value) ~= "table" then
    return value
  elseif value["$bytes"] then
    return (require("luaws.core").base64_decode(value["$bytes"]))
  elseif value["$int"] then
    return math.tointeger(value["$int"])
  elseif value["$float"] then
    local words = { inf = math.huge, ["-inf"] = -math.huge, nan = 0 / 0 }
    return words[value["$float"]] or tonumber(value["$float"])
  end
  local copy = {}
  for key, item in pairs(value) do
    copy[key] = unmark(item)
  end
  return copy
end

-- Where two values differ, or nil. NaN is as good as NaN; a float of 32 bits is as near as that goes.
local function difference(sent, got, path)
  if type(sent) == "table" and type(got) == "table" then
    for key, item in pairs(sent) do
      local found = difference(item, got[key], path .. "." .. tostring(key))
      if found then
        return found
      end
    end
    for key in pairs(got) do
      if sent[key] == nil then
        return path .. "." .. tostring(key) .. ": not sent"
      end
    end
    return nil
  elseif sent == got or sent ~= sent and got ~= got then
    return nil
  elseif type(sent) == "number" and type(got) == "number" and math.type(sent) == "float"
      and string.pack("f", sent) == string.pack("f", got) then
    return nil
  end
  return ("%s: %s sent, %s got"):format(path, tostring(sent), tostring(got))
end

describe("a service that speaks CBOR", function()
  local folder, handle, url, session

  setup(function()
    folder = child.output({ "mktemp", "-d" }):gsub("\n$", "")
    local port
    port, handle = child.start({ "python3", "spec/support/cbor_peer.py", folder }, "the CBOR service")
    url = "http://127.0.0.1:" .. port
    session = aws.session{ _env = { AWS_DATA_PATH = folder }, _home = "/nowhere", region_name = "us-east-1",
      aws_access_key_id = "a", aws_secret_access_key = "b" }
  end)
  teardown(function()
    handle:close()
    child.output({ "rm", "-rf", folder })
  end)

  it("gets what was sent, and what it answers is read", function()
    local file <close> = assert(io.open(folder .. "/calls.json"))
    local clients, different, count, spoken = {}, {}, 0, {}
    for _, call in ipairs(cjson.decode(file:read("a"))) do
      local service, operation, params = call[1], call[2], unmark(call[3])
      clients[service] = clients[service] or session:client(service, { endpoint_url = url })
      local client = clients[service]
      local method = require("luaws.core").xform_name(operation)
      local answer, err = client.try[method](client.try, params)
      local found
      if answer then
        spoken[answer.ResponseMetadata.HTTPHeaders["smithy-protocol"]] = true
        answer.ResponseMetadata = nil
        found = difference(params, answer, operation)
      else
        found = tostring(err)
      end
      count = count + 1
      if found then
        different[#different + 1] = service .. " " .. found
      end
    end
    assert.same({}, different)
    assert.is_true(count > 250)
    assert.same({ ["rpc-v2-cbor"] = true }, spoken)
  end)

  it("may answer with an error, or with bytes that are no CBOR", function()
    local peer <close> = server.start()
    local client = session:client("echo-cloudwatch", { endpoint_url = peer.url,
      config = { retries = { total_max_attempts = 1 } } })
    local head = { ["smithy-protocol"] = "rpc-v2-cbor", ["Content-Type"] = "application/cbor" }
    local function text(s)
      return string.char(0x60 + #s) .. s
    end
    peer:reply{ status = 400, headers = head,
      body = "\xA2" .. text("__type") .. text("a.b#ResourceNotFound") .. text("message")
        .. text("no such thing") }
    local _, err = client.try:delete_alarms{ AlarmNames = { "a" } }
    assert.equal("ClientError", err.kind)
    assert.equal("ResourceNotFound", err.code)
    assert.equal("no such thing", err.message)
    local LARGEST <const> = ("\xFF"):rep(7)
    local lies = {
      ["a text longer than the answer"] = "\xA1" .. text("AlarmNames") .. "\x7B\x7F" .. LARGEST,
      ["a list longer than the answer"] = "\xA1" .. text("AlarmNames") .. "\x9B\x7F" .. LARGEST,
      ["a map longer than the answer"] = "\xBB\x7F" .. LARGEST,
      ["a list without an end"] = "\xA1" .. text("AlarmNames") .. "\x9F" .. ("\x60"):rep(1000),
      ["nesting without end"] = "\xA1" .. text("x") .. ("\x81"):rep(100000) .. "\x60",
      ["maps in maps without end"] = "\xA1" .. text("x") .. ("\xA1\x60"):rep(100000) .. "\x60",
      ["a word of no meaning"] = "\xFC",
      ["a list for a structure"] = "\x80",
      ["a number for a list"] = "\xA1" .. text("AlarmNames") .. "\x05",
      ["a number for text"] = "\xA1" .. text("AlarmNames") .. "\x81\x05",
      ["a cut answer"] = "\xA1" .. text("AlarmNames") .. "\x82" .. text("a"),
      ["JSON"] = '{"AlarmNames":["a"]}',
    }
    for what, body in pairs(lies) do
      peer:reply({ headers = head, body = body }, { status = 500, headers = head, body = body })
      local answer
      answer, err = client.try:delete_alarms{ AlarmNames = { "a" } }
      assert.is_nil(answer, what)
      assert.equal("ResponseParserError", err.kind, what)
      answer, err = client.try:delete_alarms{ AlarmNames = { "a" } }
      assert.is_nil(answer, what)
      assert.equal("ClientError", err.kind, what)
    end
  end)
end)
