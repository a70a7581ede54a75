local errors = require("luaws.errors")

describe("errors", function()
  local function not_found(metadata)
    return errors.client_error("GetObject", {
      Error = { Code = "NoSuchKey", Message = "The key is not there." },
      ResponseMetadata = metadata,
    })
  end

  it("print as botocore prints them", function()
    local cases = {
      {
        not_found(),
        "An error occurred (NoSuchKey) when calling the GetObject operation: The key is not there.",
      },
      {
        not_found { MaxAttemptsReached = true, RetryAttempts = 4 },
        "An error occurred (NoSuchKey) when calling the GetObject operation (reached max retries: 4): "
          .. "The key is not there.",
      },
      { not_found { MaxAttemptsReached = true }, tostring(not_found()) },
      { not_found { RetryAttempts = 4 }, tostring(not_found()) },
      {
        errors.client_error("HeadObject", {}),
        "An error occurred (Unknown) when calling the HeadObject operation: Unknown",
      },
      { errors.new("NoRegionError", "You must specify a region."), "You must specify a region." },
      { errors.new("NoRegionError"), "NoRegionError" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], tostring(case[1]))
    end
  end)

  it("know their kind, code, shape and the kinds above", function()
    local err = not_found()
    err.shape = "NoSuchKeyShape"
    local connection = errors.new("EndpointConnectionError", "no")
    local cases = {
      { err, "ClientError", true },
      { err, "NoSuchKey", true },
      { err, "NoSuchKeyShape", true },
      { err, "BotoCoreError", false },
      { err, "NoSuchBucket", false },
      { err, nil, false },
      { err, { name = "NoSuchKeyShape" }, true },
      { err, { name = "Other", code = "NoSuchKey" }, true },
      { err, { name = "Other", code = "NoSuchBucket" }, false },
      { err, {}, false },
      { connection, "EndpointConnectionError", true },
      { connection, "ConnectionError", true },
      { connection, "BotoCoreError", true },
      { connection, "HTTPClientError", false },
      { connection, "ClientError", false },
      { errors.new("VariadictArityError", ""), "ValueError", true },
      { errors.new("EventStreamError", ""), "ClientError", true },
      { errors.new("TypeError", ""), "BotoCoreError", false },
      { errors.new("SomethingNew", ""), "BotoCoreError", true },
    }
    for i, case in ipairs(cases) do
      assert.equal(case[3], case[1]:is(case[2]), "case " .. i)
    end
  end)

  it("are raised as tables, without a position", function()
    local ok, err = pcall(errors.raise, "ParamValidationError", "bad %s at %d", "Key", 3)
    assert.is_false(ok)
    assert.is_true(errors.is_error(err))
    assert.same({ "ParamValidationError", "bad Key at 3" }, { err.kind, err.message })
    local _, plain = pcall(errors.raise, "ValueError", "100%")
    assert.equal("100%", plain.message)
  end)

  it("keep the fields that the kind carries", function()
    local err = errors.new("WaiterError", "Max attempts exceeded", { last_response = { a = 1 }, kind = "x" })
    assert.same({ "WaiterError", { a = 1 } }, { err.kind, err.last_response })
    local modeled = errors.client_error("Op", { Error = { Code = "C", Message = "m" } }, { shape = "S" })
    assert.same({ "ClientError", "C", "m", "S", "Op" },
      { modeled.kind, modeled.code, modeled.message, modeled.shape, modeled.operation_name })
  end)

  it("can be joined to text", function()
    assert.equal("failed: no", "failed: " .. errors.new("X", "no"))
  end)

  it("are told apart from other tables", function()
    assert.is_false(errors.is_error({ kind = "X" }))
    assert.is_false(errors.is_error("X"))
  end)
end)
