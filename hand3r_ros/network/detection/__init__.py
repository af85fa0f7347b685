"""Hand detection on the scene tokens: no external detector is needed where weights have this head."""
