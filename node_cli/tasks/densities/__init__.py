"""Densities, learned by continuous normalizing flows."""
