"""The delivery engine: at least once, with effects once. No Kafka in it."""
