"""Lets a service go on with logs that are not those that it has applied (ADR 19)."""
