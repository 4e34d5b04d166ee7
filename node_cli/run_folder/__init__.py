"""The files of a run folder, written and read; and what a run records of how it was made."""
