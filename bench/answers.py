"""The canned answers that every side of the benchmark reads: the same bytes on every machine.

Each is about as large, as deep and as varied as what AWS sends: DescribeInstances of 1000 instances (5.4 MB
of indented XML), ListObjectsV2 of 1000 keys (360 KB), a DynamoDB page of 1.9 MB.
"""
import hashlib
import json


def digits(*parts):
    """Hex digits that look random and are always the same."""
    return hashlib.sha256(":".join(str(p) for p in parts).encode()).hexdigest()


def element(name, value, depth):
    """XML as EC2 writes it: indented, lists as <item>."""
    indent = " " * depth
    if isinstance(value, dict):
        inner = "".join(element(k, v, depth + 1) for k, v in value.items())
        return f"{indent}<{name}>\n{inner}{indent}</{name}>\n"
    if isinstance(value, list):
        inner = "".join(element("item", v, depth + 1) for v in value)
        return f"{indent}<{name}>\n{inner}{indent}</{name}>\n"
    return f"{indent}<{name}>{value}</{name}>\n"


def instance(i):
    h = digits("instance", i)
    zone = "us-east-1" + "abcd"[i % 4]
    address = f"10.{i % 4}.{i // 250}.{i % 250}"
    dns = f"ip-{address.replace('.', '-')}.ec2.internal"
    groups = [{"groupId": "sg-" + digits("group", i % 7, n)[:17], "groupName": f"service-{i % 7}-{n}"} for n in (0, 1)]
    launched = f"2025-{1 + i % 12:02}-{1 + i % 28:02}T{i % 24:02}:{i % 60:02}:{i * 7 % 60:02}.000Z"
    kind = ("m5.large", "c6g.2xlarge", "t3.micro", "r5.4xlarge")[i % 4]
    return {
        "instanceId": "i-" + h[:17],
        "imageId": "ami-" + digits("image", i % 5)[:17],
        "instanceState": {"code": 16, "name": "running"},
        "privateDnsName": dns,
        "dnsName": f"ec2-54-{i % 200}-{i % 17}-{i % 250}.compute-1.amazonaws.com",
        "reason": "",
        "keyName": f"team-{i % 11}",
        "amiLaunchIndex": i % 4,
        "productCodes": [],
        "instanceType": kind,
        "launchTime": launched,
        "placement": {"availabilityZone": zone, "groupName": "", "tenancy": "default"},
        "monitoring": {"state": "enabled" if i % 2 else "disabled"},
        "subnetId": "subnet-" + digits("subnet", i % 4)[:17],
        "vpcId": "vpc-" + digits("vpc")[:17],
        "privateIpAddress": address,
        "ipAddress": f"54.{i % 200}.{i % 17}.{i % 250}",
        "sourceDestCheck": "true",
        "groupSet": groups,
        "architecture": "x86_64" if i % 4 != 1 else "arm64",
        "rootDeviceType": "ebs",
        "rootDeviceName": "/dev/xvda",
        "blockDeviceMapping": [
            {
                "deviceName": f"/dev/xvd{letter}",
                "ebs": {
                    "volumeId": "vol-" + digits("volume", i, letter)[:17],
                    "status": "attached",
                    "attachTime": launched,
                    "deleteOnTermination": "true" if letter == "a" else "false",
                },
            }
            for letter in "ab"[: 1 + i % 2]
        ],
        "virtualizationType": "hvm",
        "clientToken": h[20:56],
        "tagSet": [
            {"key": "Name", "value": f"worker-{i:04}"},
            {"key": "team", "value": f"team-{i % 11}"},
            {"key": "aws:autoscaling:groupName", "value": f"service-{i % 7}-asg-{digits('asg', i % 7)[:12]}"},
            {"key": "cost-centre", "value": str(4000 + i % 30)},
        ],
        "hypervisor": "xen",
        "networkInterfaceSet": [
            {
                "networkInterfaceId": "eni-" + digits("eni", i)[:17],
                "subnetId": "subnet-" + digits("subnet", i % 4)[:17],
                "vpcId": "vpc-" + digits("vpc")[:17],
                "description": "",
                "ownerId": "123456789012",
                "status": "in-use",
                "macAddress": "0a:" + ":".join(h[n : n + 2] for n in range(0, 10, 2)),
                "privateIpAddress": address,
                "privateDnsName": dns,
                "sourceDestCheck": "true",
                "groupSet": groups,
                "attachment": {
                    "attachmentId": "eni-attach-" + digits("attachment", i)[:17],
                    "deviceIndex": 0,
                    "status": "attached",
                    "attachTime": launched,
                    "deleteOnTermination": "true",
                    "networkCardIndex": 0,
                },
                "privateIpAddressesSet": [{"privateIpAddress": address, "privateDnsName": dns, "primary": "true"}],
                "ipv6AddressesSet": [],
                "interfaceType": "interface",
            }
        ],
        "iamInstanceProfile": {
            "arn": f"arn:aws:iam::123456789012:instance-profile/service-{i % 7}",
            "id": "AIPA" + digits("profile", i % 7)[:17].upper(),
        },
        "ebsOptimized": "true" if i % 3 else "false",
        "enaSupport": "true",
        "cpuOptions": {"coreCount": 1 + i % 8, "threadsPerCore": 2},
        "hibernationOptions": {"configured": "false"},
        "metadataOptions": {
            "state": "applied",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 2,
            "httpEndpoint": "enabled",
            "httpProtocolIpv6": "disabled",
            "instanceMetadataTags": "disabled",
        },
        "platformDetails": "Linux/UNIX",
        "usageOperation": "RunInstances",
        "privateDnsNameOptions": {
            "hostnameType": "ip-name",
            "enableResourceNameDnsARecord": "true",
            "enableResourceNameDnsAAAARecord": "false",
        },
        "maintenanceOptions": {"autoRecovery": "default"},
        "currentInstanceBootMode": "legacy-bios",
    }


