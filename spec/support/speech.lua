--- Polly's stream of speech, and the other operations that take events, against spec.support.duplex.
local assert = require("luassert")
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")

local speech = {}

speech.KEYS = { aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret",
  region_name = "us-east-1" }

function speech.client(peer, service, config, more)
  local options = { endpoint_url = peer.url, verify = peer.ca, config = config or {} }
  options.config.read_timeout = options.config.read_timeout or 20
  options.config.inject_host_prefix = false
  for name, value in pairs(speech.KEYS) do
    options[name] = value
  end
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return aws.client(service, options)
end

function speech.synthesize(peer, stream, config)
  local polly = speech.client(peer, "polly", config)
  return polly:start_speech_synthesis_stream{ Engine = "neural", OutputFormat = "mp3", VoiceId = "Joanna",
    ActionStream = stream }
end

function speech.text(value)
  return { TextEvent = { Text = value } }
end

function speech.number_of(event)
  return math.tointeger(cjson.decode(event.AudioEvent.AudioChunk).n)
end

-- A stream without faults that ended as it should.
function speech.assert_good(stream, count)
  assert.same({}, stream.errors)
  assert.equal("ended", stream["end"])
  assert.equal(count, math.tointeger(stream.count))
end

speech.ECHO = { event = "AudioEvent" }

local base64 = { ["aGVsbG8="] = "hello", ["AP8KAA=="] = "\0\255\n\0", [""] = "" }

function speech.decoded(text_in_base64)
  if base64[text_in_base64] then
    return base64[text_in_base64]
  end
  return child.output({ "sh", "-c", "printf %s " .. child.quote(text_in_base64) .. " | base64 -d" })
end

return speech
