"""The audit as a hash chain: signed as it grows, and verified from its beginning (ADR 13)."""
