"""Hand detectors: one protocol, several implementations."""