def describe_instances(count=1000):
    reservations = [
        {
            "reservationId": "r-" + digits("reservation", i)[:17],
            "ownerId": "123456789012",
            "groupSet": [],
            "instancesSet": [instance(i)],
            "requesterId": "940372691376",
        }
        for i in range(count)
    ]
    inner = element("requestId", "8f7724cf-496f-496e-8fe3-bcf3aa4e0d4b", 1) + element("reservationSet", reservations, 1)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">\n{inner}'
        "</DescribeInstancesResponse>"
    )


def list_objects(count=1000):
    contents = "".join(
        f"<Contents><Key>logs/2025/{1 + i % 12:02}/{1 + i % 28:02}/service-{i % 7}/part-{i:05}-{digits('key', i)[:32]}"
        f".json.gz</Key><LastModified>2025-{1 + i % 12:02}-{1 + i % 28:02}T{i % 24:02}:{i % 60:02}:00.000Z"
        f"</LastModified><ETag>&quot;{digits('etag', i)[:32]}&quot;</ETag><ChecksumAlgorithm>CRC64NVME"
        f"</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>{i * 7919 % 9999991}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for i in range(count)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>bench</Name><Prefix></Prefix><KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys>"
        f"<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
    )


def query(count=2790):
    items = [
        {
            "pk": {"S": f"customer#{i % 97:04}"},
            "sk": {"S": f"order#2025-{1 + i % 12:02}-{1 + i % 28:02}#{digits('order', i)[:24]}"},
            "total": {"N": f"{i * 37 % 100000 / 100:.2f}"},
            "count": {"N": str(i % 13)},
            "paid": {"BOOL": i % 3 != 0},
            "note": {"NULL": True} if i % 5 else {"S": "leave it at the neighbour\u2019s \u2014 \"second\" door\n"},
            "tags": {"SS": [f"tag-{n}" for n in range(i % 4 + 1)]},
            "digest": {"B": "3q2+7wAAAAECAwQFBgcICQ=="},
            "address": {
                "M": {
                    "street": {"S": f"{i} Long Street"},
                    "city": {"S": ("Dublin", "Oregon City", "Frankfurt am Main")[i % 3]},
                    "point": {"L": [{"N": f"{i % 90}.{i:05}"}, {"N": f"-{i % 180}.{i:05}"}]},
                }
            },
            "lines": {
                "L": [
                    {"M": {"sku": {"S": digits("sku", i, n)[:12]}, "price": {"N": f"{n * 11 + 9}.99"}, "n": {"N": str(n + 1)}}}
                    for n in range(1 + i % 7)
                ]
            },
        }
        for i in range(count)
    ]
    return json.dumps({"Count": count, "Items": items, "ScannedCount": count}, separators=(",", ":"), ensure_ascii=False)


def body(megabytes=32):
    """Bytes that look random, for a streamed body."""
    block = b"".join(hashlib.sha256(i.to_bytes(4, "big")).digest() for i in range(1 << 15))
    return block * megabytes


def write_all(folder):
    (folder / "body.bin").write_bytes(body())
    for name, text in (
        ("describe_instances.xml", describe_instances()),
        ("list_objects.xml", list_objects()),
        ("query.json", query()),
    ):
        (folder / name).write_text(text, encoding="utf-8")
