-- Which buckets are open to everybody, and by what: their policy or their ACL. Ten are looked at at once.
--   luaws examples/public_buckets.lua
local aws = require "luaws"

local s3 = aws.client("s3")

local EVERYBODY = {
  ["http://acs.amazonaws.com/groups/global/AllUsers"] = "everybody",
  ["http://acs.amazonaws.com/groups/global/AuthenticatedUsers"] = "everybody with an AWS account",
}

-- What answers nil instead of an error where the bucket has no such thing.
local function unless(code, answer, err)
  if err and not err:is(code) then
    error(err, 0)
  end
  return answer or {}
end

local function openings(bucket)
  local found = {}
  local block = unless("NoSuchPublicAccessBlockConfiguration",
    s3.try:get_public_access_block{ Bucket = bucket }).PublicAccessBlockConfiguration or {}
  local status = unless("NoSuchBucketPolicy", s3.try:get_bucket_policy_status{ Bucket = bucket }).PolicyStatus
  if status and status.IsPublic and not block.RestrictPublicBuckets then
    found[#found + 1] = "its policy"
  end
  for _, grant in ipairs(block.IgnorePublicAcls and {} or s3:get_bucket_acl{ Bucket = bucket }.Grants) do
    local who = EVERYBODY[grant.Grantee.URI or ""]
    if who then
      found[#found + 1] = ("its ACL: %s for %s"):format(grant.Permission, who)
    end
  end
  return found
end

local names = aws.jmespath.search("Buckets[].Name", s3:list_buckets())
local open = 0
for i, found in ipairs(aws.async.map(names, openings, { concurrency = 10 })) do
  for _, opening in ipairs(found) do
    print(names[i], opening)
  end
  open = open + (#found > 0 and 1 or 0)
end
print(("%d of %d buckets are open"):format(open, #names))
