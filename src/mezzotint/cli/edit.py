"""Edit pictures: say what becomes of them. Each new picture's path goes to stdout, progress to stderr.

With several --image, name them by their order: "Picture 1" is the first. The new picture has the shape of the last one
where --size says nothing else. The other options are those of `mezzotint generate`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mezzotint.cli import generate
from mezzotint.errors import InputError

if TYPE_CHECKING:
    from mezzotint.generation.inputs import Inputs


@dataclass(frozen=True, kw_only=True)
class Options(generate.Painting):
    """What to edit, and how."""

    image: Annotated[list[Path], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="FILE")]
    """A picture to edit (PNG, WebP or JPEG); can be given several times."""


def run(options: Options) -> None:
    if not options.image:
        raise InputError("there is no picture to edit: give --image FILE")
    _check_model(options)
    generate.paint(options, lambda: _references(options), begins=False)


def _check_model(options: Options) -> None:
    """
    Raises:
        InputError: The model makes pictures, but edits none.
    """
    from mezzotint.generation.model_kinds import model_class

    if not model_class(options.sources()).edits:
        raise InputError(
            f"model {options.model} cannot edit; Z-Image-Omni and Qwen-Image-Edit models can "
            "(`mezzotint generate --image` begins with a picture)"
        )


def _references(options: Options) -> "Inputs":
    from mezzotint.data.pictures import read_picture
    from mezzotint.generation.inputs import Inputs, as_images

    return Inputs(images=as_images([read_picture(path) for path in options.image], "the image"))
