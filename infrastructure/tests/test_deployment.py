"""Production's stacks, made of moto's resources over HTTP."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from .stacks import ISSUER, SAID, MotoPlan, client
from .templates import ACCOUNT

REGION = "ap-south-1"
# What moto's CloudFormation doesn't know, and so what only cfn-lint and the other tests look at.
UNKNOWN_TO_MOTO = {
    "AWS::Backup::BackupPlan",
    "AWS::Backup::BackupSelection",
    "AWS::Backup::BackupVault",
    "AWS::CloudWatch::Alarm",
    "AWS::ECR::ReplicationConfiguration",
    "AWS::EKS::AccessEntry",
    "AWS::EKS::Addon",
    "AWS::EKS::Cluster",
    "AWS::EKS::Nodegroup",
    "AWS::IAM::OIDCProvider",
    "AWS::IAM::RolePolicy",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SecretsManager::Secret",
}


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # What boto3 reads of whoever runs the tests mustn't lead it anywhere else.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


# It warns of what it doesn't know, which is what the test counts.
@pytest.mark.filterwarnings("ignore:Tried to parse AWS")
def test_production_is_made(url: str) -> None:
    def ask(service: str) -> Any:
        return client(service, region=REGION, url=url)

    [group] = ask("ec2").describe_security_groups()["SecurityGroups"]
    made = MotoPlan(
        REGION,
        url=url,
        stand_ins={
            "Identity": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}",
            "Issuer": ISSUER,
            "SecurityGroup": group["GroupId"],
        },
    )
    outputs = made.deploy("production.yaml", SAID)

    assert made.not_made == UNKNOWN_TO_MOTO
    assert outputs["Version"] == "abc"

    [server] = ask("rds").describe_db_instances()["DBInstances"]
    assert outputs["DatabaseHost"] == server["Endpoint"]["Address"]
    assert (server["MultiAZ"], server["StorageEncrypted"]) == (True, True)
    assert (server["BackupRetentionPeriod"], server["PreferredBackupWindow"]) == (30, "03:00-04:00")
    assert server["DBSubnetGroup"]["VpcId"] == outputs["Vpc"]

    subnets = ask("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [outputs["Vpc"]]}])
    assert len(subnets["Subnets"]) == 12
    assert len({one["AvailabilityZone"] for one in subnets["Subnets"]}) == 3

    store = ask("s3")
    for kind in ("documents", "records", "logs"):
        name = f"ubertruck-production-{kind}-{ACCOUNT}"
        assert store.get_bucket_location(Bucket=name)["LocationConstraint"] == REGION

    queues = ask("sqs")
    found = queues.get_queue_url(QueueName="ubertruck-production-booking")["QueueUrl"]
    told = queues.get_queue_attributes(QueueUrl=found, AttributeNames=["All"])["Attributes"]
    redrive = json.loads(told["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith(":ubertruck-production-booking-dead")
    topics = [one["TopicArn"] for one in ask("sns").list_topics()["Topics"]]
    assert outputs["Topic"] in topics

    identity = ask("iam")
    role = identity.get_role(RoleName="ubertruck-production-booking-service")["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
        "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
    }
    policies = identity.list_role_policies(RoleName="ubertruck-production-booking-service")
    assert set(policies["PolicyNames"]) == {"mesh", "secrets"}

    repositories = ask("ecr").describe_repositories()["repositories"]
    assert {one["imageTagMutability"] for one in repositories} == {"IMMUTABLE"}
    [files] = ask("efs").describe_file_systems()["FileSystems"]
    assert (files["FileSystemId"], files["Encrypted"]) == (outputs["FileSystem"], True)
