"""The stories of spec/resource_stories_spec.lua, told with boto3: resource_stories.py URL_OF_BOTO3 URL_OF_LUAWS

Tells every story at the first address, and prints a JSON map: of each service what the story saw, and what boto3 reads of
the state that it left there and of the state that luaws left at the second address. Times are left out, and ids that are
made by chance become numbers in the order in which they turn up.
"""

import json
import os
import re
import sys

import boto3

TEMPLATE = json.dumps({
    "Parameters": {"Name": {"Type": "String"}},
    "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Name"}}}},
    "Outputs": {"Url": {"Value": {"Ref": "Name"}}},
})


def opened(service, url):
    return boto3.resource(service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="a",
                          aws_secret_access_key="b")


def by(items, *names):
    return sorted([[item[name] for name in names if item.get(name) is not None] for item in items], key=str)


# ---- stories: each the same steps as in spec/resource_stories_spec.lua ----


def cloudformation(r, see):
    for name in ("one", "two"):
        r.create_stack(StackName=name, TemplateBody=TEMPLATE, Tags=[{"Key": "team", "Value": "x"}],
                       Parameters=[{"ParameterKey": "Name", "ParameterValue": f"queue-{name}"}])
    stack = r.Stack("one")
    see(sorted(s.name for s in r.stacks.all()), stack.stack_status, stack.outputs, stack.tags)
    see([[s.logical_id, s.resource_type] for s in stack.resource_summaries.all()])
    resource = stack.Resource("Queue")
    see(resource.resource_type, resource.resource_status, resource.Stack().name)
    stack.update(TemplateBody=TEMPLATE, Parameters=[{"ParameterKey": "Name", "ParameterValue": "queue-new"}])
    see(stack.stack_status, [p["ParameterValue"] for p in stack.parameters], [e.logical_resource_id for e in stack.events.limit(2)])
    r.Stack("two").delete()
    see(sorted(s.name for s in r.stacks.filter(StackName="one")))


def cloudformation_state(client):
    return by(client.describe_stacks()["Stacks"], "StackName", "StackStatus", "Parameters", "Tags", "Outputs")


def cloudwatch(r, see):
    metric = r.Metric("App", "Errors")
    for value in (1, 2, 3):
        metric.put_data(MetricData=[{"MetricName": "Errors", "Value": value, "Timestamp": 1700000000 + value}])
    see([[m.namespace, m.name] for m in r.metrics.filter(Namespace="App")])
    found = metric.get_statistics(StartTime=1699999000, EndTime=1700009000, Period=86400, Statistics=["Sum", "Maximum"])
    see([[d["Sum"], d["Maximum"]] for d in found["Datapoints"]])
    for name in ("a", "b", "c"):
        metric.put_alarm(AlarmName=name, ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, Period=60,
                         Threshold=2, Statistic="Sum", ActionsEnabled=True)
    alarm = r.Alarm("a")
    see(alarm.threshold, alarm.metric.name, sorted(x.name for x in r.alarms.page_size(2)))
    alarm.set_state(StateValue="ALARM", StateReason="told")
    see(alarm.state_value, [x.name for x in metric.alarms.all()])
    r.alarms.filter(AlarmNamePrefix="c").delete()
    see(alarm.actions_enabled, sorted(x.name for x in r.alarms.all()))


def cloudwatch_state(client):
    return by(client.describe_alarms()["MetricAlarms"], "AlarmName", "StateValue", "ActionsEnabled", "Threshold")


