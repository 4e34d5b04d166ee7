"""Files that ``node-new`` writes for a user; each runs as it is."""
