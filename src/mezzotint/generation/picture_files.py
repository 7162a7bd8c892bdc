"""PNG files that say how they were made.

Two text chunks go in: `parameters`, the text that A1111's web UI writes and most viewers of generated pictures read,
and `mezzotint`, the same as JSON and exact. Reading takes the JSON.
"""

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.runtime import atomic

JSON_CHUNK = "mezzotint"
TEXT_CHUNK = "parameters"
SHORT_DIGEST = 10  # hexadecimal digits of a model's digest in the text, as A1111 has it


@dataclass(frozen=True, kw_only=True)
class PictureParameters:
    """How one picture was made: with these values and the model of that digest it can be made again.

    Attributes:
        seed: Of its noise; None when the noise came from elsewhere.
        guidance, unguided: As the model counts it, and what is none then (`settings.Settings`). The text chunk's "CFG
            scale" is 1 where there is none, as A1111 counts it.
        model, model_digest: The model's name, and the SHA-256 of its weights (`models.bundle.digest`).
        version: Of mezzotint.
        image, mask, control_image: The SHA-256 of the pictures that it was made with (`inputs.Inputs.digests`).
        strength, control_scale: How strongly the image that was begun with was changed, and the control image followed;
            None where there was none.
        cache: Threshold of the cache between steps; None where all were computed.
    """

    prompt: str
    negative_prompt: str
    seed: int | None
    steps: int
    guidance: float
    width: int
    height: int
    sampler: str
    model: str
    model_digest: str
    version: str
    unguided: float = 0.0
    image: str | None = None
    mask: str | None = None
    control_image: str | None = None
    strength: float | None = None
    control_scale: float | None = None
    cache: float | None = None

    def to_text(self) -> str:
        """A1111's form: the prompt, the negative prompt, then one line of settings."""
        settings = {
            "Steps": self.steps,
            "Sampler": self.sampler.capitalize(),
            "CFG scale": f"{self.guidance - self.unguided + 1:g}",
            "Denoising strength": self.strength,
            "Seed": self.seed,
            "Size": f"{self.width}x{self.height}",
            "Model hash": self.model_digest[:SHORT_DIGEST],
            "Model": self.model,
            "Version": f"mezzotint {self.version}",
        }
        line = ", ".join(f"{name}: {value}" for name, value in settings.items() if value is not None)
        negative = [f"Negative prompt: {self.negative_prompt}"] if self.negative_prompt else []
        return "\n".join([self.prompt, *negative, line])

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "PictureParameters":
        """Read `asdict`'s form; what a newer version added is left out, what an older one had not has its default.

        Raises:
            ValueError: A value is missing or of the wrong type.
        """
        defaults = {field.name: None if field.default is MISSING else field.default for field in fields(cls)}
        values = {name: content.get(name, default) for name, default in defaults.items()}
        for name, value in values.items():
            if not _fits(name, value):
                raise ValueError(f"{name} is {value!r}")
        return cls(**values)  # type: ignore[arg-type]


def _fits(name: str, value: Any) -> bool:
    match name:
        case "seed":
            return value is None or type(value) is int
        case "steps" | "width" | "height":
            return type(value) is int
        case "image" | "mask" | "control_image":
            return value is None or isinstance(value, str)
        case "strength" | "control_scale" | "cache":
            return value is None or _is_finite(value)
        case "guidance" | "unguided":
            return _is_finite(value)
        case _:
            return isinstance(value, str)


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def write_picture(path: Path, picture: Image.Image, parameters: PictureParameters) -> None:
    """Write a PNG with its parameters; it is there whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    chunks = PngInfo()
    chunks.add_text(TEXT_CHUNK, parameters.to_text())
    chunks.add_text(JSON_CHUNK, json.dumps(asdict(parameters)))
    with atomic.file(path) as temporary:
        picture.save(temporary, format="PNG", pnginfo=chunks)


def read_texts(path: Path) -> dict[str, str]:
    """The text chunks that stand before a PNG's pixels; these are not decoded.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: It is not a PNG, or is broken.
    """
    try:
        # Pillow warns of large pictures before it decodes them; here nothing is decoded.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as picture:
                return {str(name): str(value) for name, value in picture.info.items() if isinstance(value, str)}
    except FileNotFoundError as cause:
        raise MissingFileError(f"{path} is missing") from cause
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as cause:
        raise FileFormatError(f"{path} is not a readable PNG: {cause}") from cause


def read_parameters(path: Path) -> PictureParameters | None:
    """How a PNG was made; None when it does not say so in this project's form.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: It is not a PNG, or its parameters are broken.
    """
    chunk = read_texts(path).get(JSON_CHUNK)
    if chunk is None:
        return None
    try:
        content = json.loads(chunk)
        if not isinstance(content, dict):
            raise ValueError("not an object")
        return PictureParameters.from_json(content)
    except (ValueError, RecursionError) as cause:
        raise FileFormatError(f"{path}: its {JSON_CHUNK!r} chunk is broken: {cause}") from cause
