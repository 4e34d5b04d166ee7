"""Neural SDEs as the generators of adversarial networks."""
