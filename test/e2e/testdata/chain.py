"""Walk the chain for one person: exchange, session, access, objects. Everything about the server is in the environment."""

import json
import sys

import boto3
from botocore.exceptions import ClientError

application, role, token = sys.argv[1:]

answer = boto3.client("sso-oidc").create_token_with_iam(
    clientId=application, grantType="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=token
)
session = boto3.client("sts").assume_role(
    RoleArn=role,
    RoleSessionName="person",
    ProvidedContexts=[
        {
            "ProviderArn": "arn:aws:iam::aws:contextProvider/IdentityCenter",
            "ContextAssertion": answer["awsAdditionalDetails"]["identityContext"],
        }
    ],
)


def client(service, credentials):
    return boto3.client(
        service,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        return e.response["Error"]["Code"]
    return ""


bucket = "sales-data-111111111111"
person = client("s3control", session["Credentials"])
access = person.get_data_access(AccountId="111111111111", Target=f"s3://{bucket}/red/*", Permission="READ")
s3 = client("s3", access["Credentials"])
keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix="red/")["Contents"]]
text = s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read().decode()
json.dump(
    {
        "Matched": access["MatchedGrantTarget"],
        "Keys": keys,
        "Line": text.splitlines()[0],
        "Outside": code(s3.list_objects_v2, Bucket=bucket),
        "Blue": code(person.get_data_access, AccountId="111111111111", Target=f"s3://{bucket}/blue/*", Permission="READ"),
    },
    sys.stdout,
)
