"""The networks, each in a folder of its own, and the files that hold their weights."""
