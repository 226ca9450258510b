"""The bus of SNS and SQS: one topic, a queue a consumer, and what each queue wants as its filter.

boto3 blocks, so its calls run in threads: few for polls, which wait, and others for the rest, which
so never wait for a poll. The relay and the consumers try again by themselves; boto3 doesn't.

SQS counts in whole seconds: shorter waits, time-outs and delays become longer ones. A receipt that
is void may still end its event or shorten its time-out there.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, Any, TypeVar, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from chassis.aws_queues import declare
from chassis.bus import Backlog, BusUnavailable, Delivery, encode
from chassis.events import CloudEvent

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import BatchResultErrorEntryTypeDef, MessageTypeDef

T = TypeVar("T")

ENTRIES = 10
BATCH_BYTES = 256 * 1024
CALL_THREADS = 8
POLL_THREADS = 8
# A poll can't be taken back: a process that ends waits for it.
POLL_SECONDS = 5
LONGEST_TIMEOUT = 12 * 60 * 60
_CONFIG = Config(
    connect_timeout=3,
    read_timeout=POLL_SECONDS + 10,
    retries={"mode": "standard", "total_max_attempts": 1},
    max_pool_connections=max(CALL_THREADS, POLL_THREADS),
)
_PASSING_CODES = ("Throttl", "RequestThrottled", "KmsThrottled", "OverLimit", "TooManyRequests")
# SQS puts another character in the place of these two, which JSON can write otherwise.
_ESCAPES = {0xFFFE: r"\ufffe", 0xFFFF: r"\uffff"}


class AwsBus:
    """A `chassis.bus.Bus` over a topic that exists; queues and subscriptions are made by `declare`.

    Region and account are the topic's; credentials, and an endpoint other than AWS's own, are what
    boto3 finds in the environment.
    """

    def __init__(self, topic_arn: str, *, queue_prefix: str) -> None:
        self._topic = topic_arn
        self._prefix = queue_prefix
        region = topic_arn.split(":")[3]
        # Of boto3's hundreds of clients only these two have annotations here.
        connect = cast(Any, boto3).client
        self._sns: SNSClient = connect("sns", region_name=region, config=_CONFIG)
        self._sqs: SQSClient = connect("sqs", region_name=region, config=_CONFIG)
        self._calls = ThreadPoolExecutor(CALL_THREADS, "bus-call")
        self._polls = ThreadPoolExecutor(POLL_THREADS, "bus-poll")
        self._urls: dict[str, str] = {}

    @classmethod
    @asynccontextmanager
    async def connect(cls, topic_arn: str, *, queue_prefix: str) -> AsyncGenerator["AwsBus"]:
        """The bus of this topic; its threads end with the context, polls within their time."""
        # Reading the descriptions of the services takes a while.
        bus = await asyncio.to_thread(cls, topic_arn, queue_prefix=queue_prefix)
        try:
            yield bus
        finally:
            for threads in (bus._calls, bus._polls):
                threads.shutdown(wait=False, cancel_futures=True)

    async def declare(self, queue: str, types: frozenset[str]) -> None:
        """Let a queue exist that gets events of exactly these types, from now on."""
        call = partial(
            declare, self._sns, self._sqs, self._topic, self._prefix + queue, sorted(types)
        )
        await _run(self._calls, call)

    async def publish(self, events: Sequence[CloudEvent]) -> None:
        """Return when all of them are kept durably. After an error some may be, and all may."""
        entries = map(_entry, count(), events, encode(events))
        await asyncio.gather(
            *(_run(self._calls, partial(self._publish, batch)) for batch in by_size(entries))
        )

    async def receive(
        self, queue: str, *, limit: int, wait: float, visibility: float
    ) -> Sequence[Delivery]:
        """Up to `limit` deliveries; an empty sequence when none came within `wait` seconds."""
        url = await self._url(queue)
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait
        found: list[Delivery] = []
        while True:
            asked = min(ENTRIES, limit - len(found))
            left = 0 if found else max(0, deadline - clock())
            poll = partial(
                self._sqs.receive_message,
                QueueUrl=url,
                MaxNumberOfMessages=asked,
                WaitTimeSeconds=math.ceil(min(left, POLL_SECONDS)),
                VisibilityTimeout=_whole(visibility),
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
            messages = (await _run(self._polls, poll)).get("Messages", [])
            found += map(_delivery, messages)
            more = len(messages) == asked and len(found) < limit
            if not more and (found or clock() >= deadline):
                return found

    async def acknowledge(self, queue: str, deliveries: Sequence[Delivery]) -> None:
        """These are done with. A void receipt is no error."""
        url = await self._url(queue)
        await asyncio.gather(
            *(
                _run(self._calls, partial(self._delete, url, part))
                for part in _by_number(deliveries)
            )
        )

    async def release(self, queue: str, deliveries: Sequence[Delivery], *, delay: float) -> None:
        """Hand these out again after `delay` seconds. A void receipt is no error."""
        url = await self._url(queue)
        await asyncio.gather(
            *(
                _run(self._calls, partial(self._hide, url, part, _whole(delay)))
                for part in _by_number(deliveries)
            )
        )

    async def backlog(self, queue: str) -> Backlog:
        """About what waits there now; SQS tells the age only to its own monitoring."""
        url = await self._url(queue)
        call = partial(self._sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["All"])
        attributes = (await _run(self._calls, call))["Attributes"]
        waiting = (
            int(attributes["ApproximateNumberOfMessages"])
            + int(attributes["ApproximateNumberOfMessagesNotVisible"])
            + int(attributes["ApproximateNumberOfMessagesDelayed"])
        )
        return Backlog(waiting=waiting, oldest_seconds=math.nan if waiting else 0)

    async def _url(self, queue: str) -> str:
        if queue not in self._urls:
            call = partial(self._sqs.get_queue_url, QueueName=self._prefix + queue)
            self._urls[queue] = (await _run(self._calls, call))["QueueUrl"]
        return self._urls[queue]

    # What follows runs in threads.

    def _publish(self, entries: Sequence["PublishBatchRequestEntryTypeDef"]) -> None:
        result = self._sns.publish_batch(TopicArn=self._topic, PublishBatchRequestEntries=entries)
        require_whole(result["Failed"])

    def _delete(self, url: str, part: Sequence[Delivery]) -> None:
        result = self._sqs.delete_message_batch(
            QueueUrl=url,
            Entries=[{"Id": str(n), "ReceiptHandle": one.receipt} for n, one in enumerate(part)],
        )
        require_whole(entry for entry in result.get("Failed", []) if not entry["SenderFault"])

    def _hide(self, url: str, part: Sequence[Delivery], seconds: int) -> None:
        result = self._sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(n), "ReceiptHandle": one.receipt, "VisibilityTimeout": seconds}
                for n, one in enumerate(part)
            ],
        )
        require_whole(entry for entry in result.get("Failed", []) if not entry["SenderFault"])


async def _run(threads: Executor, call: Callable[[], T]) -> T:
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, call)
    except (ConnectionError, HTTPClientError) as error:
        raise BusUnavailable from error
    except ClientError as error:
        if _is_passing(error):
            raise BusUnavailable from error
        raise


def _is_passing(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = error.response.get("Error", {}).get("Code", "")
    return status >= 500 or any(part in code for part in _PASSING_CODES)


def require_whole(failed: Iterable["BatchResultErrorEntryTypeDef"]) -> None:
    """Raise if a call that answered well did only a part of its work."""
    codes = sorted(entry["Code"] for entry in failed)
    if codes:
        raise BusUnavailable(f"{len(codes)} entries of a batch failed: {', '.join(set(codes))}.")


def _entry(number: int, event: CloudEvent, body: bytes) -> "PublishBatchRequestEntryTypeDef":
    return {
        "Id": str(number),
        "Message": body.decode().translate(_ESCAPES),
        "MessageAttributes": {"type": {"DataType": "String", "StringValue": event.type}},
    }


def by_size(
    entries: Iterable["PublishBatchRequestEntryTypeDef"],
) -> Generator[list["PublishBatchRequestEntryTypeDef"]]:
    """In batches that SNS takes: few enough, and small enough together."""
    batch: list[PublishBatchRequestEntryTypeDef] = []
    total = 0
    for entry in entries:
        size = len(entry["Message"].encode()) + BATCH_BYTES // 256
        if batch and (len(batch) == ENTRIES or total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(entry)
        total += size
    if batch:
        yield batch


def _by_number(deliveries: Iterable[Delivery]) -> Generator[list[Delivery]]:
    rest = iter(deliveries)
    while part := list(islice(rest, ENTRIES)):
        yield part


def _delivery(message: "MessageTypeDef") -> Delivery:
    return Delivery(
        body=message.get("Body", "").encode(),
        attempt=int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1")),
        receipt=message.get("ReceiptHandle", ""),
    )


def _whole(seconds: float) -> int:
    return min(LONGEST_TIMEOUT, math.ceil(seconds))
