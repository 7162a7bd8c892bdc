import numpy as np
import pytest

from mezzotint.synthesis.scenes.colours import BACKGROUND_COLOURS, OBJECT_COLOURS, contrast, distance, lab, shade


def test_known_values() -> None:
    """Published CIE L*a*b* (D65) of sRGB white and red; WCAG's contrast of black on white."""
    np.testing.assert_allclose(lab(np.array([255.0, 255.0, 255.0])), [100, 0, 0], atol=0.05)
    np.testing.assert_allclose(lab(np.array([255.0, 0.0, 0.0])), [53.24, 80.09, 67.20], atol=0.1)
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21.0)
    assert distance((10, 20, 30), (10, 20, 30)) == 0.0


def test_a_shade_stays_nearest_to_its_own_name() -> None:
    rng = np.random.default_rng(0)
    for colours in (OBJECT_COLOURS, BACKGROUND_COLOURS):
        for name in colours:
            for _ in range(20):
                rgb = shade(name, rng).rgb
                assert min(colours, key=lambda other: distance(rgb, colours[other].rgb)) == name
