"""200 broken files, opened as weights and as LoRA, by a process whose memory is bounded."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tests.generation.tiny_model import write_model
from tests.models.formats.mutations import BROKEN, mutations

from mezzotint.errors import MezzotintError
from mezzotint.models.conversion import convert

GIBIBYTE = 2**30


def complaint(path: Path) -> str | None:
    """What using a file ends in: None, or a message; anything but our errors is a crash."""
    from mezzotint.generation.loading import load_transformer
    from mezzotint.models.adapters import read_lora

    complaints = []
    for use in (load_transformer, read_lora):
        try:
            use(path)
        except MezzotintError as error:
            complaints.append(str(error))
    return complaints[0] if len(complaints) == 2 else None


def anonymous_bytes() -> int:
    """What the process has of private memory; the limit on it counts the same."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
    return int(line.split()[1]) * 1024


def main() -> None:
    complaint(Path(sys.argv[1]))  # all imports are done
    most = anonymous_bytes() + GIBIBYTE
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    for line in sys.stdin:
        print(json.dumps(complaint(Path(line.strip()))), flush=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_every_broken_file_ends_in_one_line(tmp_path: Path) -> None:
    model = write_model(tmp_path / "tiny")
    good, gguf = tmp_path / "good.safetensors", tmp_path / "good.gguf"
    convert(model, good, "transformer", "original", None)
    convert(model, gguf, "transformer", "gguf", "q8_0")
    (tmp_path / "broken").mkdir()
    files = list(mutations(good, gguf, tmp_path / "broken"))
    assert len(files) == 200
    code = "from tests.models.formats.test_mutations import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, str(good)],
        input="\n".join(str(path) for _, path in files),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    for (kind, path), answer in zip(files, answers, strict=True):
        assert kind != BROKEN or answer is not None, path
        assert answer is None or (path.name in answer and "\n" not in answer), answer
