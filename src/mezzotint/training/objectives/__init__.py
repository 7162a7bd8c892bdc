"""Training methods, one file each: what is sampled, computed, stepped and reported."""
