"""A bouncing ball, whose gravity and restitution are learned from its heights."""
