--- What buckets and objects can do beside what the resource model says.
local Bucket, Object, ObjectSummary = {}, {}, {}

--- Reads the bucket's creation date. Only a list of all buckets has it, so that a caller who must not see
--- that list, or a bucket of somebody else, leaves it nil.
function Bucket:load()
  local ok, answer = pcall(self.meta.client.list_buckets, self.meta.client, {})
  if not ok and not (type(answer) == "table" and answer.kind == "ClientError"
    and answer.code == "AccessDenied") then
    error(answer, 0)
  end
  local data = {}
  for _, found in ipairs(ok and answer.Buckets or {}) do
    if found.Name == self.name then
      data = found
    end
  end
  self.meta.data = data -- not before it is known: other tasks may ask meanwhile
end

--- Reads what a HEAD of the object says.
function ObjectSummary:load()
  local data = self.meta.client:head_object { Bucket = self.bucket_name, Key = self.key }
  data.Size, data.ContentLength = data.ContentLength, nil
  self.meta.data = data
end

for _, name in ipairs{ "upload_file", "upload_fileobj", "download_file", "download_fileobj", "copy" } do
  Bucket[name] = function(...)
    return require("luaws.transfer").bucket[name](...)
  end
  Object[name] = function(...)
    return require("luaws.transfer").object[name](...)
  end
end

for _, name in ipairs{ "upload_dir", "download_dir", "sync" } do
  Bucket[name] = function(...)
    return require("luaws.transfer").bucket[name](...)
  end
end

return { Bucket = Bucket, Object = Object, ObjectSummary = ObjectSummary }
