from pathlib import Path

import numpy as np
import pytest
from tests.curation.vectors.planted import stored, uniform, unit
from tests.curation.vectors.test_retrieval import cells_of

from mezzotint.curation.vectors.cells import Partition, open_cells
from mezzotint.curation.vectors.communities import Grouping, find_communities
from mezzotint.curation.vectors.diagnosis import Diagnosis, Findings, diagnose
from mezzotint.curation.vectors.neighbours import all_neighbours
from mezzotint.curation.vectors.retrieval import joint
from mezzotint.errors import InputError

AXES = np.eye(8, dtype=np.float32)
ALONE = Diagnosis(nearest=1, least_rate=0.8, least_blame=0.5)


def alike(count: int) -> np.ndarray:
    """Looks that are all the same: what was learned of whom is in the captions."""
    return np.ones((count, 1), np.float32)


def test_blame_and_credit_are_counted_and_ranked(tmp_path: Path) -> None:
    """Six training pictures in three communities, each a direction of its own."""
    cells = cells_of(AXES[:6], tmp_path)
    found = diagnose(
        cells,
        np.array([0, 0, 2, 2, 4, 4]),
        pictures=alike(6),
        failed=AXES[[0, 0, 1, 2]],
        succeeded=AXES[[2, 2, 4, 5]],
        how=ALONE,
    )
    assert [(s.community, s.members, s.blame, s.credit, s.rate) for s in found.suspects] == [
        (0, 2, 3, 0, 1),
        (2, 2, 1, 2, pytest.approx(1 / 3)),
    ]
    np.testing.assert_array_equal(found.prune, [0, 1])


def test_as_many_failures_as_successes_weigh_the_same(tmp_path: Path) -> None:
    cells = cells_of(AXES[:3], tmp_path)
    found = diagnose(
        cells, np.arange(3), pictures=alike(3), failed=AXES[[0, 1]], succeeded=AXES[[0] * 5 + [2] * 5], how=ALONE
    )
    rates = {suspect.community: suspect.rate for suspect in found.suspects}
    assert rates == {1: 1.0, 0: 0.5}  # half of either came of it


def test_little_blame_is_no_evidence(tmp_path: Path) -> None:
    cells = cells_of(AXES[:3], tmp_path)
    failed = AXES[[0, 1, 1]]
    once = diagnose(
        cells,
        np.arange(3),
        pictures=alike(3),
        failed=failed,
        succeeded=AXES[:0],
        how=Diagnosis(nearest=1, least_blame=2),
    )
    np.testing.assert_array_equal(once.prune, [1])
    assert [suspect.community for suspect in once.suspects] == [1, 0]


def test_a_unit_is_divided_by_nearness(tmp_path: Path) -> None:
    """Cosines 0.8 and 0.6 at a temperature of 0.2: e to 1."""
    cells = cells_of(AXES[:2], tmp_path)
    failed = np.array([[0.8, 0.6, 0, 0, 0, 0, 0, 0]], np.float32)
    found = diagnose(
        cells,
        np.arange(2),
        pictures=alike(2),
        failed=failed,
        succeeded=AXES[:0],
        how=Diagnosis(nearest=2, temperature=0.2),
    )
    assert found.suspects[0].blame == pytest.approx(np.e / (1 + np.e), abs=1e-3)
    assert sum(suspect.blame for suspect in found.suspects) == pytest.approx(1)


def test_a_picture_that_looks_more_like_others_than_like_those_of_its_prompt_was_not_learned_from_them(
    tmp_path: Path,
) -> None:
    """Two training pictures with captions of their own; successes may look up to .1 more like the wrong one."""
    looks, says = AXES[:2, :4], AXES[:2, :4]
    cells = cells_of(joint(looks, says), tmp_path)

    def generated(right: float, prompt: int) -> np.ndarray:
        """Of a prompt, by how much it looks like the picture of the prompt, as a cosine; else like the other."""
        look = right * looks[prompt] + (1 - right**2) ** 0.5 * looks[1 - prompt]
        return joint(look[None], says[[prompt]])[0]

    def findings(failed: list[float], succeeded: list[float]) -> Findings:
        return diagnose(
            cells,
            np.arange(2),
            pictures=looks,
            failed=np.stack([generated(right, 0) for right in failed]),
            succeeded=np.array([generated(right, 1) for right in succeeded]).reshape(-1, 8),
            how=Diagnosis(nearest=1),
        )

    found = findings([0.99, 0.5, 0.4], [1.0, 0.9])
    assert found.unexplained == 2
    assert [(suspect.community, suspect.blame) for suspect in found.suspects] == [(0, 1)]
    assert findings([0.99, 0.5, 0.4], []).unexplained == 0  # nothing says how near is near


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    cells = cells_of(AXES[:3], tmp_path)
    with pytest.raises(InputError, match="no failures"):
        diagnose(cells, np.arange(3), pictures=alike(3), failed=AXES[:0], succeeded=AXES, how=ALONE)
    with pytest.raises(InputError, match="unlike their pictures is 2; give one from 0 to 1"):
        diagnose(cells, np.arange(3), pictures=alike(3), failed=AXES, succeeded=AXES, how=Diagnosis(unlike=2))
    with pytest.raises(InputError, match="3 pictures and communities of 2 do not fit 3 vectors"):
        diagnose(cells, np.arange(2), pictures=alike(3), failed=AXES, succeeded=AXES, how=ALONE)


def test_planted_mislabelled_pictures_are_found_among_good_ones_of_both_kinds(tmp_path: Path) -> None:
    """30 pictures of each of 40 concepts; 20 pictures of another under the captions of each of the first ten."""
    rng = np.random.default_rng(0)
    looks, says = uniform(40, 32, seed=1), uniform(40, 32, seed=2)

    def pairs(shown: np.ndarray, said: np.ndarray) -> np.ndarray:
        noise = 0.5 / 32**0.5 * rng.standard_normal((2, len(shown), 32))
        return joint(unit(looks[shown] + noise[0]), unit(says[said] + noise[1] / 2))

    concepts, wrong = np.repeat(np.arange(40), 30), np.repeat(np.arange(10), 20)
    training = np.concatenate([pairs(concepts, concepts), pairs(wrong + 20, wrong)])
    path = stored(training, tmp_path / "v.npy")
    near = all_neighbours(path, tmp_path / "found", k=12, partition=Partition(vectors_a_cell=64))
    communities = find_communities(near, Grouping(cosine=0.75))
    asked = np.repeat(np.arange(40), 8)
    fails = (asked < 10) & (np.arange(320) % 2 == 0)
    findings = diagnose(
        open_cells(tmp_path / "found" / "cells"),
        communities,
        pictures=training[:, :32] * 2**0.5,
        failed=pairs(asked[fails] + 20, asked[fails]),
        succeeded=pairs(asked[~fails], asked[~fails]),
        how=Diagnosis(),
    )
    planted = np.arange(1200, 1400)
    right = np.intersect1d(findings.prune, planted).size
    assert right / findings.prune.size >= 0.9
    assert right / planted.size >= 0.8
    assert all(communities[planted[0] : planted[-1] + 1].min() <= s.community for s in findings.suspects[:10])
