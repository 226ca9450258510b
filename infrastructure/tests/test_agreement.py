"""These templates and the rest of the project call the same things by the same names."""

import re
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml

from chassis.consumer import HAND_OUTS

from .stacks import Plan, plan
from .templates import ENTRIES, FOLDER, NAMES, Json, load

ROOT = FOLDER.parent
ENVIRONMENTS = {"staging": "staging.yaml", "production": "production.yaml"}


def read(path: Path) -> dict[str, Json]:
    return yaml.safe_load(path.read_text())


def values(environment: str) -> dict[str, Json]:
    return read(ROOT / "helm" / "values" / environment / "global.yaml")["global"]


@pytest.fixture(params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def made(environment: str) -> Plan:
    return plan(ENVIRONMENTS[environment], region="ap-south-1")


def test_subnets_are_where_the_charts_let_pods_go(environment: str, made: Plan) -> None:
    subnets = {one.name: one.properties["CidrBlock"] for one in made.of("AWS::EC2::Subnet")}
    assert values(environment)["database"]["networks"] == [
        subnets[f"Database{zone}"] for zone in "ABC"
    ]
    [network] = map(IPv4Network, values(environment)["awsNetworks"])
    for zone in "ABC":
        assert IPv4Network(subnets[f"Endpoints{zone}"]).subnet_of(network)
    # No other subnet is in there: pods would reach more than they may.
    others = [one for name, one in subnets.items() if not name.startswith("Endpoints")]
    assert not any(network.overlaps(IPv4Network(one)) for one in others)


def test_the_load_balancer_is_where_the_edge_expects_it(environment: str, made: Plan) -> None:
    edge = read(ROOT / "helm" / "platform" / f"values-{environment}.yaml")["edge"]
    subnets = {one.name: one.properties["CidrBlock"] for one in made.of("AWS::EC2::Subnet")}
    assert edge["networks"] == [subnets[f"Public{zone}"] for zone in "ABC"]


def test_the_database_is_called_and_sized_as_the_charts_say(environment: str, made: Plan) -> None:
    database = values(environment)["database"]
    [server] = made.of("AWS::RDS::DBInstance")
    assert database["host"].split(".")[0] == server.properties["DBInstanceIdentifier"]
    [settings] = made.of("AWS::RDS::DBParameterGroup")
    told = settings.properties["Parameters"]["max_connections"]
    assert int(told) == database["maxConnections"]


def test_the_topic_is_the_charts(environment: str, made: Plan) -> None:
    names = [one.properties["TopicName"] for one in made.of("AWS::SNS::Topic")]
    assert values(environment)["bus"]["topicArn"].split(":")[-1] in names


def test_services_find_their_queues_and_secrets(environment: str, made: Plan) -> None:
    queues = {one.properties["QueueName"] for one in made.of("AWS::SQS::Queue")}
    secrets = {one.properties["Name"] for one in made.of("AWS::SecretsManager::Secret")}
    rendered = ROOT / "k8s" / "rendered" / environment
    asked: set[str] = set()
    for path in rendered.glob("*-service.yaml"):
        text = path.read_text()
        asked |= set(re.findall(rf"ubertruck/{environment}/[a-z0-9/-]+", text))
        if prefix := re.search(r"UBERTRUCK_BUS_QUEUE_PREFIX: (\S+)", text):
            assert prefix[1] + path.stem.removesuffix("-service") in queues
    assert len(asked) > 3
    assert asked <= secrets


def test_queues_are_as_a_service_that_starts_would_make_them(made: Plan) -> None:
    # Otherwise the next change of a stack would undo what the service did, or the other way.
    source = (ROOT / "libs" / "chassis" / "src" / "chassis" / "aws_queues.py").read_text()
    days = re.search(r"^RETENTION = (\d+) \* 24 \* 60 \* 60$", source, re.MULTILINE)
    assert days
    assert '"SqsManagedSseEnabled": "true"' in source
    for queue in made.of("AWS::SQS::Queue"):
        assert queue.properties["MessageRetentionPeriod"] == int(days[1]) * 24 * 60 * 60
        assert queue.properties["SqsManagedSseEnabled"] is True


def test_a_queue_hands_out_more_often_than_the_consumer_takes(made: Plan) -> None:
    for queue in made.of("AWS::SQS::Queue"):
        if queue.name == "Queue":
            assert queue.properties["RedrivePolicy"]["maxReceiveCount"] > HAND_OUTS


def test_controllers_of_the_cluster_have_roles(made: Plan) -> None:
    helmfile = (ROOT / "k8s" / "helmfile.yaml").read_text()
    asked = set(re.findall(r'requiredEnv "CLUSTER" \}\}-([a-z-]+)', helmfile))
    named = {one.properties.get("RoleName", "") for one in made.of("AWS::IAM::Role")}
    [cluster] = made.of("AWS::EKS::Cluster")
    assert asked
    assert {f"{cluster.properties['Name']}-{one}" for one in asked} <= named


def test_services_take_the_roles_that_are_made(environment: str, made: Plan) -> None:
    named = {one.properties.get("RoleName", "") for one in made.of("AWS::IAM::Role")}
    taken: set[str] = set()
    for path in (ROOT / "k8s" / "rendered" / environment).glob("*.yaml"):
        taken |= set(re.findall(r"eks.amazonaws.com/role-arn: \S+:role/(\S+)", path.read_text()))
    assert len(taken) > 1
    assert taken <= named


def overrides(text: str) -> set[str]:
    """The parameters that the one `aws cloudformation deploy` of a text says."""
    [command] = re.findall(r"--parameter-overrides ((?:.+\\\n)*.+)", text)
    return set(re.findall(r"([A-Z]\w+)=", command))


def test_stacks_are_told_all_that_has_no_default() -> None:
    by_hand = overrides((FOLDER / "README.md").read_text())
    for name in ENTRIES:
        asked = {key for key, one in load(name)["Parameters"].items() if "Default" not in one}
        assert asked == by_hand


def test_the_pipeline_deploys_what_there_is() -> None:
    workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    [template] = re.findall(r"--template-file (infrastructure/\S+)", workflow)
    assert (ROOT / template).is_file()
    said = overrides(workflow)
    parameters = load(Path(template).name)["Parameters"]
    assert said <= parameters.keys()
    assert {key for key, one in parameters.items() if "Default" not in one} <= said
    clusters = set(re.findall(r"update-kubeconfig --name (\S+)", workflow))
    assert clusters == {
        one.properties["Name"]
        for name in ENVIRONMENTS.values()
        for one in plan(name, region=ENTRIES[name]).of("AWS::EKS::Cluster")
    }


def test_what_is_released_has_a_repository(made: Plan) -> None:
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    images = re.findall(r"\bname: ([a-z]+-service)\}", workflow)
    [charts] = re.findall(r"for chart in ([a-z ]+); do", workflow)
    pushed = [*images, "envoy", *(f"charts/{chart}" for chart in charts.split())]
    assert len(pushed) > 6
    assert "ubertruck/envoy" in (ROOT / "scripts" / "copy-envoy.sh").read_text()
    repositories = {one.properties["RepositoryName"] for one in made.of("AWS::ECR::Repository")}
    assert {f"ubertruck/{one}" for one in pushed} <= repositories


def test_the_pipeline_may_stay_as_long_as_it_asks() -> None:
    workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    asked = re.findall(r"role-duration-seconds: (\d+)", workflow)
    role = load("pipeline.yaml")["Resources"]["Deploy"]["Properties"]
    assert asked
    assert max(map(int, asked)) <= role["MaxSessionDuration"]


def test_the_pipeline_is_who_its_environments_say(environment: str) -> None:
    made = Plan("ap-south-1")
    said = {"Repository": "ubertruck/ubertruck", "Environment": environment}
    outputs = made.deploy("pipeline.yaml", said)
    workflows = "".join(path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml"))
    asked = set(re.findall(r"vars\.(\w+_(?:ROLE|BUCKET))", workflows))
    told = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", one).upper() for one in outputs}
    # One environment pushes to all accounts; who operates one was there before it.
    pushing = {f"{name.upper()}_RELEASE_ROLE" for name in ENVIRONMENTS}
    assert asked == (told - {"RELEASE_ROLE"}) | pushing | {"OPERATOR_ROLE"}
    subjects = re.findall(r"repo:ubertruck/ubertruck:environment:(\w+)", str(made.resources))
    assert set(subjects) == {environment, "registry"}
    for subject in subjects:
        assert f"environment: {subject}" in workflows


def test_the_readme_names_every_template() -> None:
    text = (FOLDER / "README.md").read_text()
    assert [name for name in NAMES if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_template_is_small_and_of_one_subject(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert len(text.splitlines()) < 300
    assert load(name)["Description"]
