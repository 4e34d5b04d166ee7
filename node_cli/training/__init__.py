"""The training loop, once for all tasks, and what it writes."""
