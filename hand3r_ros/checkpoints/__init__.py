"""Public checkpoints: read safely, checked by name and shape, converted; and the search path of weights."""