def dynamodb(r, see):
    from boto3.dynamodb.conditions import Attr, Key

    for name in ("songs", "gone"):
        r.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", Tags=[{"Key": "team", "Value": "x"}],
                       KeySchema=[{"AttributeName": "artist", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
                       AttributeDefinitions=[{"AttributeName": "artist", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}])
    table = r.Table("songs")
    table.wait_until_exists()
    see(sorted(t.name for t in r.tables.all()), len(list(r.tables.limit(1))), table.table_status)
    with table.batch_writer(overwrite_by_pkeys=["artist", "n"]) as batch:
        for n in range(1, 61):
            batch.put_item(Item={"artist": "Bach", "n": n, "tags": {"fugue", "organ"}, "deep": {"list": [1, None, True]}})
        batch.put_item(Item={"artist": "Bach", "n": 60, "last": True})
        batch.delete_item(Key={"artist": "Bach", "n": 1})
    found = table.query(KeyConditionExpression=Key("artist").eq("Bach") & Key("n").between(5, 9),
                        FilterExpression=Attr("n").gt(6) & ~Attr("last").exists(), ScanIndexForward=False)
    see([int(i["n"]) for i in found["Items"]], table.get_item(Key={"artist": "Bach", "n": 60})["Item"].get("last"))
    made = table.update_item(Key={"artist": "Bach", "n": 2}, UpdateExpression="SET #c = :c", ReturnValues="UPDATED_NEW",
                             ExpressionAttributeNames={"#c": "count"}, ExpressionAttributeValues={":c": 7},
                             ConditionExpression=Attr("tags").contains("organ"))
    see(int(made["Attributes"]["count"]))
    r.Table("gone").delete()
    r.Table("gone").wait_until_not_exists()
    see(table.item_count, sorted(t.name for t in r.tables.all()))


def dynamodb_state(client):
    pages = client.get_paginator("scan").paginate(TableName="songs")
    items = [item for page in pages for item in page["Items"]]
    for item in items:
        if "tags" in item:
            item["tags"] = sorted(item["tags"])
    return [client.list_tables()["TableNames"], sorted(items, key=lambda i: i["n"])]


def ec2(r, see):
    vpc = r.create_vpc(CidrBlock="10.1.0.0/16")
    vpc.create_tags(Tags=[{"Key": "Name", "Value": "main"}])
    vpc.wait_until_available()
    subnet = vpc.create_subnet(CidrBlock="10.1.1.0/24")
    group = vpc.create_security_group(GroupName="web", Description="web servers")
    group.authorize_ingress(IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0")
    see(subnet.vpc == vpc, [s.cidr_block for s in vpc.subnets.all()], group.ip_permissions[0]["FromPort"])
    image = sorted(i.id for i in r.images.filter(Owners=["amazon"]))[0]
    made = r.create_instances(ImageId=image, MinCount=3, MaxCount=3, InstanceType="t3.micro", SubnetId=subnet.id,
                              SecurityGroupIds=[group.id])
    for i, instance in enumerate(made):
        instance.wait_until_running()
        instance.create_tags(Tags=[{"Key": "n", "Value": str(i + 1)}, {"Key": "old", "Value": "y"}])
    tag = [{"Name": "tag:n", "Values": ["1", "2"]}]
    chosen = r.instances.filter(Filters=tag)
    see(len(list(chosen)), len(list(chosen.limit(1))), [len(p) for p in r.instances.page_size(5).pages()])
    chosen.stop()
    for instance in chosen:
        instance.wait_until_stopped()
    made[0].delete_tags(Tags=[{"Key": "old"}])
    made[2].terminate()
    made[2].wait_until_terminated()
    made[0].reload()
    see(made[0].state["Name"], made[2].state["Name"], made[0].subnet.id == subnet.id, sorted(t["Key"] for t in made[0].tags))
    volume = r.create_volume(AvailabilityZone="us-east-1a", Size=8)
    snapshot = volume.create_snapshot(Description="before")
    snapshot.wait_until_completed()
    see(snapshot.volume_size, snapshot.volume.id == volume.id)
    volume.delete()
    pair = r.create_key_pair(KeyName="key")
    see(pair.name, [k.name for k in r.key_pairs.all()], len(pair.key_material) > 0)
    address = r.VpcAddress(r.meta.client.allocate_address(Domain="vpc")["AllocationId"])
    address.associate(InstanceId=made[0].id)
    address.reload()
    see(address.instance_id == made[0].id)


def ec2_state(client):
    instances = [i for reservation in client.describe_instances()["Reservations"] for i in reservation["Instances"]]
    for thing in instances:
        thing["Tags"] = by(thing.get("Tags", []), "Key", "Value")
        thing["State"] = thing["State"]["Name"]
    groups = client.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["web"]}])["SecurityGroups"]
    return [
        by(instances, "State", "InstanceType", "Tags", "ImageId"),
        by(client.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["main"]}])["Vpcs"], "CidrBlock", "Tags", "State"),
        by(groups, "GroupName", "Description", "IpPermissions"), by(client.describe_volumes()["Volumes"], "Size", "State"),
        by(client.describe_snapshots(Filters=[{"Name": "description", "Values": ["before"]}])["Snapshots"], "VolumeSize", "Description", "State"),
        by(client.describe_key_pairs()["KeyPairs"], "KeyName"), by(client.describe_addresses()["Addresses"], "Domain"),
    ]


