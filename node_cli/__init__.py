"""node-cli: an experiment runner for neural ordinary differential equations."""

__version__ = "0.1.0"
