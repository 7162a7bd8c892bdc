"""Frozen judges and towers: what looks at a picture and says something about it."""
