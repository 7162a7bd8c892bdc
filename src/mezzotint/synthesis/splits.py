"""Which pictures training leaves out: 2 % to validate on, 3 % to test on."""

from mezzotint.synthesis import hashing

_SPLITS = (("val", 0.02), ("test", 0.03))  # the rest is "train"


def split_of(*names: str | int) -> str:
    """ "train", "val" or "test", by the names alone."""
    draw = hashing.unit("split", *names)
    for split, share in _SPLITS:
        if draw < share:
            return split
        draw -= share
    return "train"
