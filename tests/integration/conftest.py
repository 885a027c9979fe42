"""The fixtures of every test with a broker."""

from tests.support.broker import kafka, kafka_config, own_name
from tests.support.workers import instance, redrive_instance, stack

__all__ = ["instance", "kafka", "kafka_config", "own_name", "redrive_instance", "stack"]
