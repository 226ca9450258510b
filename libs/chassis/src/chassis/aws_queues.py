"""Queues of SQS and what they get of a topic of SNS. Everything here blocks."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

RETENTION = 14 * 24 * 60 * 60


def declare(
    sns: "SNSClient", sqs: "SQSClient", topic: str, name: str, types: Sequence[str]
) -> None:
    """Let the queue exist and get the topic's events of exactly these types; twice is no error.

    SNS says that a changed filter may take minutes to hold everywhere.
    """
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = found["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={
            "MessageRetentionPeriod": str(RETENTION),
            "SqsManagedSseEnabled": "true",
            "Policy": _policy(arn, topic),
        },
    )
    _subscribe(sns, topic, arn, types)


def _subscribe(sns: "SNSClient", topic: str, queue_arn: str, types: Sequence[str]) -> None:
    subscription = _subscription_of(sns, topic, queue_arn)
    wanted = {
        "RawMessageDelivery": "true",
        "FilterPolicyScope": "MessageAttributes",
        "FilterPolicy": json.dumps({"type": types}),
    }
    if not types:
        # A filter that lets nothing through can't be written.
        if subscription is not None:
            sns.unsubscribe(SubscriptionArn=subscription)
    elif subscription is None:
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes=wanted)
    else:
        for name, value in wanted.items():
            sns.set_subscription_attributes(
                SubscriptionArn=subscription, AttributeName=name, AttributeValue=value
            )


def _subscription_of(sns: "SNSClient", topic: str, queue_arn: str) -> str | None:
    pages = sns.get_paginator("list_subscriptions_by_topic")
    for page in pages.paginate(TopicArn=topic):
        for subscription in page["Subscriptions"]:
            if subscription.get("Endpoint") == queue_arn:
                return subscription.get("SubscriptionArn")
    return None


def _policy(queue_arn: str, topic: str) -> str:
    """Of all topics only this one may put messages into the queue."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue_arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
                }
            ],
        }
    )
