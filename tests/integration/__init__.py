"""Tests against a real Kafka: the embedded broker, on ports and folders of its own."""
