"""Errors of Kafka: those of its client, and those that Payflow raises."""

from typing import ClassVar

from aiokafka.errors import (
    IllegalOperation,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    ProducerClosed,
    ProducerFenced,
    RequestTimedOutError,
)

from workflows.shared.errors import ErrorKind, PayflowError


class TopicError(PayflowError):
    """A topic cannot be made as wanted; the message names it and what the operator can do."""

    kind: ClassVar[ErrorKind] = "unavailable"


class InspectionError(PayflowError):
    """There is no such topic or record; the message names it."""

    kind: ClassVar[ErrorKind] = "unavailable"


class NoSuchTopic(InspectionError):
    """There is no such topic; the message names it."""

    kind: ClassVar[ErrorKind] = "missing"


KAFKA_ERRORS = (InspectionError, KafkaError, TopicError)
"""All that reading Kafka and its admin requests raise."""
BROKER_AWAY = (
    KafkaConnectionError,
    KafkaTimeoutError,
    NodeNotReadyError,
    ProducerClosed,
    RequestTimedOutError,
    TimeoutError,
)
"""Errors of a broker that does not answer, or of a session that ended meanwhile: ask again."""
__all__ = [
    "BROKER_AWAY",
    "KAFKA_ERRORS",
    "IllegalOperation",
    "InspectionError",
    "KafkaError",
    "NoSuchTopic",
    "ProducerFenced",
    "TopicError",
]
