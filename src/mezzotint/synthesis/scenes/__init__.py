"""Scenes: pictures composed by a seed, of which everything is known, and captions that say it.

`sample_scene` decides, `render` draws and measures, `captions` puts the measured truth into words.
"""
