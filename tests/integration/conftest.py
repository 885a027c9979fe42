"""Makes the fixtures of `tests.integration.kafka` known to every integration test."""

from tests.integration.kafka import kafka, kafka_config, own_name

__all__ = ["kafka", "kafka_config", "own_name"]
