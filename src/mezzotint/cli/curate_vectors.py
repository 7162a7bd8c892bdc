"""`mezzotint curate embed`, `dedup`, `retrieve`, `diagnose`, `voids`, `prune`: pictures as vectors."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.table import Column, Table

from mezzotint.cli.console import Console
from mezzotint.cli.curate_heads import check_least
from mezzotint.errors import InputError
from mezzotint.runtime.progress import progress

if TYPE_CHECKING:
    from mezzotint.curation.vectors.diagnosis import Findings
    from mezzotint.curation.vectors.nearest import Nearest
    from mezzotint.curation.vectors.neighbours import Distribute

_SHOWN = 10  # suspects, voids


@dataclass(frozen=True, kw_only=True)
class Embed:
    """Turn a corpus' pictures, and a caption of each, into vectors; a killed run continues."""

    corpus: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CORPUS")]
    """The folder of a corpus: of curate run, or of corpus build."""
    out: Path
    """The vectors' folder."""
    pictures: str = "efficientnet-lite0"
    """By what pictures are embedded: efficientnet-lite0, mini-clip, or the folder of a mini-clip, SigLIP 2 or
    Chinese-CLIP."""
    captions: str | None = None
    """By what captions are: sentences, mini-clip or such a folder; not at all when not given."""
    language: str = "en"
    """Of the caption that is taken where there are several."""
    device: str | None = None
    """cpu, cuda, mps; the best one there is when not given."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """How neighbours are searched."""

    k: int = 16
    """Neighbours of each."""
    vectors_a_cell: int = 256
    """Vectors in a cell; more finds more, in more time."""
    probes: int = 8
    """Cells that each vector looks into, likewise."""
    workers: int = 1
    """Processes; one uses all threads."""
    seed: int = 0
    """Of the cells and of the communities."""
    accelerator: str | None = None
    """Where cells are searched: cuda, cuda:1, mps; the processor when not given."""


@dataclass(frozen=True, kw_only=True)
class Dedup:
    """Find the pictures that say the same, and list all but the best of each; a killed run continues."""

    vectors: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="VECTORS")]
    """What curate embed made."""
    out: Path
    """Where communities.parquet and prune.jsonl go."""
    cosine: float = 0.95
    """Pictures of at least this cosine are alike."""
    large: int = 64
    """Components of more pictures are divided by Leiden."""
    best: str = "pixels"
    """Which stays: the one with the most pixels, or of a measure of curate run, such as clarity; with the least of it
    by --best=-noise."""
    search: tyro.conf.OmitArgPrefixes[Search] = field(default_factory=Search)


@dataclass(frozen=True, kw_only=True)
class Retrieve:
    """List the pictures that are nearest to a picture, a text, or both: a failure that may have come of them."""

    vectors: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="VECTORS")]
    """What curate embed made."""
    picture: Path | None = None
    """A PNG, WebP or JPEG."""
    text: str | None = None
    """A text; with --picture, the prompt that it failed."""
    count: int = 10
    """How many."""
    device: str | None = None
    """cpu, cuda, mps; the best one there is when not given."""


@dataclass(frozen=True, kw_only=True)
class Diagnose:
    """Rank the training pictures' communities by what they have to do with failed generations, and list the guilty."""

    vectors: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="VECTORS")]
    """What curate embed made of the training corpus, with --captions."""
    failed: Path
    """A folder of failed pictures by mezzotint generate, which say their prompts."""
    out: Path
    """Where report.json and prune.jsonl go."""
    succeeded: Path | None = None
    """A folder of good ones: what they are near to is not blamed."""
    cosine: float = 0.85
    """Training pictures of at least this cosine, of picture and caption together, are one community."""
    large: int = 64
    """Components of more pictures are divided by Leiden."""
    least_rate: float = 0.7
    """A community goes if failures are at least this share of what came of it,"""
    least_blame: float = 1.0
    """and at least so many."""
    unlike: float = 0.1
    """Failures are set aside that look more like other pictures than like those of their prompts, by more than all but
    this share of the good ones do."""
    device: str | None = None
    """cpu, cuda, mps; the best one there is when not given."""
    search: tyro.conf.OmitArgPrefixes[Search] = field(default_factory=Search)


