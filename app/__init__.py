"""The wiring: everything that knows Kafka, HTTP, the clock and the environment."""
