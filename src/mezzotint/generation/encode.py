"""Encoding a corpus: every picture as latents and every caption as features, once, so that training reads numbers only.

One record file becomes one shard, whatever was done before it, so a killed run that is started again ends with the
same files. A cut-out has no background of its own: it is encoded on white and, for training, in further variants.
"""

import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from mezzotint.data.buckets import Bucket, assign
from mezzotint.data.manifest import COMPONENTS, Encoding, weights_digest
from mezzotint.data.pictures import WHITE, Colour, Placement, contrasting_colours, place, to_tensor
from mezzotint.data.record_pictures import decode
from mezzotint.data.records import RECORDS, Caption, Record, find_shards, read_shard
from mezzotint.data.shard_writer import LatentFolderWriter, LatentShardWriter
from mezzotint.errors import FileFormatError
from mezzotint.generation.loading import load_autoencoder, load_text_tower
from mezzotint.runtime.seeds import Seeds

MARGIN = 0.92  # the share of the canvas that a cut-out fills
JITTER = (0.5, 0.9)  # the same, drawn from this range, for one that stands anywhere
PICTURES_AT_ONCE, CAPTIONS_AT_ONCE = 32, 64
_WHITE_EN = re.compile(r"\b(on|against) (a )?(plain )?white\b( background)?")
_WHITE_ZH = re.compile(r"纯白背景|白色背景|背景为白色")


@runtime_checkable
class PictureEncoder(Protocol):
    """The autoencoder's half that is needed here."""

    @property
    def downscale(self) -> int: ...
    @property
    def channels(self) -> int: ...
    def encode(self, pictures: Float[Tensor, "b 3 height width"]) -> Float[Tensor, "b c h w"]: ...


@runtime_checkable
class TextEncoder(Protocol):
    """The text tower: prompts to the features of their tokens."""

    def encode(self, prompts: list[str]) -> list[Float[Tensor, "n d"]]: ...


@dataclass(frozen=True, kw_only=True)
class EncodeOptions:
    """What is made of each record.

    Attributes:
        buckets: Sizes; a picture goes to the one of the nearest shape, a variant of a cut-out to any.
        captions_per_picture: How many are kept, drawn alternately from the languages; None keeps all.
        caption_kinds: Only captions of these kinds; empty for all.
        variants: Versions of a training cut-out: on white, then by turns on a colour and elsewhere on white.
        parts, groups, styles, concepts: Only these parts of the corpus, only records of these; empty for all.
    """

    buckets: tuple[Bucket, ...]
    captions_per_picture: int | None
    variants: int
    seed: int
    parts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()
    caption_kinds: tuple[str, ...] = ()

    def takes(self, record: Record) -> bool:
        asked = ((self.groups, record.group), (self.styles, record.style), (self.concepts, record.concept))
        return all(not wanted or value in wanted for wanted, value in asked)

    def captions_of(self, record: Record) -> Sequence[Caption]:
        kinds = self.caption_kinds
        return [caption for caption in record.captions if caption.kind in kinds] if kinds else record.captions


@dataclass(frozen=True, kw_only=True)
class View:
    """One way to show a record, with what is then true of it."""

    id: str
    bucket: Bucket
    placement: Placement
    captions: tuple[Caption, ...]


@dataclass(frozen=True, kw_only=True)
class Encoders:
    """The two halves of a model that look at data, and the folder that they came from."""

    model: Path
    pictures: PictureEncoder
    text: TextEncoder
    device: torch.device
    dtype: torch.dtype


def load_encoders(model: Path, device: torch.device, dtype: torch.dtype) -> Encoders:
    """The autoencoder and the text tower of a model folder. Raises MissingFileError or FileFormatError."""
    return Encoders(
        model=model,
        pictures=load_autoencoder(model / "vae", dtype).to(device),
        text=load_text_tower(model, dtype).to(device),
        device=device,
        dtype=dtype,
    )


def encode_corpus(
    corpus: Path, out: Path, encoders: Encoders, options: EncodeOptions, on_records: Callable[[int], None]
) -> None:
    """Encode what is not encoded yet. `on_records` is called with the number of records just done, or found done.

    Raises MissingFileError for a folder without records, FileFormatError for a broken or captionless record, InputError
    when `out` was made with another model or other options.
    """
    shards = find_shards(corpus, options.parts or None)
    names = {path: f"{path.parent.name}-{path.stem.removeprefix('records-')}" for path in shards}
    [empty] = _features(encoders, [""])
    writer = LatentFolderWriter(out, _encoding(encoders, options, empty.shape[1]), empty, list(names.values()))
    for path, name in names.items():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if writer.has(name, digest):
            on_records(RECORDS.count(path))
            continue
        with writer.shard(name, digest) as shard:
            _add_pictures(shard, read_shard(path), corpus, encoders, options, on_records)
            _add_captions(shard, encoders)


def _encoding(encoders: Encoders, options: EncodeOptions, caption_dim: int) -> Encoding:
    kinds = {"caption_kinds": list(options.caption_kinds)} if options.caption_kinds else {}  # older folders have none
    return Encoding(
        models={component: weights_digest(encoders.model, component) for component in COMPONENTS},
        channels=encoders.pictures.channels,
        downscale=encoders.pictures.downscale,
        caption_dim=caption_dim,
        options={
            "sizes": [str(bucket) for bucket in options.buckets],
            "captions_per_picture": options.captions_per_picture,
            "variants": options.variants,
            "seed": options.seed,
            "groups": list(options.groups),
            "styles": list(options.styles),
            "concepts": list(options.concepts),
            **kinds,
            "dtype": str(encoders.dtype).removeprefix("torch."),
        },
    )


