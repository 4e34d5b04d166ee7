"""Concentric spheres: what a flow in their own space cannot separate (Dupont et al. 2019)."""
