"""`mezzotint curate train-head`, `score`: pictures judged by what a user has labelled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mezzotint.errors import InputError


@dataclass(frozen=True, kw_only=True)
class TrainHead:
    """Learn a label from the vectors of labelled pictures; the card says how well it does on others."""

    vectors: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="VECTORS")]
    """What curate embed made."""
    labels: Path
    """A CSV list with the columns id and label, 0 or 1."""
    out: Path
    """The head's folder."""
    name: str
    """What it says of a picture, such as beautiful or watermarked."""
    penalty: float = 1.0
    """On large weights; more for few labels."""
    seed: int = 0
    """Of the folds by which it is examined."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """Judge embedded pictures by a head, and list those outside of the limits for curate prune."""

    vectors: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="VECTORS")]
    """What curate embed made, by the head's embedder."""
    head: Path
    """What curate train-head made."""
    out: Path
    """The list, as JSON lines."""
    least: float | None = None
    """Pictures with less are listed,"""
    most: float | None = None
    """and those with more."""


HeadOptions = Annotated[TrainHead, tyro.conf.subcommand("train-head")] | Annotated[Score, tyro.conf.subcommand("score")]


def run_heads(options: HeadOptions) -> None:
    from mezzotint.curation.prune import write_list
    from mezzotint.curation.vectors.heads import load_head, outside, score, train_head

    if isinstance(options, TrainHead):
        if not options.penalty > 0:
            raise InputError(f"--penalty is {options.penalty:g}; it must be above 0")
        trained = train_head(
            options.vectors,
            options.labels,
            options.out,
            name=options.name,
            penalty=options.penalty,
            seed=options.seed,
        )
        print(f"{trained.pictures} pictures, {trained.positives} positive; AUC on unseen ones {trained.auc:.3f}")
        print(options.out / "card.md")
        return
    if options.least is None and options.most is None:
        raise InputError("name a limit: --least, --most, or both")
    head = load_head(options.head)
    shares = score(options.vectors, head)
    listed = outside(shares, options.least, options.most)
    write_list(options.out, ({"id": one, head.name: share} for one, share in listed))
    print(f"{len(shares)} pictures, {len(listed)} listed")
    print(options.out)
