"""``hand3r benchmark``: speed and memory of the network, of the online pipeline and of what the node adds around it."""
