"""What users bring themselves: tasks, models and data, from a file of theirs or from a package."""
