"""From the words of a command line to a config and to Hydra."""
