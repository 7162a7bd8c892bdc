"""`mezzotint curate train-head`, `score`, `train-quality`: pictures judged by what was learned of others."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mezzotint.cli.curate_judges import check_head_name
from mezzotint.errors import InputError
from mezzotint.runtime.progress import progress


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


@dataclass(frozen=True, kw_only=True)
class TrainQuality:
    """Learn what colour casts, blur, noise and watermarks look like, planted into a corpus' pictures; a killed run
    continues."""

    corpus: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CORPUS")]
    """The folder of a corpus: of curate run, or of corpus build."""
    out: Path
    """The head's folder, for curate run --quality; its card says how well it does on other pictures."""
    pictures: int = 1000
    """How many are drawn; one in five of them only to examine the head."""
    penalty: float = 1.0
    """On large weights; more for few pictures."""
    seed: int = 0
    """Of the draw and of the defects."""


HeadOptions = (
    Annotated[TrainHead, tyro.conf.subcommand("train-head")]
    | Annotated[Score, tyro.conf.subcommand("score")]
    | Annotated[TrainQuality, tyro.conf.subcommand("train-quality")]
)


def run_heads(options: HeadOptions) -> None:
    if not isinstance(options, Score):
        if not options.penalty > 0:
            raise InputError(f"--penalty is {options.penalty:g}; it must be above 0")
        check_least("seed", options.seed, 0)
    if isinstance(options, TrainQuality):
        _train_quality(options)
        return
    from mezzotint.curation.prune import write_list
    from mezzotint.curation.vectors.heads import load_head, outside, score, train_head

    if isinstance(options, TrainHead):
        check_head_name(options.name)
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


def check_least(name: str, value: int, least: int) -> None:
    """Raises InputError for an option below the least that it can be."""
    if value < least:
        raise InputError(f"--{name} is {value}; it must be {least} or more")


def _train_quality(options: TrainQuality) -> None:
    from mezzotint.curation.judges.quality import CARD
    from mezzotint.curation.judges.quality_training import table, train_quality

    areas = train_quality(
        options.corpus,
        options.out,
        pictures=options.pictures,
        penalty=options.penalty,
        seed=options.seed,
        progress=progress,
    )
    print("\n".join(table(areas)))
    print(options.out / CARD)
