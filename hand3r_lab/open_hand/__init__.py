"""Builds the open hand from its source mesh; only ``scripts/build_open_hand.py`` and tests import this package."""