def _add_pictures(
    shard: LatentShardWriter,
    records: Iterator[Record],
    corpus: Path,
    encoders: Encoders,
    options: EncodeOptions,
    on_records: Callable[[int], None],
) -> None:
    """Encode the views of all records, in batches of one size each."""
    waiting: dict[Bucket, list[tuple[View, str, Image.Image]]] = defaultdict(list)
    for record in records:
        on_records(1)
        if not options.takes(record):
            continue
        picture = decode(record, corpus)
        for view in views(record, picture, options):
            batch = waiting[view.bucket]
            batch.append((view, record.split, place(picture, view.bucket.width, view.bucket.height, view.placement)))
            if len(batch) == PICTURES_AT_ONCE:
                _add_batch(shard, waiting.pop(view.bucket), encoders)
    for bucket in sorted(waiting):
        _add_batch(shard, waiting[bucket], encoders)


@torch.inference_mode()
def _add_batch(shard: LatentShardWriter, batch: list[tuple[View, str, Image.Image]], encoders: Encoders) -> None:
    pictures = to_tensor([picture for _, _, picture in batch]).to(encoders.device)
    for (view, split, _), latents in zip(batch, encoders.pictures.encode(pictures).float().cpu(), strict=True):
        shard.add_sample(id=view.id, split=split, bucket=view.bucket, latents=latents, captions=view.captions)


def _add_captions(shard: LatentShardWriter, encoders: Encoders) -> None:
    """Encode each text of the shard once, with others of about its length."""
    texts = sorted(shard.texts_without_features, key=lambda text: (len(text.encode()), text))
    for start in range(0, len(texts), CAPTIONS_AT_ONCE):
        batch = texts[start : start + CAPTIONS_AT_ONCE]
        for text, features in zip(batch, _features(encoders, batch), strict=True):
            shard.add_features(text, features)


@torch.inference_mode()
def _features(encoders: Encoders, prompts: list[str]) -> list[Float[Tensor, "n d"]]:
    return [features.float().cpu() for features in encoders.text.encode(prompts)]


# Views ----------------------------------------------------------------------------------------------------------------


def views(record: Record, picture: Image.Image, options: EncodeOptions) -> Iterator[View]:
    """The ways to show a record; each depends on the seed, the record and its own number only.

    An opaque picture and one of a held-out split have one. Raises FileFormatError for a record without captions of the
    kinds that are wanted.
    """
    said = options.captions_of(record)
    if not said:
        asked = f" of the kinds {', '.join(options.caption_kinds)}" if options.caption_kinds else ""
        raise FileFormatError(f"record {record.id!r} has no captions{asked}: caption the corpus first")
    cut_out = picture.mode == "RGBA"
    for variant in range(options.variants if cut_out and record.split == "train" else 1):
        rng = Seeds(options.seed).numpy(f"view of {record.id}", variant)
        captions = _choose(said, options.captions_per_picture, rng)
        if variant == 0:
            bucket = assign(picture.width, picture.height, options.buckets)
            placement = Placement(scale=MARGIN if cut_out else 1.0, anchor=(0.5, 0.5), background=WHITE)
            yield View(id=record.id, bucket=bucket, placement=placement, captions=captions)
            continue
        bucket = options.buckets[rng.integers(len(options.buckets))]
        placement = _variant(variant, picture, rng)
        if placement.background != WHITE:
            captions = tuple(on_background(caption, placement.background) for caption in captions)
        yield View(id=f"{record.id}@{variant}", bucket=bucket, placement=placement, captions=captions)


def _variant(variant: int, picture: Image.Image, rng: np.random.Generator) -> Placement:
    """Odd ones stand in the middle of a colour, even ones anywhere on white."""
    colours = contrasting_colours(picture)
    if variant % 2 and colours:
        return Placement(scale=MARGIN, anchor=(0.5, 0.5), background=colours[rng.integers(len(colours))])
    x, y = rng.random(2)
    return Placement(scale=rng.uniform(*JITTER), anchor=(float(x), float(y)), background=WHITE)


def _choose(captions: Sequence[Caption], count: int | None, rng: np.random.Generator) -> tuple[Caption, ...]:
    """Some of the captions, alternating between the languages; all of them in their order when there are few."""
    if count is None or len(captions) <= count:
        return tuple(captions)
    by_language: dict[str, list[Caption]] = defaultdict(list)
    for index in rng.permutation(len(captions)):  # so the language that comes first is drawn too
        by_language[captions[index].language].append(captions[index])
    rounds = itertools.zip_longest(*by_language.values())
    alternating = [caption for one_each in rounds for caption in one_each if caption is not None]
    return tuple(alternating[:count])


def on_background(caption: Caption, colour: Colour) -> Caption:
    """The caption of a cut-out on white, with the colour that the background has instead."""
    if caption.language == "zh":
        said, end = _WHITE_ZH.sub(f"{colour.zh}背景", caption.text, count=1), "。"
        addition = f"，{colour.zh}背景"
    else:
        article = "an" if colour.en[0] in "aeiou" else "a"
        said, end = _WHITE_EN.sub(f"on {article} {colour.en} background", caption.text, count=1), "."
        addition = f", {colour.en} background" if caption.kind == "tags" else f" on {article} {colour.en} background"
    if said == caption.text:
        stem = said.removesuffix(end)
        said = stem + addition + said[len(stem) :]
    return caption._replace(text=said)
