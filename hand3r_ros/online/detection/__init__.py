"""Where hands come from: one protocol, several back-ends."""
