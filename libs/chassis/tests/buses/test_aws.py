"""What the bus of SNS and SQS does besides the contract."""

import json
import math
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.aws_bus import BATCH_BYTES, ENTRIES, by_size, require_whole
from chassis.aws_queues import declare
from chassis.bus import Bus, BusUnavailable

from .happenings import CLOSED, LOADED, event, nothing_in, take
from .places import Place

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import BatchResultErrorEntryTypeDef

Q = "tracking"


@pytest.fixture
def place(aws_place: Place) -> Place:
    return aws_place


@pytest.fixture(autouse=True)
async def declared(bus: Bus) -> None:
    await bus.declare(Q, frozenset({LOADED}))


def subscriptions(sns: "SNSClient", topic: str) -> list[dict[str, str]]:
    found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return [
        sns.get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])["Attributes"]
        for one in found
        if "SubscriptionArn" in one
    ]


async def test_only_the_topic_may_write_and_messages_stay_raw(
    sns: "SNSClient", sqs: "SQSClient", topic: str, prefix: str
) -> None:
    url = sqs.get_queue_url(QueueName=prefix + Q)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    [statement] = json.loads(attributes["Policy"])["Statement"]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": topic}}
    assert statement["Resource"] == attributes["QueueArn"]
    assert int(attributes["MessageRetentionPeriod"]) == 14 * 24 * 3600
    [subscription] = subscriptions(sns, topic)
    assert subscription["RawMessageDelivery"] == "true"
    assert json.loads(subscription["FilterPolicy"]) == {"type": [LOADED]}


async def test_a_subscription_follows_its_types(bus: Bus, sns: "SNSClient", topic: str) -> None:
    await bus.declare(Q, frozenset({LOADED, CLOSED}))
    [subscription] = subscriptions(sns, topic)
    assert json.loads(subscription["FilterPolicy"]) == {"type": [CLOSED, LOADED]}
    await bus.declare(Q, frozenset())
    assert subscriptions(sns, topic) == []
    await bus.declare(Q, frozenset({CLOSED}))
    assert len(subscriptions(sns, topic)) == 1


def test_a_queue_that_somebody_made_otherwise_is_set_right(
    sns: "SNSClient", sqs: "SQSClient", topic: str, prefix: str
) -> None:
    url = sqs.create_queue(QueueName=f"{prefix}old", Attributes={"VisibilityTimeout": "7"})
    declare(sns, sqs, topic, f"{prefix}old", [LOADED])
    found = sqs.get_queue_attributes(QueueUrl=url["QueueUrl"], AttributeNames=["All"])
    assert "Policy" in found["Attributes"]


async def test_a_receipt_that_never_was_is_no_error(bus: Bus) -> None:
    await bus.publish([event()])
    [delivery] = await take(bus, Q)
    foreign = type(delivery)(body=b"", attempt=1, receipt="nobody's")
    await bus.acknowledge(Q, [foreign, delivery])
    await bus.release(Q, [foreign], delay=0)
    assert await nothing_in(bus, Q)


async def test_a_queue_that_is_missing_is_a_mistake_and_not_an_absence(bus: Bus) -> None:
    with pytest.raises(ClientError, match="NonExistentQueue"):
        await take(bus, "nowhere")


async def test_the_age_is_not_known(bus: Bus) -> None:
    await bus.publish([event()])
    assert math.isnan((await bus.backlog(Q)).oldest_seconds)


def test_what_failed_of_a_batch_is_told() -> None:
    require_whole([])
    failed: BatchResultErrorEntryTypeDef = {
        "Id": "1",
        "Code": "InternalError",
        "SenderFault": False,
    }
    with pytest.raises(BusUnavailable, match=r"2 entries .* InternalError"):
        require_whole([failed, failed])


@settings(deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=255 * 1024), max_size=40))
def test_batches_keep_the_order_and_fit(sizes: list[int]) -> None:
    entries: list[PublishBatchRequestEntryTypeDef] = [
        {"Id": str(n), "Message": "x" * size} for n, size in enumerate(sizes)
    ]
    batches = list(by_size(entries))
    assert [entry for batch in batches for entry in batch] == entries
    for batch in batches:
        assert 0 < len(batch) <= ENTRIES
        assert sum(len(entry["Message"]) for entry in batch) <= BATCH_BYTES
