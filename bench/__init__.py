"""Measurements: ratios in one run, each a program of its own. None is a test."""
