"""Verbs of the command ``hand3r-lab``."""
