"""Fraud around the workflow: current rules and models, analysis, training."""
