"""What every run may be told: one file a config group, and how it is checked and explained."""
