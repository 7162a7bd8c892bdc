import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.curation.profiling.pictures import detailed, encoded

from mezzotint.curation.planting import CAPTION, DEFECTS, NEAR_COPIES, TRUTH, on_white, plant
from mezzotint.curation.profiling.stage import profile

PICTURE = detailed((640, 480))


def measured(kind: str, seed: int = 0) -> dict[str, float]:
    found, reason = profile((NEAR_COPIES | DEFECTS)[kind](PICTURE, np.random.default_rng(seed)))
    assert reason is None
    return found


@pytest.mark.parametrize("seed", range(3))
def test_each_defect_is_what_it_says(seed: int) -> None:
    clean = profile(encoded(PICTURE))[0]
    assert measured("blurred", seed)["clarity"] < 0.65 < clean["clarity"]
    assert measured("noisy", seed)["noise"] > 9
    assert measured("tinted", seed)["colour_cast"] > clean["colour_cast"] + 10
    assert 2 < measured("darkened", seed)["luma"] < 13
    assert measured("blocky", seed)["blockiness"] > 1.3
    assert measured("bordered", seed)["border_variance"] == 0
    assert measured("qr code", seed)["qr_codes"] == 1
    assert measured("bar code", seed)["bar_codes"] == 1
    assert measured("watermarked", seed)["watermark"] > clean["watermark"]
    assert measured("pixelated", seed)["mosaic"] > 0.03


@pytest.mark.parametrize("kind", NEAR_COPIES)
def test_a_near_copy_is_nearly_the_picture(kind: str) -> None:
    copy = on_white(NEAR_COPIES[kind](PICTURE, np.random.default_rng(1)))
    apart = np.asarray(copy.resize((64, 48), Image.Resampling.BOX), float) - np.asarray(
        PICTURE.resize((64, 48), Image.Resampling.BOX), float
    )
    assert 0 < np.abs(apart).mean() < 12


def test_what_is_planted_is_said_and_the_same_every_time(tmp_path: Path) -> None:
    kinds = [*NEAR_COPIES, *DEFECTS, CAPTION]
    pool = [(f"p{number}", encoded(detailed((300, 260), number))) for number in range(len(kinds) + 2)]
    for name in ("a", "b"):
        plant(tmp_path / name, pool, each=1, seed=3)
    lines = [json.loads(line) for line in (tmp_path / "a" / TRUTH).read_text().splitlines()]
    assert [line["kind"] for line in lines] == kinds
    assert len({line["of"] for line in lines}) == len(kinds)
    for line in lines:
        assert (tmp_path / "a" / line["id"]).read_bytes() == (tmp_path / "b" / line["id"]).read_bytes()
    caption = (tmp_path / "a" / lines[-1]["id"]).with_suffix(".txt")
    assert profile((tmp_path / "a" / lines[-1]["id"]).read_bytes(), [caption.read_text()])[0]["invalid_captions"] == 1
    cut = next(line["id"] for line in lines if line["kind"] == "truncated")
    assert profile((tmp_path / "a" / cut).read_bytes())[1] is not None


def test_a_cut_out_is_seen_on_white() -> None:
    sink = io.BytesIO()
    Image.new("RGBA", (4, 4)).save(sink, "PNG")
    assert (np.asarray(on_white(sink.getvalue())) == 255).all()
