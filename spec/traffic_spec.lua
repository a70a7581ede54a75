-- Real traffic: short stories of some sixty services in every protocol, against moto.
local aws = require("luaws")
local errors = require("luaws.errors")
local same = require("luassert.util").deepcompare
local moto = require("spec.support.moto")
local story = require("spec.support.story")

local function client_of(service, region)
  return aws.client(service, { region_name = region, endpoint_url = moto.url, aws_access_key_id = "testing",
    aws_secret_access_key = "testing" })
end

-- What is not as the step wants it, or nil.
local function complaint(step, answer, err, known)
  if step.fails then
    local as_meant = err and errors.is_error(err) and err:is(step.fails)
    return not as_meant and ("%s should fail with %s: %s"):format(step[1], step.fails, err) or nil
  elseif err then
    return ("%s: %s"):format(step[1], err)
  end
  local meant, was = story.compare(step, answer, known)
  return not same(meant, was) and { step[1], meant = meant, was = was } or nil
end

for _, file in ipairs({ "xml", "json", "rest_json" }) do
  for _, told in ipairs(dofile("spec/fixtures/traffic/" .. file .. ".lua")) do
    describe("traffic of " .. told[1], function()
      setup(moto.reset)

      it("tells that " .. told[2], function()
        local complaints = {}
        story.play(told, client_of, function(...)
          complaints[#complaints + 1] = complaint(...)
        end)
        assert.same({}, complaints)
      end)
    end)
  end
end
