"""What a run kept and dropped, to be read by people and by programs."""
