"""Training stages and losses on rendered scenes."""
