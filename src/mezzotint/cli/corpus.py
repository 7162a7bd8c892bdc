"""`mezzotint corpus`: build the mini corpus, or show what one holds."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Column, Table

from mezzotint.cli.console import Console
from mezzotint.cli.parsing import named_numbers
from mezzotint.data.records import find_shards
from mezzotint.errors import InputError
from mezzotint.runtime.packages import fetch
from mezzotint.runtime.progress import progress
from mezzotint.synthesis import builder
from mezzotint.synthesis.found.part import FINDERS, Found
from mezzotint.synthesis.scenes.casting import LONGEST_TEXT
from mezzotint.synthesis.scenes.part import Scenes
from mezzotint.synthesis.scenes.sampler import SHARES, SUBJECTS, Repertoire
from mezzotint.synthesis.scenes.text import FONTS
from mezzotint.synthesis.scenes.truth import BackgroundKind
from mezzotint.synthesis.sprites import Sprites
from mezzotint.synthesis.styles import STYLES

PARTS = ("sprites", "scenes", *FINDERS)


@dataclass(frozen=True, kw_only=True)
class Build:
    """Make the mini corpus from packages; it continues where a killed run left off."""

    out: Path
    """The corpus' folder."""
    parts: str = "sprites,scenes"
    """Which parts, with commas between: sprites, scenes, photos, clipart, video. Scenes are made of the sprites, which
    must be there or be built along; the last three are for curation and evaluation, under licences of their own."""
    scenes: int = 12_000
    """How many scenes."""
    size: int = 256
    """Width and height of a sprite in pixels; a scene has about as many pixels, in several aspect ratios."""
    seed: int = 0
    """Which of the endless rows of scenes."""
    subjects: tuple[str, ...] = ()
    """What scenes are about, each with its share, such as counting=2 text=1: backdrop, counting, colour, position,
    pair, text, free, in the mini corpus' shares when not given; or lettering (random strings), or word and spelling
    (text and lettering without a drawing)."""
    styles: tuple[str, ...] = ()
    """Only sprites of these styles in scenes, such as noto; all when not given."""
    backgrounds: tuple[BackgroundKind, ...] = ()
    """Only these backgrounds in scenes, where that leaves any; all when not given."""
    fonts: tuple[str, ...] = ()
    """Only these fonts in scenes, such as sans-bold hei; all when not given."""
    square: bool = False
    """Only square scenes."""
    longest_text: int = LONGEST_TEXT
    """Only strings of so many characters or fewer in scenes."""
    workers: int = max(1, os.cpu_count() or 1)
    """Processes."""


@dataclass(frozen=True, kw_only=True)
class Show:
    """Say what a corpus holds: rows by part, style, licence and split, and the sources with their credits."""

    corpus: Annotated[Path, tyro.conf.Positional]
    """The corpus' folder."""


Options = Annotated[Build, tyro.conf.subcommand("build")] | Annotated[Show, tyro.conf.subcommand("show")]


def run(options: Options) -> None:
    if isinstance(options, Show):
        find_shards(options.corpus)  # or says that there is no corpus
        print_summary(builder.summarise(options.corpus))
        return
    _check(options)
    parts = [_part(name.strip(), options) for name in options.parts.split(",")]
    with progress("corpus", sum(part.count for part in parts)) as advance:
        summary = builder.build(options.out, parts, workers=options.workers, on_rows=advance)
    print_summary(summary)
    print(options.out)


def _check(options: Build) -> None:
    limits = (
        ("scenes", 1, 10_000_000),
        ("size", 64, 1024),
        ("longest_text", 2, LONGEST_TEXT),
        ("workers", 1, 256),
    )
    for name, least, most in limits:
        if not least <= getattr(options, name) <= most:
            raise InputError(
                f"--{name.replace('_', '-')} is {getattr(options, name)}; it must be from {least} to {most}"
            )


def _part(name: str, options: Build) -> builder.Part:
    if name == "sprites":
        return Sprites(fetch=fetch, size=options.size)
    if name == "scenes":
        return _scenes(options)
    if name in FINDERS:
        return Found(fetch=fetch, name=name)
    raise InputError(f"there is no part {name!r}: parts are {', '.join(PARTS)}")


def _scenes(options: Build) -> Scenes:
    for name, given, known in (("styles", options.styles, STYLES), ("fonts", options.fonts, FONTS)):
        if unknown := [value for value in given if value not in known]:
            raise InputError(f"--{name} has {unknown[0]!r}; there are {', '.join(known)}")
    return Scenes(
        corpus=options.out,
        fetch=fetch,
        size=options.size,
        count=options.scenes,
        seed=options.seed,
        fonts=options.fonts or tuple(FONTS),
        repertoire=Repertoire(
            shares=_shares(options.subjects) or SHARES,
            styles=options.styles,
            backgrounds=options.backgrounds,
            square=options.square,
            longest_text=options.longest_text,
        ),
    )


def _shares(given: Sequence[str]) -> dict[str, float]:
    """Subjects and their shares, from "counting=2"; "counting" is "counting=1"."""
    wanted = f"counting=2, a share above 0, with one of {', '.join(SUBJECTS)}"
    return named_numbers("subjects", given, lambda name, share: name in SUBJECTS and 0 < share < math.inf, wanted, 1.0)


def print_summary(summary: Mapping[str, Any]) -> None:
    """Tables on stdout."""
    console = Console()
    rows = Table("by", "name", "rows", title=f"{summary['rows']} pictures")
    for name in ("part", "style", "licence", "split"):
        for value, count in summary[f"rows_by_{name}"].items():
            rows.add_row(name, value, str(count))
        rows.add_section()
    console.print(rows)
    sources = Table(*(Column(name, overflow="fold") for name in ("source", "licence", "credit", "rows")))
    for source in summary["sources"]:
        sources.add_row(source["source"], source["licence"], source["credit"], str(source["rows"]))
    console.print(sources)
