-- The scriptable server that other specs rely on: it must itself do what it is told.
local child = require("spec.support.child")
local server = require("spec.support.server")

-- Runs curl(1) and returns what it printed, or nil and its exit code.
local function curl(...)
  local words = { "curl", "-sS", "--noproxy", "*", "--max-time", "60", ... }
  for i, word in ipairs(words) do
    words[i] = child.quote(word)
  end
  local handle = assert(io.popen(table.concat(words, " ") .. " 2>/dev/null", "r"))
  local output = handle:read("a")
  local ok, _, code = handle:close()
  return ok and output or nil, code
end

describe("the spec's HTTP server", function()
  local peer
  setup(function()
    peer = server.start()
  end)
  teardown(function()
    peer:stop()
  end)
  before_each(function()
    peer:clear()
  end)

  it("gives the planned replies in order and remembers the requests", function()
    peer:reply("one", { status = 404, body = "\0\255\r\n", headers = { ["x-a"] = "b" } })
    assert.equal("one", curl(peer.url .. "/a?b=c"))
    local twice = { "-H", "X-Twice: 1", "-H", "x-twice: 2" }
    assert.equal("\0\255\r\n", curl(peer.url .. "/b", "--data-binary", "x\255y", table.unpack(twice)))
    local first, second = table.unpack(peer:requests())
    assert.same({ "GET", "/a", "b=c" }, { first.method, first.path, first.query })
    assert.same({ "POST", "x\255y", "1, 2" }, { second.method, second.body, second.headers["x-twice"] })
    assert.is_true(second.complete)
    assert.is_false(second.unexpected)
  end)

  it("marks a request that nobody planned for", function()
    assert.matches("no reply is planned", curl(peer.url))
    assert.is_true(peer:last().unexpected)
  end)

  it("picks a reply by method and target, as often as it is told", function()
    peer:reply(
      { method = "PUT", body = "put" },
      { target = "^/x", body = "x", times = 2 },
      { body = "any", always = true }
    )
    local got = {}
    for i, path in ipairs({ "/x", "/y", "/x1", "/x2", "/z" }) do
      got[i] = curl(peer.url .. path)
    end
    assert.same({ "x", "any", "x", "any", "any" }, got)
    assert.equal("put", curl("-X", "PUT", peer.url))
  end)

  it("undoes chunked framing and keeps it too", function()
    peer:reply("ok")
    curl(peer.url, "-H", "Transfer-Encoding: chunked", "-d", "abc")
    assert.equal("abc", peer:last().body)
    assert.equal("3\r\nabc\r\n0\r\n\r\n", peer:last().raw_body)
  end)

  it("sends chunks, waits, and ends with the connection", function()
    peer:reply(
      { pieces = { "ab", 0.05, "cd" }, chunked = true },
      { pieces = { "ef", "gh" }, until_close = true }
    )
    assert.equal("abcd", curl(peer.url))
    assert.equal("efgh", curl(peer.url))
  end)

  -- What curl's exit codes call it.
  local partial, timed_out, nothing, receiving = 18, 28, 52, 56
  local breaks = {
    { "closes in the middle of a body", { body = "12345", cut = { after = 2 } }, partial },
    { "resets in the middle of a body", { body = "12345", cut = { after = 2, how = "reset" } }, receiving },
    { "hangs in the middle of a body", { body = "12345", cut = { after = 2, how = "hang" } }, timed_out },
    { "never answers", { hang = true }, timed_out },
    { "resets instead of answering", { reset = true }, receiving },
    { "sends raw bytes", { raw = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx" }, partial },
    { "sends nothing", { raw = "" }, nothing },
  }
  for _, case in ipairs(breaks) do
    it(case[1], function()
      peer:reply(case[2])
      local output, code = curl("--max-time", case[3] == timed_out and "1" or "60", peer.url)
      assert.same({ nil, case[3] }, { output, code })
      assert.equal(1, #peer:requests())
    end)
  end

  it("speaks TLS with a certificate of its own, and asks for one", function()
    local secure <close> = server.start({ tls = { client = true } })
    secure:reply("secret")
    assert.is_nil(curl(secure.url))
    assert.is_nil((curl(secure.url, "--cacert", secure.ca)))
    assert.equal("secret", curl("https://localhost:" .. secure.port, "--cacert", secure.ca,
      "--cert", secure.client_cert, "--key", secure.client_key))
    local request = secure:last()
    assert.same({ "localhost", "commonName=client" }, { request.server_name, request.client_subject })
  end)

  it("tunnels as a proxy does", function()
    local proxy <close> = server.start()
    peer:reply("through")
    local through = { "--noproxy", "", "--proxytunnel", "-x", proxy.url }
    assert.equal("through", curl(peer.url, table.unpack(through)))
    assert.equal("CONNECT", proxy:last().method)
  end)

  it("keeps a port where nobody listens and one where connecting never ends", function()
    local refusing <close> = server.start({ refuse = true })
    local _, code = curl(refusing.url)
    assert.equal(7, code)
    local deaf <close> = server.start({ deaf = true })
    _, code = curl("--connect-timeout", "0.3", deaf.url)
    assert.equal(28, code)
  end)
end)

describe("moto's server", function()
  it("answers, and forgets what it was told", function()
    local moto = require("spec.support.moto")
    local signed = { "-H", "Authorization: AWS4-HMAC-SHA256 Credential=a/1/us-east-1/s3/aws4_request" }
    assert.equal("", curl("-X", "PUT", moto.url .. "/bucket", "-o", "/dev/null", table.unpack(signed)))
    assert.matches("<Name>bucket</Name>", curl(moto.url, table.unpack(signed)))
    moto.reset()
    assert.not_matches("<Name>bucket</Name>", curl(moto.url, table.unpack(signed)))
  end)
end)
