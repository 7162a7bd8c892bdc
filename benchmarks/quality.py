"""How well the quality head tells planted defects, faint ones too, beside the measures by hand.

    python -m benchmarks.quality CORPUS --work FOLDER [--pictures 450] [--write docs/curation.md]

CORPUS is what mezzotint corpus build --parts photos,clipart made. A killed run goes on where it stopped.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.pages import write_section
from benchmarks.timing import machine

from mezzotint.curation.judges.quality_training import Area, table, train_quality
from mezzotint.runtime.progress import progress

TITLE = "The quality head"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("corpus", type=Path)
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--pictures", type=int, default=450)
    options.add_argument("--write", type=Path)
    args = options.parse_args()
    areas = train_quality(args.corpus, args.work, pictures=args.pictures, penalty=1.0, seed=0, progress=progress)
    lines = section(args.pictures, areas)
    print("\n".join(lines))
    if args.write:
        write_section(args.write, TITLE, lines)


def section(pictures: int, areas: Sequence[Area]) -> list[str]:
    return [
        f"`mezzotint curate train-quality` on {pictures} pictures, one in five held out; each as found and with",
        "one defect, from a fifth of the strength that is planted above to all of it, blur from 0.2 to 2 % of the",
        "longer side. Areas under the ROC curve on held-out pictures, against pictures as found and the other three",
        "defects; in brackets how many pictures. Pictures as found count as good, whatever they are, and of real",
        "defects nothing is known: the scores have no default limit.",
        "",
        f"{machine()}.",
        "",
        *table(areas),
    ]


if __name__ == "__main__":
    main()
