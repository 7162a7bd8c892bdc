import numpy as np

from mezzotint.evaluation.gallery import Gallery
from mezzotint.evaluation.style_classifier import fit_styles


def gallery(seed: int) -> Gallery:
    """Sixty concepts in three styles: a style shifts a little, a concept much."""
    rng = np.random.default_rng(seed)
    concepts, styles = np.meshgrid(np.arange(60), np.arange(3))
    things, shifts = 3 * rng.normal(size=(60, 4)) @ rng.normal(size=(4, 12)), np.eye(12)[:3] * 2
    noise = 0.1 * rng.normal(size=(180, 12))
    return Gallery(
        features=things[concepts.ravel()] + shifts[styles.ravel()] + noise,
        concepts=tuple(f"c{number}" for number in concepts.ravel()),
        styles=tuple(f"s{number}" for number in styles.ravel()),
    )


def test_the_discriminant_ignores_what_concepts_differ_in():
    found = gallery(0)
    held_out = [f"c{number}" for number in range(20)]
    classifier = fit_styles(found, held_out)
    asked = np.isin(found.concepts, held_out)
    right = classifier.classify(found.features[asked]) == np.asarray(found.styles)[asked]
    assert right.mean() > 0.95


def test_held_out_concepts_are_not_learned_from():
    found = gallery(0)
    changed = found.features.copy()
    changed[np.asarray(found.concepts) == "c0"] += 100
    other = Gallery(features=changed, concepts=found.concepts, styles=found.styles)
    one, two = (fit_styles(each, ["c0"]) for each in (found, other))
    np.testing.assert_array_equal(one.weights, two.weights)