def glacier(r, see):
    for name in ("one", "two"):
        r.create_vault(vaultName=name)
    vault = r.Vault("-", "one")
    archive = vault.upload_archive(archiveDescription="notes", body=b"hello glacier")
    see(vault.vault_name, vault.number_of_archives, archive.vault_name, len(archive.id) > 10)
    see(sorted(v.name for v in r.vaults.all()), sorted(v.name for v in r.Account("-").vaults.limit(1)))
    job = vault.initiate_inventory_retrieval()
    see(job.vault_name, job.action, [j.action for j in vault.jobs.all()])
    archive.delete()
    r.Vault("-", "two").delete()
    vault.reload()
    see(vault.number_of_archives)


def glacier_state(client):
    return by(client.list_vaults()["VaultList"], "VaultName", "NumberOfArchives", "SizeInBytes")


POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})


def iam(r, see):
    group = r.create_group(GroupName="devs")
    users = [r.create_user(UserName=name, Path="/team/") for name in ("ann", "bob", "cid")]
    for user in users[:2]:
        user.add_group(GroupName="devs")
    policy = r.create_policy(PolicyName="files", PolicyDocument=POLICY)
    users[0].attach_policy(PolicyArn=policy.arn)
    group.create_policy(PolicyName="inline", PolicyDocument=POLICY)
    see([u.name for u in group.users.all()], [g.name for g in users[0].groups.all()], policy.attachment_count)
    see(sorted(u.name for u in r.users.filter(PathPrefix="/team/").page_size(1)), users[0].create_date is not None)
    see(group.Policy("inline").policy_document["Statement"][0]["Action"], policy.default_version.document["Version"])
    version = policy.create_version(PolicyDocument=POLICY.replace("s3:*", "s3:Get*"), SetAsDefault=True)
    policy.reload()
    see(policy.default_version_id, version.version_id, sorted(v.version_id for v in policy.versions.all()))
    pair = users[1].create_access_key_pair()
    see(pair.user_name, pair.status, [k.status for k in users[1].access_keys.all()])
    pair.deactivate()
    role = r.create_role(RoleName="app", AssumeRolePolicyDocument=POLICY)
    role.attach_policy(PolicyArn=policy.arn)
    profile = r.create_instance_profile(InstanceProfileName="app")
    profile.add_role(RoleName="app")
    profile.reload()
    see([x.name for x in profile.roles], [p.policy_name for p in role.attached_policies.all()], role.assume_role_policy_document["Version"])
    users[2].create_login_profile(Password="secret-123")
    users[2].LoginProfile().delete()
    users[2].delete()
    users[0].update(NewUserName="anna")
    see(sorted(u.name for u in r.users.all()), r.User("anna").path)


def iam_state(client):
    return [
        by(client.list_users()["Users"], "UserName", "Path"), by(client.list_roles()["Roles"], "RoleName"),
        by(client.get_group(GroupName="devs")["Users"], "UserName"), client.list_group_policies(GroupName="devs")["PolicyNames"],
        by(client.list_access_keys(UserName="bob")["AccessKeyMetadata"], "UserName", "Status"),
        by(client.list_policies(Scope="Local")["Policies"], "PolicyName", "DefaultVersionId", "AttachmentCount"),
        by(client.list_instance_profiles()["InstanceProfiles"], "InstanceProfileName"),
    ]


