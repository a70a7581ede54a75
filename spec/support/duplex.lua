-- An HTTP/2 server that reads events while it answers with others, and checks every signature and sum itself.
--
--   local duplex = require("spec.support.duplex")
--   local peer = duplex.start()                       -- or duplex.start{ tls = true }
--   peer:plan{ echo = { event = "AudioEvent" } }      -- how every request is answered; several: one each
--   ... calls peer.url ...
--   local stream = peer:streams(1)[1]                 -- waits until one is over
--
-- A plan is a table with any of:
--   status = 200, headers = {…}, body = "…"    a status from 300 on ends the answer at once
--   head_after = 2          sends the headers of the answer only after so many events
--   first = { frames… }     sends these (spec.support.event_stream) with them
--   echo = { event = "AudioEvent", member = "bytes", times = 1 }
--                           answers each event with others that hold how many came and the hash of its
--                           payload, { n =, sha256 = }: as their payload, or in base64 as this member
--   steps = { { after = 3, frames = {…}, reset = 2, cut = true, end = true, freeze = 1 }, … }
--   last = { frames… }      sends these when the input has ended, and ends
--   stays = true            does not end then
--   reset_after_end = true  resets the stream after it has ended it, as servers do that want no more
--   hold = 0.5              takes the first bytes of the body, and acknowledges none for so many seconds
--   silent = 1              does nothing at all for so long, before it answers
--   forget = true           counts the events, and does not keep them
local cjson = require("cjson")
local child = require("spec.support.child")
local server = require("spec.support.server")

local Duplex = {}
local duplex_mt = { __name = "spec.duplex", __index = Duplex }
local duplex = {}

--- Starts the server on a free port of this machine.
---@param options? table tls = true
---@return table peer with `port`, `url`, and `ca`, the file to verify it with
function duplex.start(options)
  local folder = server.temporary_folder()
  local self = setmetatable({ _folder = folder, _seen = 0 }, duplex_mt)
  local said = {}
  if options and options.tls then
    local names = options.names or "DNS:localhost,IP:127.0.0.1"
    local cert, key = server.make_certificate(folder, "localhost", names)
    said.tls = { cert = cert, key = key }
    self.ca = cert
  end
  local port
  -- Debian's own Python, which has Debian's python3-h2.
  port, self._handle = child.start({ "/usr/bin/python3", "spec/support/duplex_server.py", folder,
    cjson.encode(said) }, "the spec's HTTP/2 server")
  self.port = math.tointeger(tonumber(port))
  self.url = ("%s://127.0.0.1:%d"):format(said.tls and "https" or "http", self.port)
  return self
end

--- Says how the next requests are answered.
function Duplex:plan(...)
  local path = self._folder .. "/plan.json"
  local file <close> = assert(io.open(path .. ".lua", "wb"))
  assert(file:write(cjson.encode({ ... })))
  file:close()
  assert(os.rename(path .. ".lua", path))
end

--- The streams that are over, since the last call: waits until there are so many. Each has `headers` (by
--- name), `events` ({ headers = { name = { type, value } }, payload }), `count`, `bytes`, `signed`, `errors`
--- (what was wrong with them), `pings`, `connection`, and `end`: "ended", "reset 8", "closed", "broken: …".
---@param count integer
---@return table[]
function Duplex:streams(count)
  for _ = 1, 2000 do
    local file = io.open(self._folder .. "/streams.jsonl", "rb")
    local found = {}
    for line in (file and file:read("a") or ""):gmatch("([^\n]+)\n") do
      found[#found + 1] = line
    end
    if file then
      file:close()
    end
    if #found - self._seen >= count then
      local streams = {}
      for i = self._seen + 1, #found do
        local stream = cjson.decode(found[i])
        local headers = {}
        for _, header in ipairs(stream.headers) do
          headers[header[1]] = header[2]
        end
        stream.headers = headers
        streams[#streams + 1] = stream
      end
      self._seen = #found
      return streams
    end
    child.output({ "sleep", "0.01" })
  end
  error("the streams that were waited for did not end", 2)
end

server.ends(Duplex, duplex_mt)

return duplex
