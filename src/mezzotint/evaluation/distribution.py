"""The suite "distribution": do a model's pictures, taken together, look like the real ones, and do they vary.

The Fréchet distance is over EfficientNet-Lite0's features of some hundred pictures. It is named FED-Lite0, and is
comparable only with itself at equal numbers; FID is another network's, over fifty thousand.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from mezzotint.evaluation import intervals
from mezzotint.evaluation.answers import seeds_of
from mezzotint.evaluation.concept_list import Concept, concepts, spread
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.frechet import frechet_distance, is_inside
from mezzotint.evaluation.gallery import unit
from mezzotint.evaluation.painter import Task
from mezzotint.evaluation.report import Figure, Row, Table, mean, share, statistic
from mezzotint.runtime.seeds import Seeds
from mezzotint.synthesis.concepts import LANGUAGES

SUITE = "distribution"
RESAMPLES = 50  # of the Fréchet distance
DIVERSE, SEEDS = 25, 4  # concepts, and pictures of each


def tables(examination: Examination) -> list[Table]:
    asked = spread(concepts(), examination.limit)
    return [_distances(examination, asked), _diversity(examination, spread(asked, DIVERSE))]


def tasks_of(asked: Sequence[Concept], seed: int) -> list[Task]:
    """The plain prompts in all languages, as the suite "concepts" asks them: what it painted is used again."""
    noise = seeds_of(seed)
    return [Task(c.prompts[language], noise[c.code]) for language in LANGUAGES for c in asked]


def _distances(examination: Examination, asked: Sequence[Concept]) -> Table:
    painted = examination.painter.paint(tasks_of(asked, examination.seed))
    made = examination.examiner.features(painted)
    real = _real(examination, asked)
    half, rest = _split(real, len(made), examination.seed)
    noise = Seeds(examination.seed).normal(painted.shape, "noise pictures")
    rows = (
        Row(name="generated", figures=_figures(made, rest)),
        Row(name="real, other pictures", figures=_figures(half, rest), reference=True),
        Row(
            name="noise",
            figures=_figures(examination.examiner.features((noise / 2).clamp(-1, 1)), rest),
            reference=True,
        ),
    )
    note = (
        f"{len(made)} pictures of plain prompts against {len(rest)} real sprites of the same concepts, all styles. "
        "FED-Lite0: Fréchet distance over EfficientNet-Lite0's features, lower is better. Precision: share of the "
        "pictures that lie among the real ones; recall: share of the real ones that lie among the pictures "
        "(Kynkäänniemi et al. 2019, k = 3). Reference rows: other real sprites of the same concepts, and noise."
    )
    return Table(suite=SUITE, title="Distribution", note=note, rows=rows)


def _real(examination: Examination, asked: Sequence[Concept]) -> Float[np.ndarray, "n d"]:
    gallery = examination.gallery
    return gallery.features[np.isin(gallery.concepts, [concept.code for concept in asked])]


def _split(
    real: Float[np.ndarray, "n d"], count: int, seed: int
) -> tuple[Float[np.ndarray, "a d"], Float[np.ndarray, "b d"]]:
    """As many real ones as there are generated ones (half of them at most), and the others."""
    order = Seeds(seed).numpy("real split").permutation(len(real))
    cut = min(count, len(real) // 2)
    return real[order[:cut]], real[order[cut:]]


def _figures(found: Float[np.ndarray, "n d"], real: Float[np.ndarray, "m d"]) -> dict[str, Figure]:
    return {
        "FED-Lite0": _fed(found, real),
        "precision": share(is_inside(found, real)),
        "recall": share(is_inside(real, found)),
    }


def _fed(found: Float[np.ndarray, "n d"], real: Float[np.ndarray, "m d"]) -> Figure:
    """The real set stays as it is: what is uncertain is which pictures a model happened to make."""
    rows: Int[np.ndarray, "times n"] = intervals.resamples(len(found), RESAMPLES)
    replicates = np.array([frechet_distance(found[row], real) for row in rows])
    return statistic(frechet_distance(found, real), replicates, len(found))


def _diversity(examination: Examination, asked: Sequence[Concept]) -> Table:
    """Pictures of one prompt from several seeds, half of the prompts Chinese."""
    tasks = [
        Task(concept.prompts[LANGUAGES[position % 2]], examination.seed + seed)
        for position, concept in enumerate(asked)
        for seed in range(SEEDS)
    ]
    painted = examination.painter.paint(tasks)
    examination.show("seeds", [task.prompt for task in tasks], painted, None)
    made = np.split(examination.examiner.features(painted), len(asked))
    gallery, codes = examination.gallery, np.asarray(examination.gallery.concepts)
    real = [gallery.features[codes == concept.code] for concept in asked]
    rows = (
        Row(name="seeds of one prompt", figures={"distance": _spread_of(made)}),
        Row(name="real, styles of one concept", figures={"distance": _spread_of(real)}, reference=True),
    )
    note = (
        f"Mean over {len(asked)} prompts of the mean distance (1 − cosine of the examiner's features) between {SEEDS} "
        "pictures of a prompt from different seeds; 0 would be always the same picture. Reference row: between the "
        "real sprites of a concept in all its styles."
    )
    return Table(suite=SUITE, title="Diversity", note=note, rows=rows)


def _spread_of(groups: Sequence[Float[np.ndarray, "n d"]]) -> Figure:
    """Mean distance within each group."""
    distances = []
    for group in groups:
        units = unit(group)
        distances.append(np.mean([1 - units[i] @ units[j] for i, j in combinations(range(len(units)), 2)]))
    return mean(np.array(distances), "")
