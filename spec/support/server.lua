-- An HTTP server that does what a spec tells it: canned answers, delays, broken connections, TLS.
--
--   local server = require("spec.support.server")
--   local peer = server.start()                            -- or server.start{ tls = true }
--   peer:reply({ status = 503 }, { body = "hello" })       -- in this order, each once
--   ... calls peer.url ...
--   local request = peer:requests()[1]                     -- method, target, headers, body
--   peer:stop()                                            -- or leave it to the end of the process
--
-- A reply is a string (a body) or a table with any of:
--   status, reason, headers (a table, or { { name, value }, … } to repeat a name), body
--   pieces = { "some", 0.1, "more" }   the body in parts; at a number the server waits, in seconds
--   chunked = true, trailers = {…}     sends the pieces as HTTP chunks
--   delay = 0.2                        waits before it answers
--   cut = { after = 10, how = "reset" | "close" | "hang" }   breaks off after so many bytes of the body
--   raw = "…", then_ = "close" | "reset" | "hang"            sends these bytes instead, and then does that
--   hang = true                        never answers
--   reset = true                       resets the connection instead of answering
--   close = true                       closes the connection after the answer
--   until_close = true                 sends no Content-Length: the body ends with the connection
--   early = true                       answers before it reads the body
--   no_continue = true                 ignores `Expect: 100-continue`
--   continue_headers = {…}             headers of the 100 that answers it
--   read_speed = 10000                 reads the body at so many bytes a second
--   method, target                     only for requests with this method, and a target that this (Python)
--                                      regular expression finds something in
--   range = "bytes=4-7"                only for requests of this range
--   times = 3, or always = true        how often it is given
-- A request that no reply is left for gets status 500 and is marked `unexpected`. A CONNECT that none is
-- planned for is tunnelled, to this machine only.
local cjson = require("cjson")
local child = require("spec.support.child")

local Server = {}
local server_mt = { __name = "spec.server", __index = Server }
local server = {}

local function read_file(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local data = file:read("a")
  file:close()
  return data
end

-- Replaces the file in one step, since the server may be reading it.
local function write_file(path, data)
  local file <close> = assert(io.open(path .. ".new", "wb"))
  assert(file:write(data))
  file:close()
  assert(os.rename(path .. ".new", path))
end

--- Makes a folder for the life of this process.
local function temporary_folder()
  return (child.output({ "mktemp", "-d" }):gsub("\n$", ""))
end

--- Makes a certificate that is its own authority, and its key.
---@param folder string
---@param name string the stem of the two files
---@param names string the subjectAltName
---@return string certificate, string key
function server.make_certificate(folder, name, names)
  local cert, key = folder .. "/" .. name .. ".pem", folder .. "/" .. name .. ".key"
  child.output({ "sh", "-c", 'exec openssl "$@" 2>/dev/null', "openssl", "req", "-x509", "-nodes",
    "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2", "-subj", "/CN=" .. name,
    "-addext", "subjectAltName=" .. names, "-keyout", key, "-out", cert })
  return cert, key
end

server.temporary_folder = temporary_folder

--- Gives a kind of server, whose process is `_handle` and whose files are in `_folder`, its `stop`: by name,
--- by `<close>`, and when it is collected. Stopping twice is fine.
---@param class table its methods
---@param mt table its metatable
function server.ends(class, mt)
  function class.stop(self)
    if self._handle then
      self._handle:close()
      self._handle = nil
      child.output({ "rm", "-rf", self._folder })
    end
  end
  mt.__close = class.stop
  mt.__gc = function(self)
    pcall(class.stop, self)
  end
end

--- Starts a server on a free port of this machine.
--- Options: `tls` (true, or a table with `names`, a subjectAltName; `client = true` to ask for a client
--- certificate, found in `client_cert` and `client_key`; `version`, as "TLSv1_2"), `ipv6`, `refuse` (a port
--- that nobody listens on), `deaf` (a port where connecting never ends).
---@param options? table
---@return table server with `port`, `url`, and `ca`, the file to verify it with
function server.start(options)
  options = options or {}
  local folder = temporary_folder()
  local self = setmetatable({ _folder = folder }, server_mt)
  local said = { ipv6 = options.ipv6, refuse = options.refuse, deaf = options.deaf }
  if options.tls then
    local tls = options.tls == true and {} or options.tls
    local cert, key = server.make_certificate(folder, "localhost",
      tls.names or "DNS:localhost,IP:127.0.0.1,IP:::1")
    said.tls = { cert = cert, key = key, version = tls.version }
    self.ca = cert
    if tls.client then
      self.client_cert, self.client_key = server.make_certificate(folder, "client", "DNS:client")
      said.tls.client_ca = self.client_cert
    end
  end
  local port
  port, self._handle = child.start({ "python3", "spec/support/http_server.py", folder, cjson.encode(said) },
    "the spec's HTTP server")
  self.port = math.tointeger(tonumber(port))
  self.host = options.ipv6 and "[::1]" or "127.0.0.1"
  self.url = ("%s://%s:%d"):format(options.tls and "https" or "http", self.host, self.port)
  return self
end

--- Says how the next requests are answered, in place of what was said before.
function Server:reply(...)
  local replies = {}
  for i, reply in ipairs({ ... }) do
    if type(reply) == "string" then
      reply = { body = reply }
    end
    local copy = {}
    for name, value in pairs(reply) do
      copy[name == "then_" and "then" or name] = value
    end
    replies[i] = copy
  end
  self._plans = (self._plans or 0) + 1
  write_file(self._folder .. "/plan.json", #replies == 0 and "[]" or cjson.encode(replies))
end

--- The requests received since the start or the last `clear`, each with `method`, `target`, `path`,
--- `query`, `version`, `headers` (lower-case names, repeated ones joined by ", "), `header_list`
--- ({ name, value } as sent), `body`, `raw_body` (with chunked framing), `trailers`, `connection` (a number),
--- `time`, `complete` (false if the body was not read to its end), `unexpected`; over TLS also `tls`,
--- `server_name` and `client_subject`; and `proxy_user`, who it says it is to a proxy.
---@return table[]
function Server:requests()
  local requests = {}
  -- The last line may be half-written still.
  for line in (read_file(self._folder .. "/requests.jsonl") or ""):gmatch("([^\n]+)\n") do
    local request = cjson.decode(line)
    if request.number > (self._cleared or 0) then
      request.number = math.tointeger(request.number)
      request.connection = math.tointeger(request.connection)
      request.path, request.query = request.target:match("^([^?]*)%??(.*)$")
      request.header_list, request.headers = request.headers, {}
      for _, header in ipairs(request.header_list) do
        local name = header[1]:lower()
        local before = request.headers[name]
        request.headers[name] = before and before .. ", " .. header[2] or header[2]
      end
      request.body = read_file(self._folder .. "/body-" .. request.number)
      request.raw_body = read_file(self._folder .. "/raw-" .. request.number)
      requests[#requests + 1] = request
    end
    self._received = request.number
  end
  return requests
end

--- The last request received, or nil.
function Server:last()
  local requests = self:requests()
  return requests[#requests]
end

--- How many connections were made to it, those without a request too.
function Server:connections()
  return #(read_file(self._folder .. "/connections") or "")
end

--- Forgets the requests received and the replies planned.
function Server:clear()
  self:requests()
  self._cleared = self._received
  self:reply()
end

server.ends(Server, server_mt)

return server
