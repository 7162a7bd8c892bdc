"""How well `mini-clip` finds the picture of a caption, and the caption of a picture, among pictures it never saw.

    python -m benchmarks.clip --corpus CORPUS [--clip FOLDER] [--write docs/vectors.md]

Of each concept the first picture of the split "test"; of each picture its short caption in a language. Chance is one in
so many pictures.
"""

import argparse
from pathlib import Path

import numpy as np
from benchmarks.pages import write_section
from benchmarks.timing import machine
from jaxtyping import Float

from mezzotint.curation.vectors.catalogue import load_embedder
from mezzotint.curation.vectors.embedders import Embedder
from mezzotint.curation.vectors.rows import caption_of
from mezzotint.data.record_pictures import decode
from mezzotint.data.records import Record, read_records
from mezzotint.evaluation.report import share
from mezzotint.synthesis.concepts import LANGUAGES

TITLE = "mini-clip"
_AT_ONCE = 64


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--corpus", type=Path, required=True, help="what mezzotint corpus build made")
    options.add_argument("--clip", default="mini-clip")
    options.add_argument("--write", type=Path)
    args = options.parse_args()
    embedder = load_embedder(args.clip, "cpu")
    assert isinstance(embedder, Embedder)
    first: dict[str | None, Record] = {}
    for record in read_records(args.corpus, parts=["sprites"], splits=["test"]):
        first.setdefault(record.concept, record)
    records = list(first.values())
    pictures = np.concatenate(
        [
            embedder.embed_pictures([decode(record, args.corpus) for record in records[start : start + _AT_ONCE]])
            for start in range(0, len(records), _AT_ONCE)
        ]
    )
    lines = [
        f"{machine()}.",
        "",
        f"Of {len(records)} held-out pictures of as many concepts the right one is found first (chance "
        f"{1 / len(records):.1%}; 95 % intervals).",
        "",
        "| | picture of a caption | among the first five | caption of a picture |",
        "| --- | --- | --- | --- |",
    ]
    for language in LANGUAGES:
        texts = embedder.embed_texts([caption_of(record, language) for record in records])
        found = [rank(texts @ pictures.T), rank(pictures @ texts.T)]
        cells = [share(found[0] == 0), share(found[0] < 5), share(found[1] == 0)]
        lines.append(f"| {language} | {' | '.join(map(str, cells))} |")
    print("\n".join(lines))
    if args.write is not None:
        write_section(args.write, TITLE, lines)


def rank(cosines: Float[np.ndarray, "n n"]) -> np.ndarray:
    """How many others each row's own column is behind."""
    return (cosines > np.diag(cosines)[:, None]).sum(1)


if __name__ == "__main__":
    main()
