"""Kafka clients: topics, producer, reader."""
