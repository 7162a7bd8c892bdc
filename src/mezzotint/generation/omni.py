"""Z-Image Omni and Edit: a text and any number of reference pictures, to a new picture.

The prompt is read in segments, between which the references stand, and the new picture behind them. Each reference is
encoded twice: its latents stand in the network's sequence as clean pictures, and a vision tower tells what it shows.
The negative prompt keeps the references, so that guidance strengthens the text alone (diffusers, `ZImageOmniPipeline`).
"""

import math
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from mezzotint.data.pictures import to_tensor
from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.generation.conditioning import Kept
from mezzotint.generation.inputs import Inputs
from mezzotint.generation.loading import Components, load_components, load_vision_tower
from mezzotint.generation.placement import PLAIN, Placement
from mezzotint.generation.request import Request
from mezzotint.generation.settings import Settings
from mezzotint.generation.task import Task
from mezzotint.generation.z_image import ZImage
from mezzotint.models.single_stream import OmniCondition, OmniTransformer
from mezzotint.models.single_stream.omni_geometry import OmniSizes, caption_parts
from mezzotint.models.sources import Sources, as_sources
from mezzotint.models.text import in_chat
from mezzotint.models.text.tokenizer import TURN_END, TURN_START
from mezzotint.models.vision import VisionTower

VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
LEAST_SIDE, MOST_ELONGATED = 64, 8  # of a reference, in pixels, and long side over short side; as published


class References(NamedTuple):
    """The references of a request, encoded.

    Attributes:
        latents: Scaled, clean. vision: What the vision tower tells of each, "row column d".
    """

    latents: list[Float[Tensor, "c _ _"]]
    vision: list[Float[Tensor, "_ _ d"]]


