"""Authentication: operators and their tokens, sessions, OpenID, rate limits."""