@dataclass(frozen=True, kw_only=True)
class Voids:
    """List the concepts of a reference corpus that another corpus lacks, and how many pictures to gather of each."""

    vectors: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="VECTORS")]
    """What curate embed made of the corpus."""
    reference: Path
    """What curate embed made, alike, of a corpus whose records name concepts, in the styles that the other has."""
    out: Path
    """Where the plan goes, as JSON lines."""
    least_share: float = 0.3
    """A concept is missing that has less of the corpus than this share of what it has of the reference."""
    least_cosine: float = 0.0
    """A picture further than this from all of the reference belongs to no concept."""
    budget: int = 0
    """How many pictures can be gathered, shared out so that the emptiest fill first; 0: as many as are missing."""


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Write a corpus anew without the pictures of some lists; a killed run continues."""

    corpus: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CORPUS")]
    """The folder of a corpus."""
    lists: tuple[Path, ...]
    """Lists of curate dedup and diagnose: prune.jsonl."""
    out: Path
    """The new corpus' folder."""


VectorOptions = (
    Annotated[Embed, tyro.conf.subcommand("embed")]
    | Annotated[Dedup, tyro.conf.subcommand("dedup")]
    | Annotated[Retrieve, tyro.conf.subcommand("retrieve")]
    | Annotated[Diagnose, tyro.conf.subcommand("diagnose")]
    | Annotated[Voids, tyro.conf.subcommand("voids")]
    | Annotated[Prune, tyro.conf.subcommand("prune")]
)


def run_vectors(options: VectorOptions) -> None:
    match options:
        case Embed():
            _embed(options)
        case Dedup():
            _dedup(options)
        case Retrieve():
            _retrieve(options)
        case Diagnose():
            _diagnose(options)
        case Voids():
            _voids(options)
        case Prune():
            _prune(options)


def _embed(options: Embed) -> None:
    from mezzotint.curation.vectors.embedding import Embedders, embed_corpus

    embedders = Embedders(
        pictures=options.pictures, captions=options.captions, language=options.language, device=options.device
    )
    embed_corpus(options.corpus, options.out, embedders, progress=progress)
    print(options.out)


def _dedup(options: Dedup) -> None:
    from mezzotint.curation.vectors.cells import Partition
    from mezzotint.curation.vectors.communities import Grouping, Leiden
    from mezzotint.curation.vectors.dedup import PRUNE, deduplicate

    search = options.search
    check_least("large", options.large, 1)
    check_least("seed", search.seed, 0)
    found = deduplicate(
        options.vectors,
        options.out,
        Grouping(cosine=options.cosine, large=options.large, leiden=Leiden(seed=search.seed)),
        best=options.best,
        k=search.k,
        partition=Partition(vectors_a_cell=search.vectors_a_cell, probes=search.probes, seed=search.seed),
        search=_nearest(search),
        distribute=_distribute(search),
        progress=progress,
    )
    print(
        f"{found.pictures} pictures; {found.communities} communities of two and more, the largest of {found.largest}; "
        f"{found.pruned} are to go"
    )
    print(options.out / PRUNE)


def _retrieve(options: Retrieve) -> None:
    from mezzotint.curation.vectors.find import find

    if options.picture is None and options.text is None:
        raise InputError("name what to look for: --picture, --text, or both")
    for row, cosine in find(options.vectors, options.picture, options.text, options.count, options.device):
        print(f"{cosine:.4f}\t{row.id}\t{row.caption}")


