"""Measured differences from the public implementation, case by case: `make parity` writes them into docs/parity.md."""

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

VELOCITY = 1e-4  # the largest difference allowed, of outputs of order 1
PICTURE = 2.0  # in 255ths
MEASURES = "MEZZOTINT_PARITY"  # names the file that measures go to
PAGE = Path("docs/parity.md")

HEAD = """# Parity with the public implementation

Random small networks of the published layout, every parameter random, on a CPU in fp32: the same weights in this
project and in diffusers {diffusers} (PyTorch {torch}). |Δ| is the largest difference of any number. Allowed are
{velocity:g} for a velocity, which is of order 1, and {picture:g}/255 for a picture. `make parity` runs the tests and
writes this page. Qwen-Image's Edit pipelines are told which tokens are pictures, which as installed they are not
([decision 3](decisions/0003-positions-of-pictures.md)).

| case | velocity, max \\|Δ\\| | picture, max \\|Δ\\| · 255 | test |
| --- | --- | --- | --- |
"""


def record(case: str, velocity: float | None = None, picture: float | None = None) -> None:
    """Note a case that a test has asserted; `picture` is in 255ths. Does nothing in an ordinary run of the tests."""
    if path := os.environ.get(MEASURES):
        test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
        row = {"case": case, "velocity": velocity, "picture": picture, "test": test}
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def page(rows: list[dict[str, str | float | None]]) -> str:
    """The table; of a case that several tests or parameters measure, the largest differences."""
    cases: dict[str, dict[str, str | float | None]] = {}
    for row in rows:
        seen = cases.setdefault(str(row["case"]), dict(row))
        for measure in ("velocity", "picture"):
            values = [float(value) for value in (seen[measure], row[measure]) if value is not None]
            seen[measure] = max(values, default=None)
    head = HEAD.format(
        diffusers=version("diffusers"), torch=version("torch").partition("+")[0], velocity=VELOCITY, picture=PICTURE
    )
    lines = [
        f"| {case} | {_figure(row['velocity'], '.1e')} | {_figure(row['picture'], '.3f')} | {_test(str(row['test']))} |"
        for case, row in sorted(cases.items())
    ]
    return head + "\n".join(lines) + "\n"


def _figure(value: str | float | None, form: str) -> str:
    return "" if value is None else format(float(value), form)


def _test(node: str) -> str:
    """A link to the test's file, called by the test."""
    path, _, name = node.partition("::")
    return f"[`{name.partition('[')[0].replace('::', '.')}`](../{path})"


def main() -> int:
    """Run every test file that records, and write the page if all pass."""
    files = [str(file) for file in sorted(Path("tests").rglob("test_*.py")) if "parity" in file.read_text()]
    with tempfile.TemporaryDirectory() as folder:
        measures = Path(folder) / "measures.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "not gpu", *files]
        code = subprocess.run(command, env=os.environ | {MEASURES: str(measures)}).returncode
        if code == 0:
            rows = [json.loads(line) for line in measures.read_text(encoding="utf-8").splitlines()]
            PAGE.write_text(page(rows), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
