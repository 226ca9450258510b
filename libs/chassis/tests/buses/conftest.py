import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy.engine import make_url

from chassis.aws_bus import AwsBus
from chassis.bus import Bus
from chassis.ids import new_id
from chassis.postgres_bus import PostgresBus
from chassis.provisioning import administrate
from chassis.testing.databases import TestDatabase, TestServer, alembic_recipe

from .places import Place, way_to

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

REGION = "ap-south-1"
PREFIX = "ubertruck-test-"


@pytest.fixture
def bus_database(test_server: TestServer) -> Iterator[TestDatabase]:
    template = test_server.ensure_template(alembic_recipe("bus"))
    with test_server.cloned(template, "bus") as cloned:
        yield cloned


@pytest.fixture
async def postgres_place(bus_database: TestDatabase) -> AsyncIterator[Place]:
    url = make_url(bus_database.url)

    async def put(queue: str, body: bytes) -> None:
        async with administrate(bus_database.superuser_url, database=bus_database.name) as server:
            await server.exec_driver_sql(
                "INSERT INTO messages (queue, body) VALUES ($1, $2)", (queue, body)
            )

    async with way_to(url.host or "", url.port or 5432) as way:
        detour = url.set(host="127.0.0.1", port=way.port).render_as_string(hide_password=False)
        yield Place(way, partial(PostgresBus.connect, detour, name="test"), put)


@pytest.fixture(scope="session")
def aws_server() -> Iterator[ThreadedMotoServer]:
    """Stands for SNS and SQS, over HTTP."""
    server = ThreadedMotoServer(port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        # What boto3 reads of whoever runs the tests mustn't lead it anywhere else.
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def aws_url(aws_server: ThreadedMotoServer) -> str:
    host, port = aws_server.get_host_and_port()
    return f"http://{host.replace('0.0.0.0', '127.0.0.1')}:{port}"  # noqa: S104 - what it says of itself


@pytest.fixture(scope="session")
def sns(aws_url: str) -> Iterator["SNSClient"]:
    client = cast(Any, boto3).client("sns", region_name=REGION, endpoint_url=aws_url)
    yield client
    client.close()


@pytest.fixture(scope="session")
def sqs(aws_url: str) -> Iterator["SQSClient"]:
    client = cast(Any, boto3).client("sqs", region_name=REGION, endpoint_url=aws_url)
    yield client
    client.close()


@pytest.fixture
def topic(sns: "SNSClient") -> str:
    return sns.create_topic(Name=f"events-{new_id()}")["TopicArn"]


@pytest.fixture
def prefix() -> str:
    """Every test's queues have names of their own."""
    return f"{PREFIX}{new_id().hex[-8:]}-"


@pytest.fixture
async def aws_place(
    aws_url: str, topic: str, prefix: str, sqs: "SQSClient", monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    url = make_url(aws_url)

    async def put(queue: str, body: bytes) -> None:
        address = sqs.get_queue_url(QueueName=prefix + queue)["QueueUrl"]
        sqs.send_message(QueueUrl=address, MessageBody=body.decode())

    async with way_to(url.host or "", url.port or 80) as way:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{way.port}")

        def connect() -> AbstractAsyncContextManager[Bus]:
            return AwsBus.connect(topic, queue_prefix=prefix)

        yield Place(way, connect, put)


@pytest.fixture(params=["postgres", "aws"])
def place(request: pytest.FixtureRequest) -> Place:
    """Each bus in turn."""
    return request.getfixturevalue(f"{request.param}_place")


@pytest.fixture
async def bus(place: Place) -> AsyncIterator[Bus]:
    async with place.connect() as bus:
        yield bus
