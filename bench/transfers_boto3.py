"""transfers_boto3.py WHAT URL BUCKET FILE-OR-FOLDER [CA]: boto3's side of the benchmark of transfers. Folders go through
s3transfer's manager with its threads, as boto3 has nothing for them."""
import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config

what, url, bucket, path = sys.argv[1:5]
s3 = boto3.client("s3", endpoint_url=url, verify=sys.argv[5] if len(sys.argv) > 5 else None,
                  config=Config(s3={"addressing_style": "path"}, max_pool_connections=10))


def many_up():
    with create_transfer_manager(s3, TransferConfig()) as manager:
        futures = [manager.upload(entry.path, bucket, "small/" + entry.name) for entry in os.scandir(path)]
        for future in futures:
            future.result()


def many_down():
    os.makedirs(path, exist_ok=True)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="small/")
    with create_transfer_manager(s3, TransferConfig()) as manager:
        futures = [manager.download(bucket, item["Key"], os.path.join(path, item["Key"].split("/")[-1]))
                   for page in pages for item in page["Contents"]]
        for future in futures:
            future.result()


{
    "up": lambda: s3.upload_file(path, bucket, "big"),
    "down": lambda: s3.download_file(bucket, "big", path),
    "pipe": lambda: s3.upload_fileobj(sys.stdin.buffer, bucket, "big"),
    "many_up": many_up,
    "many_down": many_down,
}[what]()
