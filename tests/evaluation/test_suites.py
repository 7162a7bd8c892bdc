from collections.abc import Callable

from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.suites import SUITES, report


def test_two_models_are_compared_item_by_item(examine: Callable[[], Examination]):
    found = report(["scenes"], [examine(), examine()], {"seed": 3})
    assert list(found.tables) == ["tiny (1)", "tiny (2)", "tiny (1) − tiny (2)"]
    (differences,) = found.tables["tiny (1) − tiny (2)"]
    assert [row.name for row in differences.rows] == [
        "generated",
        "generated, English prompts",
        "generated, Chinese prompts",
    ]
    for row in differences.rows:
        for figure in row.figures.values():
            assert (figure.value, *figure.interval) == (0.0, 0.0, 0.0)
    models = found.conditions["models"]
    assert models["tiny (1)"]["digest"] == models["tiny (2)"]["digest"]
    assert set(models["tiny (1)"]["seconds"]) == {"scenes"}


def test_the_suites_names():
    assert list(SUITES) == ["concepts", "scenes", "reconstruction", "distribution"]
