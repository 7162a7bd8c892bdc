"""How far the alignment of `mezzotint curate run` tells right captions from those of other pictures.

    python -m benchmarks.alignment CORPUS [CORPUS ...] [--embedder mini-clip] [--write docs/curation.md]

Of each kind of picture in the corpora up to --most that were not trained on (of the mini corpus the split "test"), each
with its own plainest caption and with that of another picture of the kind, which is another text.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from benchmarks.pages import write_section
from benchmarks.timing import machine
from jaxtyping import Float
from numpy import ndarray

from mezzotint.curation.judges.alignment import LANGUAGES, Alignment
from mezzotint.curation.profiling.decoding import decode
from mezzotint.curation.vectors.heads import auc
from mezzotint.curation.vectors.rows import caption_of
from mezzotint.data.record_pictures import encoded
from mezzotint.data.records import Caption, Record, read_records

TITLE = "Captions that fit"
WHY = (
    "The alignment measures of `curate run --alignment` have no default limit: what `mini-clip` learned, single",
    "drawn things, it judges well, and of photographs it knows next to nothing. For those bring a SigLIP 2 or a",
    "Chinese-CLIP, and find the limit with the same command (`--embedder FOLDER`) on captions that you trust.",
)
_TRAINED = ("sprite", "scene")  # kinds of the mini corpus, of which other splits may have been learned
_LOST = 0.05  # share of right captions that a limit may cost
_AT_ONCE = 32


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("corpora", type=Path, nargs="+")
    options.add_argument("--embedder", default="mini-clip")
    options.add_argument("--most", type=int, default=400)
    options.add_argument("--write", type=Path)
    args = options.parse_args()
    judge = Alignment(embedder=args.embedder, device="cpu")
    lines = [
        *WHY,
        "",
        f"`{args.embedder}`, right captions beside those of other pictures of the same kind. {machine()}.",
        "",
        "| pictures | language | number | area under the ROC curve | wrong ones found at a cost of "
        f"{_LOST:.0%} of the right ones | that limit |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind, records in drawn(args.corpora, args.most).items():
        for language in LANGUAGES:
            own = [(place, one) for place, one in records if any(text.language == language for text in one.captions)]
            if len(own) >= 2 * _AT_ONCE:
                lines.append(row(kind, language, *cosines(judge, own, language)))
    print("\n".join(lines))
    if args.write:
        write_section(args.write, TITLE, lines)


def drawn(corpora: Sequence[Path], most: int) -> Mapping[str, list[tuple[Path, Record]]]:
    """By kind, the same pictures every time, each with the corpus that it lies in."""
    found: dict[str, list[tuple[Path, Record]]] = defaultdict(list)
    for corpus in corpora:
        for record in read_records(corpus, ["id", "kind", "captions", "picture", "path", "split"]):
            if record.captions and (record.split == "test" or record.kind not in _TRAINED):
                found[record.kind].append((corpus, record))
    rng = np.random.default_rng(0)
    return {kind: [own[place] for place in rng.permutation(len(own))[:most]] for kind, own in found.items()}


def cosines(
    judge: Alignment, records: Sequence[tuple[Path, Record]], language: str
) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
    """Of the right captions and of the wrong ones."""
    texts = [caption_of(record, language) for _, record in records]
    right: list[float] = []
    wrong: list[float] = []
    for batch in _batches(len(texts)):
        pictures = [decode(encoded(records[place][1], records[place][0])) for place in batch]
        for said, order in ((right, batch), (wrong, [_another(place, texts) for place in batch])):
            rows = judge(pictures, [[Caption("alt", language, texts[place])] for place in order])
            said += [one[f"alignment_{language}"] for one in rows]
    return np.array(right), np.array(wrong)


def _batches(count: int) -> Iterator[range]:
    for start in range(0, count, _AT_ONCE):
        yield range(start, min(start + _AT_ONCE, count))


def _another(place: int, texts: Sequence[str]) -> int:
    """The next picture that has another text."""
    return next(
        other % len(texts)
        for other in range(place + 1, place + len(texts))
        if texts[other % len(texts)] != texts[place]
    )


def row(kind: str, language: str, right: Float[ndarray, "n"], wrong: Float[ndarray, "n"]) -> str:
    area = auc(np.concatenate([right, wrong]), np.repeat([True, False], len(right)))
    limit = float(np.quantile(right, _LOST))
    return f"| {kind} | {language} | {len(right)} | {area:.3f} | {(wrong < limit).mean():.0%} | {limit:.2f} |"


if __name__ == "__main__":
    main()
