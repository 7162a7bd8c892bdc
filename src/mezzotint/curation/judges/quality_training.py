"""Training the quality head on defects that are planted into a corpus' pictures, one at a time, from faint to strong.

    <out>/features/part-00000.npz     what the head reads of some pictures and of each with each defect
    <out>/quality.safetensors, card.md

A killed run goes on at the part that it had come to.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray
from PIL import Image, ImageFilter
from safetensors.numpy import save

from mezzotint.curation.judges.quality import (
    BY_HAND,
    CARD,
    EMBEDDER,
    FILE,
    MADE_WITH,
    SCORES,
    QualityHead,
    by_hand,
    features,
)
from mezzotint.curation.planting import DEFECTS, on_white
from mezzotint.curation.profiling.decoding import decode
from mezzotint.curation.runner import Progress, silent
from mezzotint.curation.vectors.heads import auc, fit
from mezzotint.data.manifest import StoredFile
from mezzotint.data.record_pictures import encoded
from mezzotint.data.records import Record, find_shards, read_records
from mezzotint.errors import InputError
from mezzotint.runtime import atomic, made_of

LEAST_SIDE, MOST_SIDE = 256, 1600  # pixels of the shorter and of the longer side of what is trained on
HELD_OUT = 5  # one picture in so many
LEAST_PICTURES = 50
_AT_ONCE = 16
_FORMATS = ("JPEG", "PNG")  # of each picture's files, with a defect or without, drawn alike
_BLUR = (0.002, 0.02)  # standard deviation, in shares of the longer side
_STRENGTH = (0.2, 1.0)  # of the other defects: 1 is what `planting` does, 0 is the picture as found
_SHOWN = 20  # held-out pictures of a kind, from which on its areas are told
_VERSION = "1"


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Pictures, each as found (defect 0) and with each of the defects (1, 2, …, in the order of SCORES)."""

    features: Float32[ndarray, "n f"]
    measures: Float32[ndarray, "n m"]
    kinds: ndarray  # "n", the kind of the picture's record
    held_out: Bool[ndarray, "n"]

    @property
    def defects(self) -> ndarray:
        return np.arange(len(self.features)) % (1 + len(SCORES))

    def of(self, rows: Bool[ndarray, "n"]) -> tuple[Float32[ndarray, "k f"], Float32[ndarray, "k m"], ndarray]:
        return self.features[rows], self.measures[rows], self.defects[rows]


@dataclass(frozen=True, kw_only=True)
class Area:
    """Areas under the ROC curve of one score on held-out pictures of a kind: the head's, and the measure's alone."""

    score: str
    kind: str
    pictures: int
    head: float
    measure: float


def train_quality(
    corpus: Path, out: Path, *, pictures: int, penalty: float, seed: int, progress: Progress = silent
) -> list[Area]:
    """Train on so many pictures of a corpus, write the head with its card, and say how well it does on every fifth.

    Raises the errors of `find_shards`, InputError for too few pictures, FileFormatError for one that cannot be read,
    OutputError.
    """
    shards = find_shards(corpus)
    chosen = _choose(corpus, pictures, seed)
    folder = out / "features"
    digests = [StoredFile.of(path).sha256 for path in shards]
    origin = {"shards": digests, "version": _VERSION, "seed": seed, "pictures": chosen, **MADE_WITH}
    made_of.keep_only(folder, origin, ("part-*.npz",))
    with progress("planting", len(chosen)) as advance:
        for number, records in enumerate(_batches(corpus, frozenset(chosen))):
            path = folder / f"part-{number:05d}.npz"
            if not path.is_file():
                _write_part(path, records, corpus, seed)
            advance(len(records))
    examples = _read_parts(folder)
    head = _fit(examples, penalty)
    areas = measure(head, examples)
    tensors = {"weights": head.weights, "biases": head.biases, "mean": head.mean, "deviation": head.deviation}
    atomic.write_bytes(out / FILE, save(tensors, MADE_WITH))
    atomic.write_text(out / CARD, card(corpus.name, examples, penalty, areas))
    return areas


def measure(head: QualityHead, examples: Examples) -> list[Area]:
    """How well each score tells its defect from pictures as found and from the other defects, held-out ones alone."""
    areas = []
    kinds = np.unique(examples.kinds).tolist()
    for kind in ["all", *kinds]:
        rows = examples.held_out if kind == "all" else examples.held_out & (examples.kinds == kind)
        seen, measures, defects = examples.of(rows)
        scores = head(seen, measures)
        for place, (score, (_, by)) in enumerate(SCORES.items()):
            truth = defects == place + 1
            count = int(truth.sum())
            if kind != "all" and count < _SHOWN:
                continue
            alone = measures[:, BY_HAND.index(by)] * (-1 if by == "clarity" else 1)
            areas.append(
                Area(
                    score=score,
                    kind=kind,
                    pictures=count,
                    head=auc(scores[:, place], truth),
                    measure=auc(alone, truth),
                )
            )
    return areas


def _choose(corpus: Path, count: int, seed: int) -> list[str]:
    """Ids of pictures of a fair size, as many of each kind as can be, by a draw that is the same every time; sorted."""
    sized = [
        record
        for record in read_records(corpus, ["id", "kind", "width", "height"])
        if min(record.width, record.height) >= LEAST_SIDE and max(record.width, record.height) <= MOST_SIDE
    ]
    if min(count, len(sized)) < LEAST_PICTURES:
        raise InputError(
            f"{min(count, len(sized))} pictures of {corpus} with sides of {LEAST_SIDE} to {MOST_SIDE} pixels: "
            f"at least {LEAST_PICTURES} teach anything"
        )
    ranked: list[tuple[int, int, str]] = []  # the first of every kind, then the second of every kind, …
    of_kind: Counter[str] = Counter()
    for place in np.random.default_rng(seed).permutation(len(sized)):
        ranked.append((of_kind[sized[place].kind], int(place), sized[place].id))
        of_kind[sized[place].kind] += 1
    return sorted(identity for _, _, identity in sorted(ranked)[:count])


