"""Readers of public hand data sets in their published on-disk layouts; see docs/datasets.md."""
