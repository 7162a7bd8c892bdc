"""Paint a part of a picture anew: what is white in the mask, as the prompt says; what is black stays as it is.

Its options are those of `mezzotint generate`; --strength is 1 by default, so that nothing of what was there is seen. A
ControlNet with a mask channel (--control; Fun Union 2.0, 2.1) sees the mask and what is kept.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from mezzotint.cli import generate


@dataclass(frozen=True, kw_only=True)
class Options(generate.Options):
    """What to paint, where, and how."""

    image: Annotated[Path, tyro.conf.arg(metavar="FILE")] = field()  # without it, the default is inherited
    """The picture (PNG, WebP or JPEG); it says the size too where --size does not."""
    mask: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """A picture as large as --image: white is painted anew, black is kept."""


def run(options: Options) -> None:
    generate.paint(options, lambda: generate.begin_with(options, options.mask))
