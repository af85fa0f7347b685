"""Public checkpoints of others: read safely, checked by name and shape, converted; and where weights are looked for."""
