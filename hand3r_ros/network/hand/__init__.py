"""Hand stream: a ViT and MANO head that compute what HaMeR checkpoints expect."""