class ZImageOmni(ZImage):
    """A Z-Image that makes pictures from pictures (`task.Model`); without references, from text alone."""

    transformer: OmniTransformer
    edits = True

    def __init__(self, components: Components, vision: VisionTower) -> None:
        super().__init__(components)
        self.vision = vision

    @classmethod
    def load(
        cls, model: Path | Sources, device: torch.device, dtype: torch.dtype, placement: Placement = PLAIN
    ) -> "ZImageOmni":
        """
        Raises:
            MissingFileError, FileFormatError: As `loading.load_components`; or there is no vision tower, or none that
                the transformer can listen to.
        """
        sources = as_sources(model)
        if "siglip" not in sources.components:
            raise MissingFileError(f"{sources.folder / 'siglip'} is missing: an Omni model has its vision tower there")
        path, variant = sources.components["siglip"], sources.variant_of("siglip")
        vision = load_vision_tower(path, dtype, device, variant, processor=sources.folder / "siglip_processor")
        components = load_components(sources, device, dtype, placement)
        width = components.transformer.config.siglip_feat_dim
        if width != vision.config.hidden_size:
            raise FileFormatError(
                f"{sources.components['transformer']}: siglip_feat_dim is {width}, "
                f"and the vision tower in {path} is {vision.config.hidden_size} wide"
            )
        return cls(components, vision)

    def defaults_for(self, inputs: Inputs) -> Settings:
        """The last reference says the size, brought to the model's own area where it is larger."""
        if not inputs.images:
            return self.defaults
        return self.defaults.sized_like(*shrunk(inputs.images[-1], self._area, self._area).size)

    def strength(self, inputs: Inputs) -> None:
        return None

    def task(self, request: Request) -> Task:
        pictures = self._pictures(request)
        self._check_places(request)
        references = self._references(pictures)

        def refine(texts: list[str]) -> list[tuple[OmniCondition, ...]]:
            return [(condition,) for condition in self._conditions(texts, references, request.max_tokens)]

        return self._from_noise(request, Kept(refine, lambda several: tuple(chain(*several))))

    def tokens(self, request: Request) -> int:
        areas = [min(picture.width * picture.height, self._area) for picture in request.inputs.images]
        return super().tokens(request) + sum(areas) // self._side**2

    def _pictures(self, request: Request) -> list[Image.Image]:
        """The references as the towers see them: those larger than the model makes are brought to the size wanted.

        Raises:
            InputError: One is too small or too elongated, or there is more than references.
        """
        inputs, settings = request.inputs, request.settings
        if Inputs(images=inputs.images) != inputs:
            raise InputError(
                "this model edits as the prompt says: it has no use for a mask, a strength or a control image"
            )
        for picture in inputs.images:
            check_reference(picture)
        own = self.defaults_for(inputs)
        is_chosen = (settings.width, settings.height) != (own.width, own.height)
        area = settings.width * settings.height if is_chosen else self._area
        return [shrunk(picture, self._area, area) for picture in inputs.images]

    @torch.inference_mode()
    def _references(self, pictures: Sequence[Image.Image]) -> References:
        tensors = [to_tensor([cropped(picture, self._side)]) for picture in pictures]
        latents = [self.autoencoder.encode(tensor.to(self.text.device))[0] for tensor in tensors]
        return References(latents, self.vision.encode(pictures))

    @torch.inference_mode()
    def _conditions(
        self, texts: Sequence[str], references: References, max_tokens: int | None
    ) -> tuple[OmniCondition, ...]:
        """What the network is told of each text, with the references."""
        segments = [segments_of(text, len(references.latents)) for text in texts]
        features = self.text.encode_segments([*chain(*segments)], max_tokens=self._most(max_tokens))
        count = len(segments[0])
        return self.transformer.refine(
            [features[start : start + count] for start in range(0, len(features), count)],
            [references.latents] * len(texts),
            [references.vision] * len(texts),
        )

    def _check_places(self, request: Request) -> None:
        """
        Raises:
            InputError: A text and the references take more places than the position table has.
        """
        count, places = len(request.inputs.images), self.transformer.config.axes_lens[0]
        for text in request.prompts + (request.negatives if request.guided else ()):
            ids = self.text.segment_ids(segments_of(text, count), max_tokens=self._most(request.max_tokens))
            sizes = OmniSizes(tuple(map(len, ids)), (), ())
            last = max(int(caption_parts(sizes).positions[:, 0].max()), sizes.ends[count])
            if last >= places:
                raise InputError(
                    f"{count} references and the prompt {text[:40]!r} take {last + 1} places, this model has {places}: "
                    f"fewer references or a shorter prompt would do"
                )

    def _most(self, max_tokens: int | None) -> int:
        """Tokens of a segment that are read."""
        places = self.transformer.config.axes_lens[0]
        return places if max_tokens is None else min(max_tokens, places)

    @property
    def _area(self) -> int:
        """Pixels of the pictures that the model was made for, 1024² of the published one."""
        return self.defaults.width * self.defaults.height

    @property
    def _side(self) -> int:
        """Pixels that the sides of pictures are multiples of."""
        return self.autoencoder.downscale * self.transformer.config.patch_size


def segments_of(prompt: str, references: int) -> list[str]:
    """The chat template around a prompt, cut where pictures stand: the references, then the new one."""
    if not references:
        return [in_chat(prompt)]
    return [
        f"{TURN_START}user\n{VISION_START}",
        *[f"{VISION_END}{VISION_START}"] * (references - 1),
        f"{VISION_END}{prompt}{TURN_END}\n{TURN_START}assistant\n{VISION_START}",
        f"{VISION_END}{TURN_END}",
    ]


def check_reference(picture: Image.Image) -> None:
    """
    Raises:
        InputError: The picture is smaller or more elongated than those that the published model takes.
    """
    short, long = sorted(picture.size)
    size = f"{picture.width}x{picture.height}"
    if short < LEAST_SIDE:
        raise InputError(f"a reference of {size} is too small: {LEAST_SIDE} pixels a side is the least")
    if long > MOST_ELONGATED * short:
        raise InputError(f"a reference of {size} is too elongated: {MOST_ELONGATED}:1 is the most")


def shrunk(picture: Image.Image, most: int, area: int) -> Image.Image:
    """The picture, scaled (Lanczos) to about `area` pixels if it has more than `most`."""
    if picture.width * picture.height <= most:
        return picture
    scale = math.sqrt(area / (picture.width * picture.height))
    size = int(picture.width * scale), int(picture.height * scale)
    return picture.resize(size, Image.Resampling.LANCZOS)


def cropped(picture: Image.Image, side: int) -> Image.Image:
    """The middle of the picture, its width and height multiples of `side`."""
    width, height = picture.width // side * side, picture.height // side * side
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))
