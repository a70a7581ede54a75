-- Every service of the pack: a client can be made, and every operation of its model is a method.
local aws = require("luaws")
local core = require("luaws.core")

describe("every service", function()
  local session = aws.session{ region_name = "us-east-1", aws_access_key_id = "a",
    aws_secret_access_key = "b" }
  local services = session:get_available_services()

  it("is there in the number that AWS has", function()
    assert.is_true(#services >= 424)
  end)

  it("has a client with a method for each operation, an endpoint and a model", function()
    local operations = 0
    for _, name in ipairs(services) do
      local client = session:client(name)
      for method, operation in pairs(client.meta.method_to_api_mapping) do
        assert.equal("function", type(client[method]), name .. "." .. method)
        assert.equal(method, core.operation(client, operation).method_name)
        operations = operations + 1
      end
      assert.matches("^https?://[%w.-]+", client.meta.endpoint_url, name)
      assert.equal(name, client.meta.service_model.service_name)
    end
    assert.is_true(operations >= 18000)
  end)

  it("can be had in every version that there is a model of", function()
    for _, name in ipairs(services) do
      for _, version in ipairs(core.model_versions(session._core, "service", name)) do
        assert.equal(version, session:client(name, { api_version = version }).meta.api_version)
      end
    end
  end)
end)
