"""What the demo's nodes are made of: frame sources, ground-truth messages, recordings of a run and their summary."""
