import json
from pathlib import Path

import pytest
from tests import parity


def test_a_case_is_noted_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(parity.MEASURES, raising=False)
    parity.record("nobody asks", velocity=1.0)
    monkeypatch.setenv(parity.MEASURES, str(tmp_path / "measures"))
    parity.record("a case", velocity=2e-6, picture=0.5)
    (line,) = (tmp_path / "measures").read_text().splitlines()
    test = "tests/test_parity.py::test_a_case_is_noted_only_when_asked"
    assert json.loads(line) == {"case": "a case", "velocity": 2e-6, "picture": 0.5, "test": test}


def test_the_page_has_the_largest_difference_of_each_case() -> None:
    def row(case: str, velocity: float | None, picture: float | None) -> dict[str, str | float | None]:
        return {"case": case, "velocity": velocity, "picture": picture, "test": "tests/x.py::TestX::test_y[1-2]"}

    page = parity.page([row("b", 1e-6, None), row("a", None, 0.25), row("b", 3e-6, 0.5), row("b", 2e-6, 0.125)])
    first, second = page.splitlines()[-2:]
    assert first == "| a |  | 0.250 | [`TestX.test_y`](../tests/x.py) |"
    assert second == "| b | 3.0e-06 | 0.500 | [`TestX.test_y`](../tests/x.py) |"
