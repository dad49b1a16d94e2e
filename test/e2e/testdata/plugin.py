"""Ask a server what AWS's access grants plugin for boto3 asks of it: the same calls in the same order, with the same caches.

The plugin itself is no dependency of the tests; this is a client that behaves as its version 1.3 does. Steps come as JSON on
standard input, one answer a step goes to standard output. Everything about the server is in the environment, since the plugin
makes clients of its own and looks at nothing of the client that it is plugged into.
"""

import json
import os.path
import sys

import boto3
import botocore.session
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

READS = "HeadObject GetObject GetObjectAcl ListMultipartUploads ListObjects ListObjectsV2 ListObjectVersions ListParts HeadBucket GetObjectAttributes"
WRITES = "PutObject PutObjectAcl DeleteObject DeleteObjects AbortMultipartUpload CreateMultipartUpload UploadPart CompleteMultipartUpload"
PERMISSIONS = {**dict.fromkeys(READS.split(), "READ"), **dict.fromkeys(WRITES.split(), "WRITE"), "CopyObject": "READWRITE"}


class Unsupported(Exception):
    """An operation that grants are not about: the client's own credentials are used."""


def common(keys):
    """What keys begin with, by characters; nothing where not even the first folder is the same."""
    prefix = os.path.commonprefix(keys)
    return prefix if "/" in prefix or prefix == keys[0] else ""


def target(operation, params):
    """The target that is asked for: never with a star, and not always a key that there is."""
    bucket = "s3://" + params["Bucket"]
    if operation == "DeleteObjects":
        return bucket + "/" + common([o["Key"] for o in params["Delete"]["Objects"]])
    if operation == "CopyObject":
        source, _, key = params["CopySource"].partition("/")
        if source != params["Bucket"]:
            raise ValueError("a copy between buckets")
        return bucket + "/" + common([key, params["Key"]])
    name = params.get("Prefix") if operation.startswith("List") and operation != "ListParts" else params.get("Key")
    return bucket if name is None else bucket + "/" + name


class Plugin:
    def __init__(self, client, fallback):
        self.fallback, self.calls, self.used = fallback, [], "own"
        session = botocore.session.get_session()
        self.sts, self.s3, self.control = (self.watched(session, s) for s in ("sts", "s3", "s3control"))
        self.regions, self.accounts, self.denied, self.cache = {}, {}, {}, {}
        client.meta.events.register("before-sign.s3", self.sign)

    def watched(self, session, service):
        client = session.create_client(service)
        client.meta.events.register("before-call", self.record)
        return client

    def record(self, model, params, **_):
        query = params["query_string"] if isinstance(params["query_string"], dict) else {}
        asked = [model.name, query.get("permission"), query.get("target") or query.get("s3prefix")]
        self.calls.append(" ".join(a for a in asked if a))

    def sign(self, operation_name, request, **_):
        context = request.context
        # What became a header, as the source of a copy, is in the second alone.
        params = {**context["s3_redirect"]["params"], **context.get("input_params", {})}
        try:
            found = self.credentials(operation_name, params)
        except Unsupported:
            return
        except Exception:
            if not self.fallback:
                raise
            return
        self.used = "grant"
        context["signing"]["request_credentials"] = Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def credentials(self, operation, params):
        permission = PERMISSIONS.get(operation)
        if permission is None:
            raise Unsupported(operation)
        wanted = target(operation, params)
        caller = self.sts.get_caller_identity()["Account"]
        self.region(params["Bucket"])
        if (permission, wanted) in self.denied:
            raise self.denied[permission, wanted]
        return self.cached(permission, wanted) or self.ask(caller, permission, wanted)

    def region(self, bucket):
        if bucket in self.regions:
            return
        try:
            self.regions[bucket] = self.s3.head_bucket(Bucket=bucket)["BucketRegion"]
        except ClientError as e:
            self.regions[bucket] = e.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"]

    def cached(self, permission, wanted):
        kinds = list(dict.fromkeys([permission, "READWRITE"]))
        for kind in kinds:
            level = wanted
            while level != "s3:":
                if (kind, level) in self.cache:
                    return self.cache[kind, level]
                level = level.rsplit("/", 1)[0]
        for kind in kinds:
            for end in range(len(wanted), len("s3://"), -1):
                if (kind, wanted[:end] + "*") in self.cache:
                    return self.cache[kind, wanted[:end] + "*"]
        return None

    def ask(self, caller, permission, wanted):
        bucket = wanted.split("/")[2]
        if bucket not in self.accounts:
            arn = self.control.get_access_grants_instance_for_prefix(AccountId=caller, S3Prefix=wanted)["AccessGrantsInstanceArn"]
            self.accounts[bucket] = arn.split(":")[4]
        try:
            answer = self.control.get_data_access(AccountId=self.accounts[bucket], Target=wanted, Permission=permission, Privilege="Default")
        except ClientError as e:
            if e.response["Error"]["Code"] == "AccessDenied":
                self.denied[permission, wanted] = e
            raise
        matched = answer["MatchedGrantTarget"]
        if matched.endswith("*"):
            self.cache[permission, matched.removesuffix("/*")] = answer["Credentials"]
        return answer["Credentials"]


def main():
    client = boto3.client("s3")
    plugin = Plugin(client, fallback=sys.argv[1] == "fallback")
    for line in sys.stdin:
        step = json.loads(line)
        plugin.calls, plugin.used, code = [], "own", ""
        try:
            answer = getattr(client, step["Call"])(**step["Params"])
            if "Body" in answer:
                answer["Body"].read()
            if answer.get("Errors"):
                code = answer["Errors"][0]["Code"]
        except ClientError as e:
            code = e.response["Error"]["Code"]
        print(json.dumps({"Code": code, "Used": plugin.used, "Calls": plugin.calls}), flush=True)


main()