def s3(r, see):
    bucket = r.create_bucket(Bucket="story")
    bucket.wait_until_exists()
    for i in range(1, 8):
        bucket.put_object(Key=f"logs/{i}", Body=b"x" * i, Metadata={"n": str(i)})
    notes = bucket.Object("a b/é+.txt")
    notes.put(Body="text", ContentType="text/plain", Tagging="k=v")
    notes.wait_until_exists()
    see([o.key for o in bucket.objects.filter(Prefix="logs/").page_size(3)], [o.size for o in bucket.objects.limit(4)])
    see(notes.content_type, notes.get()["Body"].read().decode(), bucket.Object("logs/3").metadata)
    bucket.Object("copy").copy_from(CopySource={"Bucket": "story", "Key": "a b/é+.txt"})
    bucket.Tagging().put(Tagging={"TagSet": [{"Key": "team", "Value": "x"}]})
    bucket.Versioning().enable()
    see(bucket.Versioning().status, bucket.Tagging().tag_set)
    bucket.put_object(Key="copy", Body=b"newer")
    see(sorted([v.object_key, v.is_latest] for v in bucket.object_versions.filter(Prefix="copy")))
    upload = bucket.Object("parts").initiate_multipart_upload()
    part = upload.Part(1).upload(Body=b"part one")
    upload.complete(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    see(bucket.Object("parts").content_length, [u.object_key for u in bucket.multipart_uploads.all()])
    deleted = bucket.objects.filter(Prefix="logs/").delete()
    see(sorted(d["Key"] for answer in deleted for d in answer["Deleted"]), [b.name for b in r.buckets.all()])
    bucket.Lifecycle().put(LifecycleConfiguration={"Rules": [{"ID": "old", "Prefix": "tmp/", "Status": "Enabled", "Expiration": {"Days": 3}}]})
    bucket.Object("a b/é+.txt").delete()
    bucket.Object("a b/é+.txt").wait_until_not_exists()
    other = r.create_bucket(Bucket="gone")
    other.put_object(Key="x")
    other.objects.all().delete()
    other.delete()
    other.wait_until_not_exists()


def s3_state(client):
    rules = client.get_bucket_lifecycle_configuration(Bucket="story")["Rules"]
    versions = client.list_object_versions(Bucket="story")
    return [
        by(client.list_objects_v2(Bucket="story")["Contents"], "Key", "Size", "ETag"),
        by(versions["Versions"], "Key", "IsLatest", "Size"), by(versions["DeleteMarkers"], "Key", "IsLatest"),
        client.get_bucket_tagging(Bucket="story")["TagSet"], by(rules, "ID", "Status", "Expiration"),
        by(client.list_buckets()["Buckets"], "Name"),
    ]


def sns(r, see):
    topics = [r.create_topic(Name=f"topic-{i}") for i in (1, 2, 3)]
    topic = topics[0]
    topic.set_attributes(AttributeName="DisplayName", AttributeValue="Topic")
    mail = topic.subscribe(Protocol="email", Endpoint="a@example.com", ReturnSubscriptionArn=True)
    topic.subscribe(Protocol="sms", Endpoint="+15551234567")
    see(topic.attributes["DisplayName"], sorted(t.arn for t in r.topics.all()), len(list(topic.subscriptions.all())))
    see(sorted(topic.publish(Message="hello", Subject="s")), mail.attributes["Protocol"])
    mail.set_attributes(AttributeName="RawMessageDelivery", AttributeValue="true")
    see(mail.attributes["RawMessageDelivery"], [s.arn == mail.arn for s in r.subscriptions.limit(1)])
    app = r.create_platform_application(Name="app", Platform="GCM", Attributes={})
    point = app.create_platform_endpoint(Token="token", Attributes={"Enabled": "false"})
    point.set_attributes(Attributes={"CustomUserData": "data"})
    see(point.attributes["Enabled"], point.attributes["CustomUserData"], [a.arn for a in r.platform_applications.all()], len(list(app.endpoints.all())))
    mail.delete()
    topics[2].delete()
    see(sorted(t.arn for t in r.topics.all()))


def sns_state(client):
    return [
        by(client.list_topics()["Topics"], "TopicArn"), by(client.list_subscriptions()["Subscriptions"], "Protocol", "Endpoint"),
        client.get_topic_attributes(TopicArn="arn:aws:sns:us-east-1:123456789012:topic-1")["Attributes"]["DisplayName"],
        by(client.list_platform_applications()["PlatformApplications"], "PlatformApplicationArn"),
    ]


REDRIVE = '{"deadLetterTargetArn": "%s", "maxReceiveCount": "5"}'


def sqs(r, see):
    dead = r.create_queue(QueueName="dead")
    queue = r.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "1", "DelaySeconds": "0"}, tags={"team": "x"})
    queue.set_attributes(Attributes={"RedrivePolicy": REDRIVE % dead.attributes["QueueArn"]})
    answer = queue.send_messages(Entries=[{"Id": str(i), "MessageBody": f"body {i}"} for i in range(1, 6)])
    queue.send_message(MessageBody="é", MessageAttributes={"n": {"DataType": "Number", "StringValue": "1"}})
    see(len(answer["Successful"]), queue.attributes["ApproximateNumberOfMessages"], r.get_queue_by_name(QueueName="work") == queue)
    messages = queue.receive_messages(MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=1)
    see([m.body for m in messages], messages[5].message_attributes["n"]["StringValue"], messages[0].queue_url == queue.url)
    messages[0].change_visibility(VisibilityTimeout=100)
    messages[1].delete()
    queue.delete_messages(Entries=[{"Id": str(i), "ReceiptHandle": m.receipt_handle} for i, m in enumerate(messages[2:4])])
    see([q.url == queue.url for q in dead.dead_letter_source_queues.all()], [q.url == dead.url for q in r.queues.filter(QueueNamePrefix="de")])
    dead.send_message(MessageBody="lost")
    dead.purge()
    gone = r.create_queue(QueueName="gone")
    gone.delete()
    see(len(list(r.queues.filter(QueueNamePrefix="wo"))), len(list(r.queues.filter(QueueNamePrefix="go"))))


