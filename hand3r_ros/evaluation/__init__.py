"""Metrics, baselines and tables."""
