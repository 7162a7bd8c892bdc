"""From a prompt to a picture: the pipelines, their defaults, and the files that pictures are written to."""
