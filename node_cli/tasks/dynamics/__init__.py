"""Dynamics: vector fields that are learned from trajectories."""
