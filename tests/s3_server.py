"""An S3 server in this process, for tests; other processes reach it by the variables set here."""

from contextlib import contextmanager

import boto3
import requests
from moto.server import ThreadedMotoServer


@contextmanager
def s3_server(monkeypatch):
    """Gives boto3's client, which is not the one under test, for a server with the empty bucket `clinic`."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        requests.post(f"http://{host}:{port}/moto-api/reset", timeout=60)  # what an earlier server had
        client = boto3.client("s3")
        client.create_bucket(Bucket="clinic")
        yield client
    finally:
        server.stop()


def objects(client, prefix=""):
    """Names of all objects below the prefix, sorted, without the empty ones that stand for folders.

    But for those of work folders, which have to be gone.
    """
    listed = client.list_objects_v2(Bucket="clinic", Prefix=prefix).get("Contents", [])
    return sorted(entry["Key"] for entry in listed if entry["Key"][-1] != "/" or ".parts" in entry["Key"])
