"""Encode every picture and caption of a corpus once, for training. The same command continues where it stopped."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mezzotint.data.buckets import parse
from mezzotint.data.records import RECORDS, find_shards
from mezzotint.errors import InputError
from mezzotint.models.bundle import embedded_models, find_model
from mezzotint.runtime.progress import progress

if TYPE_CHECKING:
    from mezzotint.data.shards import LatentShards

PATCH_SIZE = 2  # of every published transformer of this kind


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to encode, by which model."""

    corpus: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CORPUS")]
    """What to encode: a folder that `mezzotint corpus build` made."""
    model: str
    """The model whose autoencoder and text tower are used: a folder or an embedded model's name."""
    out: Path
    """Where to write the encoded folder."""
    size: str = "128"
    """Pictures' size in pixels: 128 is a square, 160x96 is wide."""
    sizes: tuple[str, ...] = ()
    """Several sizes instead of one; a picture takes the one of the nearest shape."""
    captions_per_picture: int | None = None
    """How many captions to keep of each picture, alternating between the languages; all when not given."""
    caption_kinds: tuple[str, ...] = ()
    """Only captions of these kinds: tags, short, medium, long; all when not given."""
    variants: int = 1
    """Versions of each cut-out for training: on white, then by turns on a named colour and elsewhere on white."""
    parts: tuple[str, ...] = ()
    """Only these parts of the corpus, such as sprites; all when not given."""
    groups: tuple[str, ...] = ()
    """Only pictures of these groups, such as animals-nature; all when not given."""
    styles: tuple[str, ...] = ()
    """Only pictures in these styles, such as noto; all when not given."""
    concepts: Path | None = None
    """A file with a concept's code at the start of each line: only these."""
    seed: int = 0
    """Of the variants and of the choice of captions."""
    device: str | None = None
    """cpu, cuda, mps; the best one there is when not given."""
    dtype: str = "float32"
    """Of the weights: float32, bfloat16 or float16. What is stored is float16 in any case."""


def run(options: Options) -> None:
    start = time.monotonic()
    _check_counts(options)

    from mezzotint.data.shards import LatentShards
    from mezzotint.generation.encode import EncodeOptions, encode_corpus, load_encoders
    from mezzotint.runtime.device import resolve_device, resolve_dtype

    shards = find_shards(options.corpus, options.parts or None)
    _check_known("group", options.groups, shards)
    _check_known("style", options.styles, shards)
    _check_kinds(options.caption_kinds, shards)
    records = sum(RECORDS.count(path) for path in shards)
    device = resolve_device(options.device)
    encoders = load_encoders(_towers(options.model), device, resolve_dtype(options.dtype, device))
    multiple = encoders.pictures.downscale * PATCH_SIZE
    made = EncodeOptions(
        buckets=tuple(dict.fromkeys(parse(size, multiple) for size in options.sizes or (options.size,))),
        captions_per_picture=options.captions_per_picture,
        variants=options.variants,
        seed=options.seed,
        parts=options.parts,
        groups=options.groups,
        styles=options.styles,
        concepts=_concepts(options.concepts, shards),
        caption_kinds=options.caption_kinds,
    )
    with progress("encoding", records) as advance:
        encode_corpus(options.corpus, options.out, encoders, made, advance)
    print(summary(LatentShards(options.out), time.monotonic() - start))


def _towers(name_or_path: str) -> Path:
    """A model's folder; one that has no transformer yet will do."""
    folder = Path(name_or_path)
    is_folder = (folder / "vae").is_dir() and name_or_path not in embedded_models()
    return folder if is_folder else find_model(name_or_path)


def _check_counts(options: Options) -> None:
    for name, value in (("captions-per-picture", options.captions_per_picture), ("variants", options.variants)):
        if value is not None and value < 1:
            raise InputError(f"--{name} is {value}; it must be 1 or more")


def _check_known(column: str, wanted: tuple[str, ...], shards: Sequence[Path]) -> None:
    if wanted:
        found = _values(column, shards)
        for value in wanted:
            if value not in found:
                known = ", ".join(sorted(found)) or "none"
                raise InputError(f"no picture is of the {column} {value!r}; the {column}s of this corpus: {known}")


def _check_kinds(wanted: tuple[str, ...], shards: Sequence[Path]) -> None:
    if not wanted:
        return
    batches = (batch for path in shards for batch in RECORDS.read(path, ["captions"]))
    found = {caption["kind"] for batch in batches for captions in batch[0].to_pylist() for caption in captions or ()}
    for kind in wanted:
        if kind not in found:
            known = ", ".join(sorted(found)) or "none"
            raise InputError(f"no caption is of the kind {kind!r}; the kinds of this corpus: {known}")


def _concepts(path: Path | None, shards: Sequence[Path]) -> tuple[str, ...]:
    """The first word of each line of a file; lines that begin with # say something else."""
    if path is None:
        return ()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise InputError(f"concepts {path} cannot be read ({cause}); it must be a text file") from cause
    codes = tuple(dict.fromkeys(line.split()[0] for line in lines if line.strip() and not line.startswith("#")))
    if not set(codes) & _values("concept", shards):
        raise InputError(f"{path} names no concept of this corpus; a line begins with a code such as 1f34e")
    return codes


def _values(column: str, shards: Sequence[Path]) -> set[str]:
    """What stands in a column of the records."""
    found = {value for path in shards for batch in RECORDS.read(path, [column]) for value in batch[0].to_pylist()}
    return found - {None}


def summary(shards: "LatentShards", seconds: float) -> str:
    """What is there now, in one line."""
    manifest = shards.manifest
    size = sum(file.bytes for shard in manifest.shards for file in shard.files.values())
    pictures, captions = len(shards), len(shards.captions.tokens)
    return (
        f"{shards.folder}: {pictures:,} pictures and {captions:,} captions in {len(manifest.shards):,} shards, "
        f"{size / 1e6:,.1f} MB, after {seconds:.0f} s"
    )
