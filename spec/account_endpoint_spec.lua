-- Hosts that name the account: its number is in the credentials, which come before the endpoint then.
local aws = require("luaws")

-- The host that DynamoDB's ListTables goes to, and the client.
local function host(opts, method, params)
  local all = { region_name = "us-east-1", aws_access_key_id = "AKIDEXAMPLE",
    aws_secret_access_key = "the-secret" }
  for name, value in pairs(opts) do
    all[name] = value
  end
  local c = aws.client("dynamodb", all)
  local seen
  c.meta.events:register("before-send.dynamodb.*", function(event)
    seen = event.request.url:match("^https?://([^/]+)")
    return { status_code = 200, headers = {}, body = "{}" }
  end)
  method = method or "list_tables"
  c[method](c, params or {})
  return seen
end

local ACCOUNT = "123456789012"

describe("an endpoint with an account in it", function()
  it("takes the number from the credentials where they have one", function()
    local own, plain = ACCOUNT .. ".ddb.us-east-1.amazonaws.com", "dynamodb.us-east-1.amazonaws.com"
    local cases = {
      { own, { aws_account_id = ACCOUNT } },
      { plain, {} },
      { own, { aws_account_id = ACCOUNT, config = { account_id_endpoint_mode = "preferred" } } },
      { own, { aws_account_id = ACCOUNT, config = { account_id_endpoint_mode = "required" } } },
      { plain, { aws_account_id = ACCOUNT, config = { account_id_endpoint_mode = "disabled" } } },
      { plain, { aws_account_id = ACCOUNT, config = { signature_version = "unsigned" } } },
      { "dynamodb-fips.us-east-1.amazonaws.com",
        { aws_account_id = ACCOUNT, config = { use_fips_endpoint = true } } },
      { "localhost:8000", { aws_account_id = ACCOUNT, endpoint_url = "http://localhost:8000" } },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[1], host(case[2]))
    end
  end)

  it("takes it from an ARN before the credentials", function()
    local params = { TableName = "arn:aws:dynamodb:us-east-1:999999999999:table/t" }
    assert.equal("999999999999.ddb.us-east-1.amazonaws.com",
      host({ aws_account_id = ACCOUNT }, "describe_table", params))
  end)

  it("is an error where it is required and nobody knows it", function()
    local ok, err = pcall(host, { config = { account_id_endpoint_mode = "required" } })
    assert.is_false(ok)
    assert.equal("EndpointResolutionError", err.kind)
    assert.matches("AccountIdEndpointMode is required but no AccountID was provided", err.message)
  end)

  it("waits for a provider of credentials", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write('sleep 0.05; echo \'{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","AccountId":"'
      .. ACCOUNT .. '"}\'\n')
    file:close()
    local config = os.tmpname()
    file = assert(io.open(config, "w"))
    file:write("[profile slow]\nregion = us-east-1\ncredential_process = sh '" .. script .. "'\n")
    file:close()
    local child = require("spec.support.child")
    local code = [[
      local c = require("luaws").session{ profile_name = "slow" }:client("dynamodb")
      c.meta.events:register("before-send.*.*", function(event)
        io.write(event.request.url, "\n")
        return { status_code = 200, headers = {}, body = "{}" }
      end)
      c:list_tables{}
      require("luaws").async.run(function() c:describe_table{ TableName = "t" } end)
      io.write(c:generate_presigned_url("list_tables", {}):match("^[^?]*"), "\n")
    ]]
    local url = "https://" .. ACCOUNT .. ".ddb.us-east-1.amazonaws.com/\n"
    local interpreter = arg[-1] or "lua"
    for i = -1, -10, -1 do
      interpreter = arg[i] or interpreter
    end
    assert.equal(url:rep(3), child.output({ "env", "-u", "AWS_ACCESS_KEY_ID", "AWS_CONFIG_FILE=" .. config,
      "AWS_SHARED_CREDENTIALS_FILE=/dev/null", interpreter, "-e", code }))
    os.remove(script)
    os.remove(config)
  end)
end)
