"""Searching topics: queries, scans, facts about topics, and consumer groups."""
