"""The audit as a chain: signed as it grows, and proven from its beginning (ADR 13)."""
