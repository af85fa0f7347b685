"""Scene stream: a recurrent pointmap and pose network that computes what CUT3R checkpoints expect."""
