-- The stories of spec/support/resource_stories.py, told with luaws: story(resource, see), a function for each
-- of the nine services that have resources. `see` is told what the story saw, in the same places and order.
local aws = require("luaws")
local cjson = require("cjson")

local stories = {}

local function map(items, key)
  local out = {}
  for i, item in ipairs(items) do
    out[i] = type(key) == "function" and key(item) or item[key]
  end
  return aws.list(out)
end

local function gather(collection, key)
  local out = {}
  for item in collection do
    out[#out + 1] = type(key) == "function" and key(item) or item[key]
  end
  return aws.list(out)
end

local function sorted(list)
  table.sort(list, function(a, b) return cjson.encode({ a }) < cjson.encode({ b }) end)
  return list
end

local function count(collection)
  return #gather(collection, function() return true end)
end

local TEMPLATE = cjson.encode {
  Parameters = { Name = { Type = "String" } },
  Resources = { Queue = { Type = "AWS::SQS::Queue", Properties = { QueueName = { Ref = "Name" } } } },
  Outputs = { Url = { Value = { Ref = "Name" } } },
}

function stories.cloudformation(r, see)
  for _, name in ipairs { "one", "two" } do
    r:create_stack { StackName = name, TemplateBody = TEMPLATE, Tags = { { Key = "team", Value = "x" } },
      Parameters = { { ParameterKey = "Name", ParameterValue = "queue-" .. name } } }
  end
  local stack = r:Stack("one")
  see(sorted(gather(r.stacks:all(), "name")), stack.stack_status, stack.outputs, stack.tags)
  see(gather(stack.resource_summaries:all(), function(s) return { s.logical_id, s.resource_type } end))
  local resource = stack:Resource("Queue")
  see(resource.resource_type, resource.resource_status, resource:Stack().name)
  stack:update { TemplateBody = TEMPLATE,
    Parameters = { { ParameterKey = "Name", ParameterValue = "queue-new" } } }
  see(stack.stack_status, map(stack.parameters, "ParameterValue"),
    gather(stack.events:limit(2), "logical_resource_id"))
  r:Stack("two"):delete()
  see(sorted(gather(r.stacks:filter { StackName = "one" }, "name")))
end

function stories.cloudwatch(r, see)
  local metric = r:Metric("App", "Errors")
  for value = 1, 3 do
    metric:put_data { MetricData = {
      { MetricName = "Errors", Value = value, Timestamp = 1700000000 + value } } }
  end
  see(gather(r.metrics:filter { Namespace = "App" }, function(m) return { m.namespace, m.name } end))
  local found = metric:get_statistics { StartTime = 1699999000, EndTime = 1700009000, Period = 86400,
    Statistics = { "Sum", "Maximum" } }
  see(map(found.Datapoints, function(d) return { d.Sum, d.Maximum } end))
  for _, name in ipairs { "a", "b", "c" } do
    metric:put_alarm { AlarmName = name, ComparisonOperator = "GreaterThanThreshold", EvaluationPeriods = 1,
      Period = 60, Threshold = 2, Statistic = "Sum", ActionsEnabled = true }
  end
  local alarm = r:Alarm("a")
  see(alarm.threshold, alarm.metric.name, sorted(gather(r.alarms:page_size(2), "name")))
  alarm:set_state { StateValue = "ALARM", StateReason = "told" }
  see(alarm.state_value, gather(metric.alarms:all(), "name"))
  r.alarms:filter { AlarmNamePrefix = "c" }:delete()
  see(alarm.actions_enabled, sorted(gather(r.alarms:all(), "name")))
end

function stories.dynamodb(r, see)
  local Key, Attr = aws.dynamodb.Key, aws.dynamodb.Attr
  for _, name in ipairs { "songs", "gone" } do
    r:create_table { TableName = name, BillingMode = "PAY_PER_REQUEST",
      Tags = { { Key = "team", Value = "x" } },
      KeySchema = { { AttributeName = "artist", KeyType = "HASH" },
        { AttributeName = "n", KeyType = "RANGE" } },
      AttributeDefinitions = { { AttributeName = "artist", AttributeType = "S" },
        { AttributeName = "n", AttributeType = "N" } } }
  end
  local songs = r:Table("songs")
  songs:wait_until_exists()
  see(sorted(gather(r.tables:all(), "name")), count(r.tables:limit(1)), songs.table_status)
  do
    local batch <close> = songs:batch_writer { overwrite_by_pkeys = { "artist", "n" } }
    for n = 1, 60 do
      batch:put_item { Item = { artist = "Bach", n = n, tags = aws.dynamodb.set { "fugue", "organ" },
        deep = { list = { 1, aws.null, true } } } }
    end
    batch:put_item { Item = { artist = "Bach", n = 60, last = true } }
    batch:delete_item { Key = { artist = "Bach", n = 1 } }
  end
  local found = songs:query { ScanIndexForward = false,
    KeyConditionExpression = Key("artist"):eq("Bach") & Key("n"):between(5, 9),
    FilterExpression = Attr("n"):gt(6) & ~Attr("last"):exists() }
  see(map(found.Items, "n"), songs:get_item { Key = { artist = "Bach", n = 60 } }.Item.last)
  local made = songs:update_item { Key = { artist = "Bach", n = 2 }, UpdateExpression = "SET #c = :c",
    ReturnValues = "UPDATED_NEW", ExpressionAttributeNames = { ["#c"] = "count" },
    ExpressionAttributeValues = { [":c"] = 7 }, ConditionExpression = Attr("tags"):contains("organ") }
  see(made.Attributes.count)
  r:Table("gone"):delete()
  r:Table("gone"):wait_until_not_exists()
  see(songs.item_count, sorted(gather(r.tables:all(), "name")))
end

function stories.ec2(r, see)
  local vpc = r:create_vpc { CidrBlock = "10.1.0.0/16" }
  vpc:create_tags { Tags = { { Key = "Name", Value = "main" } } }
  vpc:wait_until_available()
  local subnet = vpc:create_subnet { CidrBlock = "10.1.1.0/24" }
  local group = vpc:create_security_group { GroupName = "web", Description = "web servers" }
  group:authorize_ingress { IpProtocol = "tcp", FromPort = 80, ToPort = 80, CidrIp = "0.0.0.0/0" }
  see(subnet.vpc == vpc, gather(vpc.subnets:all(), "cidr_block"), group.ip_permissions[1].FromPort)
  local image = sorted(gather(r.images:filter { Owners = { "amazon" } }, "id"))[1]
  local made = r:create_instances { ImageId = image, MinCount = 3, MaxCount = 3, InstanceType = "t3.micro",
    SubnetId = subnet.id, SecurityGroupIds = { group.id } }
  for i, instance in ipairs(made) do
    instance:wait_until_running()
    instance:create_tags { Tags = { { Key = "n", Value = tostring(i) }, { Key = "old", Value = "y" } } }
  end
  local chosen = r.instances:filter { Filters = { { Name = "tag:n", Values = { "1", "2" } } } }
  local sizes = {}
  for page in r.instances:page_size(5):pages() do
    sizes[#sizes + 1] = #page
  end
  see(count(chosen), count(chosen:limit(1)), sizes)
  chosen:stop()
  for instance in chosen do
    instance:wait_until_stopped()
  end
  made[1]:delete_tags { Tags = { { Key = "old" } } }
  made[3]:terminate()
  made[3]:wait_until_terminated()
  made[1]:reload()
  see(made[1].state.Name, made[3].state.Name, made[1].subnet.id == subnet.id,
    sorted(map(made[1].tags, "Key")))
  local volume = r:create_volume { AvailabilityZone = "us-east-1a", Size = 8 }
  local snapshot = volume:create_snapshot { Description = "before" }
  snapshot:wait_until_completed()
  see(snapshot.volume_size, snapshot.volume.id == volume.id)
  volume:delete()
  local pair = r:create_key_pair { KeyName = "key" }
  see(pair.name, gather(r.key_pairs:all(), "name"), #pair.key_material > 0)
  local address = r:VpcAddress(r.meta.client:allocate_address { Domain = "vpc" }.AllocationId)
  address:associate { InstanceId = made[1].id }
  address:reload()
  see(address.instance_id == made[1].id)
end

function stories.glacier(r, see)
  for _, name in ipairs { "one", "two" } do
    r:create_vault { vaultName = name }
  end
  local vault = r:Vault("-", "one")
  local archive = vault:upload_archive { archiveDescription = "notes", body = "hello glacier" }
  see(vault.vault_name, vault.number_of_archives, archive.vault_name, #archive.id > 10)
  see(sorted(gather(r.vaults:all(), "name")), sorted(gather(r:Account("-").vaults:limit(1), "name")))
  local job = vault:initiate_inventory_retrieval()
  see(job.vault_name, job.action, gather(vault.jobs:all(), "action"))
  archive:delete()
  r:Vault("-", "two"):delete()
  vault:reload()
  see(vault.number_of_archives)
end

local POLICY = cjson.encode { Version = "2012-10-17",
  Statement = { { Effect = "Allow", Action = "s3:*", Resource = "*" } } }

function stories.iam(r, see)
  local group = r:create_group { GroupName = "devs" }
  local users = {}
  for i, name in ipairs { "ann", "bob", "cid" } do
    users[i] = r:create_user { UserName = name, Path = "/team/" }
  end
  users[1]:add_group { GroupName = "devs" }
  users[2]:add_group { GroupName = "devs" }
  local policy = r:create_policy { PolicyName = "files", PolicyDocument = POLICY }
  users[1]:attach_policy { PolicyArn = policy.arn }
  group:create_policy { PolicyName = "inline", PolicyDocument = POLICY }
  see(gather(group.users:all(), "name"), gather(users[1].groups:all(), "name"), policy.attachment_count)
  see(sorted(gather(r.users:filter { PathPrefix = "/team/" }:page_size(1), "name")),
    users[1].create_date ~= nil)
  see(group:Policy("inline").policy_document.Statement[1].Action, policy.default_version.document.Version)
  local version = policy:create_version { SetAsDefault = true,
    PolicyDocument = (POLICY:gsub("s3:%*", "s3:Get*")) }
  policy:reload()
  see(policy.default_version_id, version.version_id, sorted(gather(policy.versions:all(), "version_id")))
  local pair = users[2]:create_access_key_pair()
  see(pair.user_name, pair.status, gather(users[2].access_keys:all(), "status"))
  pair:deactivate()
  local role = r:create_role { RoleName = "app", AssumeRolePolicyDocument = POLICY }
  role:attach_policy { PolicyArn = policy.arn }
  local profile = r:create_instance_profile { InstanceProfileName = "app" }
  profile:add_role { RoleName = "app" }
  profile:reload()
  see(map(profile.roles, "name"), gather(role.attached_policies:all(), "policy_name"),
    role.assume_role_policy_document.Version)
  users[3]:create_login_profile { Password = "secret-123" }
  users[3]:LoginProfile():delete()
  users[3]:delete()
  users[1]:update { NewUserName = "anna" }
  see(sorted(gather(r.users:all(), "name")), r:User("anna").path)
end

function stories.s3(r, see)
  local bucket = r:create_bucket { Bucket = "story" }
  bucket:wait_until_exists()
  for i = 1, 7 do
    bucket:put_object { Key = "logs/" .. i, Body = ("x"):rep(i), Metadata = { n = tostring(i) } }
  end
  local notes = bucket:Object("a b/é+.txt")
  notes:put { Body = "text", ContentType = "text/plain", Tagging = "k=v" }
  notes:wait_until_exists()
  see(gather(bucket.objects:filter { Prefix = "logs/" }:page_size(3), "key"),
    gather(bucket.objects:limit(4), "size"))
  see(notes.content_type, notes:get().Body:read("a"), bucket:Object("logs/3").metadata)
  bucket:Object("copy"):copy_from { CopySource = { Bucket = "story", Key = "a b/é+.txt" } }
  bucket:Tagging():put { Tagging = { TagSet = { { Key = "team", Value = "x" } } } }
  bucket:Versioning():enable()
  see(bucket:Versioning().status, bucket:Tagging().tag_set)
  bucket:put_object { Key = "copy", Body = "newer" }
  see(sorted(gather(bucket.object_versions:filter { Prefix = "copy" },
    function(v) return { v.object_key, v.is_latest } end)))
  local upload = bucket:Object("parts"):initiate_multipart_upload()
  local part = upload:Part(1):upload { Body = "part one" }
  upload:complete { MultipartUpload = { Parts = { { PartNumber = 1, ETag = part.ETag } } } }
  see(bucket:Object("parts").content_length, gather(bucket.multipart_uploads:all(), "object_key"))
  local keys = {}
  for _, answer in ipairs(bucket.objects:filter { Prefix = "logs/" }:delete()) do
    for _, deleted in ipairs(answer.Deleted) do
      keys[#keys + 1] = deleted.Key
    end
  end
  see(sorted(keys), gather(r.buckets:all(), "name"))
  bucket:Lifecycle():put { LifecycleConfiguration = {
    Rules = { { ID = "old", Prefix = "tmp/", Status = "Enabled", Expiration = { Days = 3 } } } } }
  bucket:Object("a b/é+.txt"):delete()
  bucket:Object("a b/é+.txt"):wait_until_not_exists()
  local other = r:create_bucket { Bucket = "gone" }
  other:put_object { Key = "x" }
  other.objects:all():delete()
  other:delete()
  other:wait_until_not_exists()
end

function stories.sns(r, see)
  local topics = {}
  for i = 1, 3 do
    topics[i] = r:create_topic { Name = "topic-" .. i }
  end
  local topic = topics[1]
  topic:set_attributes { AttributeName = "DisplayName", AttributeValue = "Topic" }
  local mail = topic:subscribe { Protocol = "email", Endpoint = "a@example.com",
    ReturnSubscriptionArn = true }
  topic:subscribe { Protocol = "sms", Endpoint = "+15551234567" }
  see(topic.attributes.DisplayName, sorted(gather(r.topics:all(), "arn")), count(topic.subscriptions:all()))
  local published = {}
  for name in pairs(topic:publish { Message = "hello", Subject = "s" }) do
    published[#published + 1] = name
  end
  see(sorted(published), mail.attributes.Protocol)
  mail:set_attributes { AttributeName = "RawMessageDelivery", AttributeValue = "true" }
  see(mail.attributes.RawMessageDelivery,
    gather(r.subscriptions:limit(1), function(s) return s.arn == mail.arn end))
  local app = r:create_platform_application { Name = "app", Platform = "GCM", Attributes = {} }
  local point = app:create_platform_endpoint { Token = "token", Attributes = { Enabled = "false" } }
  point:set_attributes { Attributes = { CustomUserData = "data" } }
  see(point.attributes.Enabled, point.attributes.CustomUserData, gather(r.platform_applications:all(), "arn"),
    count(app.endpoints:all()))
  mail:delete()
  topics[3]:delete()
  see(sorted(gather(r.topics:all(), "arn")))
end

local REDRIVE = '{"deadLetterTargetArn": "%s", "maxReceiveCount": "5"}'

function stories.sqs(r, see)
  local dead = r:create_queue { QueueName = "dead" }
  local queue = r:create_queue { QueueName = "work", tags = { team = "x" },
    Attributes = { VisibilityTimeout = "1", DelaySeconds = "0" } }
  queue:set_attributes { Attributes = { RedrivePolicy = REDRIVE:format(dead.attributes.QueueArn) } }
  local entries = {}
  for i = 1, 5 do
    entries[i] = { Id = tostring(i), MessageBody = "body " .. i }
  end
  local answer = queue:send_messages { Entries = entries }
  queue:send_message { MessageBody = "é",
    MessageAttributes = { n = { DataType = "Number", StringValue = "1" } } }
  see(#answer.Successful, queue.attributes.ApproximateNumberOfMessages,
    r:get_queue_by_name { QueueName = "work" } == queue)
  local messages = queue:receive_messages { MaxNumberOfMessages = 10, MessageAttributeNames = { "All" },
    WaitTimeSeconds = 1 }
  see(map(messages, "body"), messages[6].message_attributes.n.StringValue, messages[1].queue_url == queue.url)
  messages[1]:change_visibility { VisibilityTimeout = 100 }
  messages[2]:delete()
  queue:delete_messages { Entries = { { Id = "0", ReceiptHandle = messages[3].receipt_handle },
    { Id = "1", ReceiptHandle = messages[4].receipt_handle } } }
  see(gather(dead.dead_letter_source_queues:all(), function(q) return q.url == queue.url end),
    gather(r.queues:filter { QueueNamePrefix = "de" }, function(q) return q.url == dead.url end))
  dead:send_message { MessageBody = "lost" }
  dead:purge()
  r:create_queue { QueueName = "gone" }:delete()
  see(count(r.queues:filter { QueueNamePrefix = "wo" }), count(r.queues:filter { QueueNamePrefix = "go" }))
end

return stories
