"""Fraud after the fact: cases, back-tests, trials, verdicts scored again."""
