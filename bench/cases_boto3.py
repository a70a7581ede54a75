"""cases_boto3.py CASE URL TIMES [CAs]: boto3's side of the benchmark. Prints what one operation cost."""
import gc
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

case, url, times = sys.argv[1], sys.argv[2], int(sys.argv[3])


def client(name, **more):
    return boto3.client(name, endpoint_url=f"{url}/{name}", **more)


def report(**fields):
    print(json.dumps(fields))


def measure(fn):
    for i in range(times // 10 + 1):
        fn(i)
    gc.collect()
    began, began_at = time.process_time(), time.monotonic()
    for i in range(times):
        fn(i)
    report(cpu_us=(time.process_time() - began) * 1e6 / times, wall_us=(time.monotonic() - began_at) * 1e6 / times)


def resident_kib():
    gc.collect()
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def measure_memory(fn):
    kept = [fn()]
    before = resident_kib()
    for _ in range(times):
        kept.append(fn())
    report(kib=(resident_kib() - before) / times)


def call():
    sqs = client("sqs")
    measure(lambda _: sqs.get_queue_url(QueueName="orders")["QueueUrl"])


def tls():
    assert client("sqs", verify=sys.argv[4]).get_queue_url(QueueName="orders")["QueueUrl"]


def describe_instances():
    ec2 = client("ec2")
    measure(lambda _: ec2.describe_instances()["Reservations"])


def list_objects():
    s3 = client("s3", config=Config(s3={"addressing_style": "path"}))
    measure(lambda _: s3.list_objects_v2(Bucket="bench")["Contents"])


def get_object():
    s3 = client("s3", config=Config(s3={"addressing_style": "path"}))

    def read(_):
        chunks = s3.get_object(Bucket="bench", Key="body")["Body"].iter_chunks(64 * 1024)
        assert sum(len(chunk) for chunk in chunks) == 32 << 20

    measure(read)


def query():
    dynamodb = client("dynamodb")
    measure(lambda _: dynamodb.query(TableName="orders", KeyConditionExpression="pk = :pk",
                                     ExpressionAttributeValues={":pk": {"S": "customer#1"}})["Items"])


def concurrent():
    sqs = client("sqs", config=Config(max_pool_connections=64))
    with ThreadPoolExecutor(64) as threads:
        list(threads.map(lambda _: sqs.get_queue_url(QueueName="orders"), range(64)))
        began, began_at = time.process_time(), time.monotonic()
        list(threads.map(lambda _: sqs.get_queue_url(QueueName="orders"), range(times)))
        report(cpu_us=(time.process_time() - began) * 1e6 / times, wall_us=(time.monotonic() - began_at) * 1e6 / times)


def further_client():
    session = boto3.Session(region_name="eu-west-1")
    measure(lambda _: session.client("ec2"))


def presign():
    s3 = boto3.client("s3")
    measure(lambda i: s3.generate_presigned_url("get_object", Params={"Bucket": "bench", "Key": f"reports/{i}"}))


def memory_client():
    measure_memory(lambda: boto3.Session(region_name="eu-west-1").client("ec2"))


def memory_presign():
    def one():
        s3 = boto3.Session(region_name="eu-west-1").client("s3")
        s3.generate_presigned_url("get_object", Params={"Bucket": "bench", "Key": "report"})
        return s3

    measure_memory(one)


globals()[case]()