def sqs_state(client):
    urls = [url for url in client.list_queues()["QueueUrls"] if "/queue-" not in url]  # of the stacks
    names = ["VisibilityTimeout", "RedrivePolicy", "QueueArn"]
    found = [client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] for url in urls]
    counts = [int(a["ApproximateNumberOfMessages"]) + int(a["ApproximateNumberOfMessagesNotVisible"]) for a in found]
    return [sorted(url.rsplit("/", 1)[1] for url in urls), by(found, *names), sorted(counts)]


STORIES = [cloudformation, cloudwatch, dynamodb, ec2, glacier, iam, s3, sns, sqs]


def without_chance(value):
    """Ids that are made by chance, as numbers in the order in which they turn up."""
    known = {}

    def number(match):
        return f"{match.group(1)}-{known.setdefault(match.group(0), len(known))}"

    text = json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    text = re.sub(r"\b(i|vpc|subnet|sg|sgr|vol|snap|eipalloc)-[0-9a-f]{8,17}\b", number, text)
    text = re.sub(r"\b([0-9a-f])[0-9a-f]{7}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", number, text)
    return json.loads(re.sub(r"127\.0\.0\.1:\d+", "HOST", text))


def main():
    os.environ.update(AWS_CONFIG_FILE="/nonexistent", AWS_SHARED_CREDENTIALS_FILE="/nonexistent")
    here, there = sys.argv[1:]
    out = {}
    for story in STORIES:
        name = story.__name__
        seen = []
        story(opened(name, here), lambda *values: seen.append(list(values)))
        state = globals()[name + "_state"]
        out[name] = {"seen": without_chance(seen), "left": without_chance(state(opened(name, here).meta.client))}
        try:
            out[name]["left_by_luaws"] = without_chance(state(opened(name, there).meta.client))
        except Exception as error:
            out[name]["left_by_luaws"] = repr(error)
    json.dump(out, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
