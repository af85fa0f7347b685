"""``hand3r-lab benchmark``: speed and memory of the network, the online pipeline and what the node adds around it."""
