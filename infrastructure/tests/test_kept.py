"""What is kept, for how long, and where else: the specification's 10.1."""

import pytest

from .stacks import Plan, plan
from .templates import ENTRIES, NAMES, Json, load


@pytest.fixture(scope="module")
def production() -> Plan:
    return plan("production.yaml", region="ap-south-1")


@pytest.fixture(scope="module")
def standby() -> Plan:
    return plan("standby.yaml", region="ap-south-2", Database="copy")


def database(made: Plan) -> dict[str, Json]:
    [server] = made.of("AWS::RDS::DBInstance")
    return server.properties


def bucket(made: Plan, kind: str) -> dict[str, Json]:
    [found] = [
        one.properties
        for one in made.of("AWS::S3::Bucket")
        if one.properties["BucketName"].split("-")[-2] == kind
    ]
    return found


def test_the_database_is_backed_up_and_in_two_zones(production: Plan) -> None:
    server = database(production)
    assert server["BackupRetentionPeriod"] == 30
    assert server["PreferredBackupWindow"] == "03:00-04:00"
    assert server["MultiAZ"] == "true"
    assert server["StorageEncrypted"] is True
    assert server["DeletionProtection"] is True
    assert server["PubliclyAccessible"] is False


def test_a_snapshot_a_day_and_every_second_of_35_days(production: Plan) -> None:
    [made] = production.of("AWS::Backup::BackupPlan")
    rules = {one["RuleName"]: one for one in made.properties["BackupPlan"]["BackupPlanRule"]}
    assert rules["point-in-time"]["EnableContinuousBackup"] is True
    assert rules["point-in-time"]["Lifecycle"] == {"DeleteAfterDays": 35}
    assert rules["daily"]["ScheduleExpression"].endswith("* * ? *)")
    [copy] = rules["daily"]["CopyActions"]
    assert copy["DestinationBackupVaultArn"].split(":")[3] == "ap-south-2"
    [selected] = production.of("AWS::Backup::BackupSelection")
    arns = selected.properties["BackupSelection"]["Resources"]
    assert [arn.split(":")[2] for arn in arns] == ["rds", "elasticfilesystem"]


def test_backups_go_into_the_vault_that_the_standby_makes(production: Plan, standby: Plan) -> None:
    [made] = production.of("AWS::Backup::BackupPlan")
    [vault] = standby.of("AWS::Backup::BackupVault")
    assert str(made.properties).count(f"backup-vault:{vault.properties['BackupVaultName']}'") == 1


def test_the_other_region_has_a_copy_of_the_database(production: Plan, standby: Plan) -> None:
    copy = database(standby)
    name = database(production)["DBInstanceIdentifier"]
    assert copy["SourceDBInstanceIdentifier"].endswith(f":ap-south-1:123456789012:db:{name}")
    assert copy["SourceRegion"] == "ap-south-1"
    assert copy["KmsKeyId"]
    # What only a primary may be told.
    for key in ("MasterUsername", "MasterUserPassword", "AllocatedStorage", "StorageEncrypted"):
        assert copy[key] is None
    assert copy["DBInstanceClass"] == database(production)["DBInstanceClass"]
    assert copy["MultiAZ"] == "true"


def test_the_standby_comes_first_and_has_no_database_then() -> None:
    assert not plan("standby.yaml", region="ap-south-2").of("AWS::RDS::DBInstance")


@pytest.mark.parametrize("kind", ["documents", "records"])
def test_buckets_are_copied_within_a_quarter_of_an_hour(
    production: Plan, standby: Plan, kind: str
) -> None:
    [rule] = bucket(production, kind)["ReplicationConfiguration"]["Rules"]
    assert rule["Destination"]["ReplicationTime"] == {"Status": "Enabled", "Time": {"Minutes": 15}}
    assert rule["Destination"]["Bucket"] == f"arn:aws:s3:::{bucket(standby, kind)['BucketName']}"
    assert bucket(standby, kind)["VersioningConfiguration"] == {"Status": "Enabled"}
    # What is locked here is locked there.
    locks = [bucket(made, kind)["ObjectLockConfiguration"] for made in (production, standby)]
    assert locks[0] == locks[1]


@pytest.mark.parametrize(
    ("kind", "days", "years"), [("documents", 365, None), ("records", 3300, 9), ("logs", 400, None)]
)
def test_things_move_at_30_and_90_days_and_go_when_no_law_asks_for_them(
    production: Plan, kind: str, days: int, years: int | None
) -> None:
    found = bucket(production, kind)
    [rule] = found["LifecycleConfiguration"]["Rules"]
    assert [(one["StorageClass"], one["TransitionInDays"]) for one in rule["Transitions"]] == [
        ("STANDARD_IA", 30),
        ("GLACIER", 90),
    ]
    assert int(rule["ExpirationInDays"]) == days
    lock: dict[str, Json] = found.get("ObjectLockConfiguration") or {}
    if years is None:
        assert not lock
    else:
        assert lock["Rule"]["DefaultRetention"] == {"Mode": "COMPLIANCE", "Years": str(years)}
        # Nothing is to go while it is locked, leap years included.
        assert days > years * 365.25


@pytest.mark.parametrize("name", ENTRIES)
def test_buckets_are_encrypted_versioned_and_closed(name: str) -> None:
    made = plan(name, region=ENTRIES[name])
    found = made.of("AWS::S3::Bucket")
    assert len(found) == 3
    for one in found:
        assert one.properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert one.properties["VersioningConfiguration"] == {"Status": "Enabled"}
        assert set(one.properties["PublicAccessBlockConfiguration"].values()) == {True}
    # And refuse what isn't encrypted on the way.
    policies = made.of("AWS::S3::BucketPolicy")
    assert len(policies) == len(found)
    assert all("'aws:SecureTransport': 'false'" in str(one.properties) for one in policies)


@pytest.mark.parametrize("name", NAMES)
def test_what_holds_data_outlives_its_stack(name: str) -> None:
    keeping = {
        "AWS::S3::Bucket",
        "AWS::KMS::Key",
        "AWS::RDS::DBInstance",
        "AWS::EFS::FileSystem",
        "AWS::SecretsManager::Secret",
        "AWS::Backup::BackupVault",
        "AWS::Logs::LogGroup",
    }
    for one in load(name)["Resources"].values():
        if one["Type"] in keeping:
            kept = (one["DeletionPolicy"], one["UpdateReplacePolicy"])
            assert kept in {("RetainExceptOnCreate", "Retain"), ("Snapshot", "Snapshot")}


@pytest.mark.parametrize("name", NAMES)
def test_a_first_deployment_that_fails_leaves_no_names_behind(name: str) -> None:
    # What is kept then is in the way of the next try.
    policies = [one.get("DeletionPolicy") for one in load(name)["Resources"].values()]
    assert "Retain" not in policies


def test_secrets_are_in_both_regions_under_the_same_name(production: Plan, standby: Plan) -> None:
    made = production.of("AWS::SecretsManager::Secret")
    assert made
    [alias] = standby.of("AWS::KMS::Alias")
    for one in made:
        assert one.properties["ReplicaRegions"] == [
            {"Region": "ap-south-2", "KmsKeyId": alias.properties["AliasName"]}
        ]
    assert not standby.of("AWS::SecretsManager::Secret")