def _batches(corpus: Path, chosen: frozenset[str]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for record in read_records(corpus, ["id", "kind", "picture", "path"]):
        if record.id not in chosen:
            continue
        batch.append(record)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _write_part(path: Path, records: Sequence[Record], corpus: Path, seed: int) -> None:
    columns: dict[str, list[ndarray]] = {"features": [], "measures": []}
    for record in records:
        shown = [decode(file) for file in _versions(record, corpus, seed)]
        columns["features"].append(features(shown, None))
        columns["measures"].append(by_hand(shown))
    drawn = [np.random.default_rng(_numbers(record.id, seed)).integers(HELD_OUT) == 0 for record in records]
    each = 1 + len(SCORES)
    sink = BytesIO()
    np.savez(
        sink,
        features=np.concatenate(columns["features"]),
        measures=np.concatenate(columns["measures"]),
        kinds=np.repeat([record.kind for record in records], each),
        held_out=np.repeat(drawn, each),
    )
    atomic.write_bytes(path, sink.getvalue())


def _versions(record: Record, corpus: Path, seed: int) -> Iterator[bytes]:
    """The picture as found, then with each defect, as files."""
    picture = on_white(encoded(record, corpus))
    rng = np.random.default_rng([*_numbers(record.id, seed), 1])
    for kind in (None, *(kind for kind, _ in SCORES.values())):
        shown = picture if kind is None else _spoiled(picture, kind, rng)
        # Some defects of `planting` leave traces of a JPEG: no more than all versions of a picture have.
        traced = Image.blend(shown, on_white(_file(shown, "JPEG", 92)), float(rng.uniform(*_STRENGTH)))
        yield _file(traced, str(rng.choice(_FORMATS)), int(rng.integers(75, 96)))


def _file(picture: Image.Image, format: str, quality: int) -> bytes:
    sink = BytesIO()
    picture.save(sink, format, quality=quality)
    return sink.getvalue()


def _spoiled(picture: Image.Image, kind: str, rng: np.random.Generator) -> Image.Image:
    """With a defect of `planting`, fainter than there."""
    if kind == "blurred":
        return picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(*_BLUR)) * max(picture.size)))
    strength = float(rng.uniform(*_STRENGTH))
    return Image.blend(picture, on_white(DEFECTS[kind](picture, rng)), strength)


def _numbers(identity: str, seed: int) -> list[int]:
    """What is drawn for a picture depends on its name and the seed alone."""
    return [seed, *identity.encode()]


def _read_parts(folder: Path) -> Examples:
    parts = []
    for path in sorted(folder.glob("part-*.npz")):
        with np.load(path) as part:
            parts.append(dict(part))
    return Examples(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _fit(examples: Examples, penalty: float) -> QualityHead:
    seen, measures, defects = examples.of(~examples.held_out)
    mean, deviation = measures.mean(axis=0), measures.std(axis=0) + 1e-6
    x = np.concatenate([seen, (measures - mean) / deviation], axis=1)
    fits = [fit(x, defects == place + 1, penalty) for place in range(len(SCORES))]
    return QualityHead(
        weights=np.stack([weight for weight, _ in fits]),
        biases=np.array([bias for _, bias in fits], np.float32),
        mean=mean,
        deviation=deviation,
    )


def card(corpus: str, examples: Examples, penalty: float, areas: Sequence[Area]) -> str:
    """The head's card, in Markdown."""
    each = 1 + len(SCORES)
    learned, held = int((~examples.held_out).sum()) // each, int(examples.held_out.sum()) // each
    return "\n".join(
        [
            "# quality",
            "",
            f"Four logistic regressions over `{EMBEDDER}` and measures by hand, penalty {penalty:g}, trained by",
            "`mezzotint curate train-quality`.",
            "",
            f"- Pictures: {learned} of `{corpus}`, each as found and with each defect planted; {held} others held out.",
            "- Below: how well each score tells its defect from pictures as found and from the other three defects, as",
            "  area under the ROC curve, on held-out pictures; beside it the measure by hand alone.",
            "- The defects are made by a program (`curation/planting.py`, from a fifth of their strength there to all",
            "  of it; blur from 0.2 to 2 % of the longer side), and pictures as found count as good, whatever they",
            "  are. Of real defects nothing is known here: look at what a limit drops before trusting it.",
            "",
            *table(areas),
            "",
        ]
    )


def table(areas: Sequence[Area]) -> list[str]:
    """The areas, in Markdown."""
    rows: Mapping[str, list[Area]] = {score: [area for area in areas if area.score == score] for score in SCORES}
    kinds = list(dict.fromkeys(area.kind for area in areas))
    counts = {area.kind: area.pictures for area in areas}
    return [
        "| score | " + " | ".join(f"{kind} ({counts[kind]}) | by hand" for kind in kinds) + " |",
        "| --- |" + " --- | --- |" * len(kinds),
        *(
            f"| {score} | " + " | ".join(f"{area.head:.3f} | {area.measure:.3f}" for area in own) + " |"
            for score, own in rows.items()
        ),
    ]