def _diagnose(options: Diagnose) -> None:
    from mezzotint.curation.vectors.cells import Partition
    from mezzotint.curation.vectors.communities import Grouping, Leiden
    from mezzotint.curation.vectors.dedup import PRUNE
    from mezzotint.curation.vectors.diagnosis import Diagnosis
    from mezzotint.curation.vectors.embedding import open_embedders
    from mezzotint.curation.vectors.failures import diagnose_failures, embed_generated, find_generated, read_report

    search = options.search
    check_least("large", options.large, 1)
    check_least("seed", search.seed, 0)
    pictures, texts = open_embedders(options.vectors, options.device)
    failed = find_generated(options.failed)
    succeeded = [] if options.succeeded is None else find_generated(options.succeeded)
    findings = diagnose_failures(
        options.vectors,
        options.out,
        failed=embed_generated(failed, pictures, texts),
        succeeded=embed_generated(succeeded, pictures, texts),
        grouping=Grouping(cosine=options.cosine, large=options.large, leiden=Leiden(seed=search.seed)),
        how=Diagnosis(least_rate=options.least_rate, least_blame=options.least_blame, unlike=options.unlike),
        k=search.k,
        partition=Partition(vectors_a_cell=search.vectors_a_cell, probes=search.probes, seed=search.seed),
        search=_nearest(search),
        distribute=_distribute(search),
        progress=progress,
    )
    _print_suspects(findings, read_report(options.out))
    print(options.out / PRUNE)


def _print_suspects(findings: "Findings", report: list[dict[str, Any]]) -> None:
    table = Table("pictures", "blame", "credit", "rate", "goes", Column("captions", overflow="fold"))
    for suspect in report[:_SHOWN]:
        table.add_row(
            str(suspect["members"]),
            f"{suspect['blame']:.1f}",
            f"{suspect['credit']:.1f}",
            f"{suspect['rate']:.2f}",
            "yes" if suspect["pruned"] else "",
            "; ".join(suspect["captions"]),
        )
    console = Console()
    console.print(table, markup=False)
    if findings.unexplained:
        console.print(f"{findings.unexplained} failures are set aside: they look like pictures of other prompts")
    console.print(f"{len(findings.suspects)} communities have some blame; {len(findings.prune)} pictures are to go")


def _voids(options: Voids) -> None:
    from mezzotint.curation.vectors.gaps import find_gaps

    check_least("budget", options.budget, 0)
    gaps = find_gaps(
        options.vectors,
        options.reference,
        options.out,
        least_share=options.least_share,
        least_cosine=options.least_cosine,
        budget=options.budget,
    )
    table = Table("concept", Column("caption", overflow="fold"), "there", "to gather")
    for gap in gaps.voids[:_SHOWN]:
        table.add_row(gap.concept, gap.caption, str(gap.there), str(gap.wanted))
    console = Console()
    console.print(table, markup=False)
    console.print(f"{len(gaps.voids)} of {gaps.concepts} concepts are missing")
    print(options.out)


def _prune(options: Prune) -> None:
    from mezzotint.curation.prune import prune, read_list

    ids = frozenset().union(*map(read_list, options.lists))
    done = prune(options.corpus, options.out, ids, progress=progress)
    strangers = f"; {done.unknown} ids of the lists are not in the corpus" if done.unknown else ""
    print(f"{done.kept} pictures stayed, {done.dropped} went{strangers}")
    print(options.out)


def _distribute(search: Search) -> "Distribute":
    """The engine with several processes; one needs none."""
    from functools import partial

    from mezzotint.curation.engine import distribute
    from mezzotint.curation.stage import CPU

    if not 1 <= search.workers <= 256:
        raise InputError(f"--workers is {search.workers}; it must be from 1 to 256")
    return map if search.workers == 1 else partial(distribute, workers=search.workers, resources=CPU)


def _nearest(search: Search) -> "Nearest":
    from mezzotint.curation.vectors.nearest import nearest

    if search.accelerator is None:
        return nearest
    from mezzotint.curation.vectors.accelerated import DeviceNearest
    from mezzotint.runtime.device import resolve_device

    return DeviceNearest(str(resolve_device(search.accelerator)))
