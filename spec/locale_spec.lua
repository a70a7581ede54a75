-- A host, or a script, that has set a locale with a decimal comma: what travels has a point all the same.
local child = require("spec.support.child")
local server = require("spec.support.server")

local SCRIPT = [[
  assert(os.setlocale("comma"))
  assert(("%.1f"):format(1.5) == "1,5", "no comma")
  local aws = require("luaws")
  local jmespath = require("luaws.jmespath")
  local endpoint = ...
  local function client(service)
    return aws.client(service, { region_name = "us-east-1", endpoint_url = endpoint,
      aws_access_key_id = "a", aws_secret_access_key = "b" })
  end
  client("kinesis-video-archived-media"):get_images{ StreamName = "s", Format = "JPEG",
    ImageSelectorType = "PRODUCER_TIMESTAMP", StartTimestamp = 1.5, EndTimestamp = 2.5 }
  client("sns"):publish{ Message = "m" }
  local answer = client("cost-optimization-hub"):get_recommendation{ recommendationId = "r" }
  local found = client("geo-places"):geocode{ QueryText = "q", BiasPosition = { -0.25, 1e-7 } }
  print(jmespath.search("to_string(@)",
    { answer.estimatedMonthlySavings, answer.lastRefreshTimestamp, 1e300 }))
  print(jmespath.search("a[?b > `1.25`].b | [0]", { a = { { b = 1.5 } } }) == 1.5)
  print(found.ResultItems[1].Position[1] == 0.5, found.ResultItems[1].Position[2] == -1e-9)
]]

describe("a locale with a decimal comma", function()
  local folder, peer

  setup(function()
    folder = child.output({ "mktemp", "-d" }):gsub("\n$", "")
    local source <close> = assert(io.open(folder .. "/source", "w"))
    source:write('LC_NUMERIC\ndecimal_point ","\nthousands_sep "."\ngrouping 3;3\nEND LC_NUMERIC\n')
    source:close()
    local script <close> = assert(io.open(folder .. "/script.lua", "w"))
    script:write(SCRIPT)
    script:close()
    -- It complains of all that the locale lacks.
    child.output({ "sh", "-c", 'localedef -c -i "$1/source" "$1/comma" 2>/dev/null; test -d "$1/comma"', "sh",
      folder })
    peer = server.start()
  end)

  teardown(function()
    peer:stop()
    child.output({ "rm", "-rf", folder })
  end)

  it("changes nothing of what is sent and read", function()
    peer:reply(
      { target = "getImages", body = "{}" },
      { body = "<PublishResponse><PublishResult/></PublishResponse>" },
      { body = '{"estimatedMonthlySavings":1234.5,"lastRefreshTimestamp":1.25}' },
      { body = '{"PricingBucket":"x","ResultItems":[{"Position":[0.5,-1e-9]}]}' })
    local printed = child.output({ "env", "LOCPATH=" .. folder, os.getenv("LUAWS_BUILD") .. "/luaws",
      folder .. "/script.lua", peer.url })
    assert.equal("[1234.5,1.25,1e+300]\ntrue\ntrue\ttrue\n", printed)
    local requests = peer:requests()
    assert.equal(4, #requests)
    assert.truthy(requests[1].body:find('"StartTimestamp":1', 1, true), requests[1].body)
    assert.truthy(requests[4].body:find('"BiasPosition":[-0.25,1e-07]', 1, true), requests[4].body)
  end)
end)
