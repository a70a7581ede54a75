-- What each option of a client does to the requests that it makes, on real connections.
local aws = require("luaws")
local machine = require("spec.support.machine")
local server = require("spec.support.server")

local raised = machine.raised
local XML = { ["Content-Type"] = "text/xml" }
local IDENTITY = { headers = XML, always = true,
  body = '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    .. "<GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>" }

-- A client whose session has this environment and nothing else.
local function new_client(service, opts, env)
  local session = aws.session{ _env = env or {}, _home = "/nowhere", region_name = "eu-west-1",
    aws_access_key_id = "AKIDEXAMPLE", aws_secret_access_key = "the-secret" }
  return session:client(service, opts)
end

describe("the certificates that are trusted", function()
  local peer

  setup(function()
    peer = server.start{ tls = true }
    peer:reply(IDENTITY)
  end)
  teardown(function()
    peer:stop()
  end)

  local function ask(opts, env)
    opts.endpoint_url = peer.url
    opts.config = { retries = { total_max_attempts = 1 } }
    local client <close> = new_client("sts", opts, env)
    return client.try:get_caller_identity()
  end

  it("are those of verify, ca_bundle, AWS_CA_BUNDLE or REQUESTS_CA_BUNDLE, in this order", function()
    for _, case in ipairs{
      { { verify = peer.ca }, {} },
      { { verify = peer.ca }, { AWS_CA_BUNDLE = "/nowhere.pem" } },
      { {}, { AWS_CA_BUNDLE = peer.ca } },
      { {}, { AWS_CA_BUNDLE = peer.ca, REQUESTS_CA_BUNDLE = "/nowhere.pem" } },
      { {}, { REQUESTS_CA_BUNDLE = peer.ca } },
      { {}, { AWS_CA_BUNDLE = "", REQUESTS_CA_BUNDLE = peer.ca } },
      { { verify = true }, { AWS_CA_BUNDLE = peer.ca } },
      { { verify = false }, {} },
      { { verify = false }, { AWS_CA_BUNDLE = "/nowhere.pem" } },
    } do
      local answer, err = ask(table.unpack(case))
      assert.equal("1", answer and answer.Account, tostring(err))
    end
  end)

  it("are the system's where nothing else is said: a blank does not switch verification off", function()
    local other = server.start{ tls = true }
    for _, case in ipairs{
      { {}, {} },
      { { verify = true }, {} },
      { { verify = "" }, {} },
      { {}, { AWS_CA_BUNDLE = "" } },
      { {}, { REQUESTS_CA_BUNDLE = "" } },
      { {}, { AWS_CA_BUNDLE = "false" } },
      { {}, { SSL_CERT_FILE = peer.ca, CURL_CA_BUNDLE = peer.ca } }, -- read neither by botocore nor here
      { {}, { AWS_CA_BUNDLE = other.ca, REQUESTS_CA_BUNDLE = peer.ca } },
    } do
      local answer, err = ask(table.unpack(case))
      assert.is_nil(answer)
      assert.equal("SSLError", err.kind)
    end
    other:stop()
  end)

  it("cannot be switched off by a file", function()
    for _, line in ipairs{ "verify_ssl = false", "verify = false", "ca_bundle =", "ca_bundle = false" } do
      local w <close> = machine.new("[default]\n" .. line .. "\n")
      local client <close> = w.session():client("sts", { endpoint_url = peer.url, aws_access_key_id = "a",
        aws_secret_access_key = "b", config = { retries = { total_max_attempts = 1 } } })
      assert.equal("SSLError", raised(client.get_caller_identity, client).kind)
    end
  end)
end)
