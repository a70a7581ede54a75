--- S3 Express: requests to a directory bucket are signed with the keys of a session with that bucket.
---
--- A client keeps the sessions of the buckets used last. They are good for some minutes; one is renewed a
--- little before it ends by one call, which others wait for only when it must be.
local core = require("luaws.core")
local errors = require("luaws.errors")

local s3_express = {}

local MAX_BUCKETS = 100
local RENEWED_BEFORE_S = 45 -- if that can be done
local UNUSED_BEFORE_S = 10

-- client → { [bucket] = session, used = n, count = n }
local caches = setmetatable({}, { __mode = "k" })

local function forget_oldest(sessions)
  local oldest, since
  for bucket, session in pairs(sessions.by_bucket) do
    if not since or session.used < since then
      oldest, since = bucket, session.used
    end
  end
  sessions.by_bucket[oldest] = nil
  sessions.count = sessions.count - 1
end

local function find(client, bucket)
  local sessions = caches[client]
  if not sessions then
    sessions = { by_bucket = {}, count = 0, uses = 0 }
    caches[client] = sessions
  end
  local session = sessions.by_bucket[bucket]
  if not session then
    if sessions.count == MAX_BUCKETS then
      forget_oldest(sessions)
    end
    session = { expires = 0 }
    sessions.by_bucket[bucket] = session
    sessions.count = sessions.count + 1
  end
  sessions.uses = sessions.uses + 1
  session.used = sessions.uses
  return session
end

local function renew(session, client, bucket)
  local keys = client:create_session{ Bucket = bucket }.Credentials
  session.keys = keys
  session.expires = keys.Expiration
end

local function is_renewing(session)
  return session.task and not session.task:done()
end

-- Within tasks one renews and the others wait.
local function renew_once(session, client, bucket)
  if not core.task() then
    return renew(session, client, bucket)
  end
  if not is_renewing(session) then
    session.task = require("luaws.async").spawn(renew, session, client, bucket)
  end
  session.task:await()
end

--- Gives a call the keys that it is to be signed with.
---@param client table
---@param call userdata
---@param params table the call's own
function s3_express.identify(client, call, params)
  local bucket = params.Bucket
  local session = find(client, bucket)
  local left = session.expires - core.client_time(client)
  if left < UNUSED_BEFORE_S then
    renew_once(session, client, bucket)
  elseif left < RENEWED_BEFORE_S and not is_renewing(session) then
    local ok, err = pcall(renew_once, session, client, bucket)
    if not ok and errors.is_interruption(err) then
      error(err, 0)
    end
  end
  if session.expires < core.client_time(client) then
    errors.raise("RuntimeError",
      "Credentials were refreshed, but the refreshed credentials are still expired.")
  end
  local keys = session.keys
  call:set_keys(keys.AccessKeyId, keys.SecretAccessKey, keys.SessionToken)
end

return s3_express
