"""The audit as a chain: sealed as it grows, and proven from its beginning (ADR 13)."""
