"""Latent stochastic differential equations of time series."""
