from pathlib import Path

import pytest
from PIL import Image
from tests.curation.profiling.pictures import encoded

from mezzotint.curation import tables
from mezzotint.curation.copies import drop_copies
from mezzotint.curation.duplicates import Alike
from mezzotint.data.parquet import pa

THUMBNAILS = {identity: bytes(768) for identity in ("a0", "a2", "b0", "b2")} | {"b1": bytes(384) + b"\xff" * 384}
PREVIEW = encoded(Image.new("RGB", (96, 96)), "JPEG")
HASHES = {"a0": 0, "a2": 0, "b0": 0, "b1": (1 << 64) - 1, "b2": 3}


def write_passes(folder: Path) -> tuple[list[Path], list[Path]]:
    """Two shards of three pictures; one was not read, one was dropped by its luma, two are copies of the first."""
    profiles, selected = [], []
    for shard in "ab":
        ids = [f"{shard}{number}" for number in range(3)]
        read = [identity in HASHES for identity in ids]
        profile = {
            "number": pa.array(range(3), pa.int32()),
            "id": ids,
            "sha256": ["same" if identity in ("a0", "b0") else identity for identity in ids],
            "perceptual_hash": pa.array([HASHES.get(identity) for identity in ids], pa.uint64()),
            "thumbnail": pa.array([THUMBNAILS.get(identity) for identity in ids], pa.binary()),
            "preview": pa.array([PREVIEW if known else None for known in read], pa.binary()),
            "width": pa.array([100] * 3, pa.int32()),
            "height": pa.array([100] * 3, pa.int32()),
            "file_bytes": [1000.0 if known else None for known in read],
            "dropped_by": [None if known else "profile" for known in read],
            "reason": [None if known else "an empty file" for known in read],
        }
        profiles.append(folder / f"profile-{shard}.parquet")
        tables.write(profiles[-1], pa.table(profile), {"shard": shard})
        dark = [identity == "a2" for identity, known in zip(ids, read, strict=True) if known]
        select = {
            "number": pa.array([number for number, known in enumerate(read) if known], pa.int32()),
            "dropped_by": pa.array(["luma" if one else None for one in dark], pa.string()),
            "reason": pa.array(["below 10" if one else None for one in dark], pa.string()),
        }
        selected.append(folder / f"select-{shard}.parquet")
        tables.write(selected[-1], pa.table(select), {"shard": shard})
    return profiles, selected


@pytest.fixture
def passes(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    return write_passes(tmp_path)


def test_only_what_was_kept_is_compared_across_all_shards(
    passes: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    found = drop_copies(tmp_path / "d.parquet", *passes, Alike()).to_pylist()
    assert found == [
        {"shard": 1, "number": 0, "id": "b0", "of": "a0", "reason": "an exact copy"},
        {"shard": 1, "number": 2, "id": "b2", "of": "a0", "reason": "a near copy"},
    ]


def test_it_is_made_once_for_the_same_pictures_and_rules(passes: tuple[list[Path], list[Path]], tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    drop_copies(path, *passes, Alike())
    before = path.stat().st_mtime_ns
    drop_copies(path, *passes, Alike())
    assert path.stat().st_mtime_ns == before
    assert drop_copies(path, *passes, Alike(spot=-1.0)).num_rows == 1
    assert path.stat().st_mtime_ns != before


def test_no_pictures_have_no_copies(tmp_path: Path) -> None:
    profiles, selected = write_passes(tmp_path)
    none = tables.read_schema(selected[0]).empty_table()
    for path in selected:
        tables.write(path, none, {})
    assert drop_copies(tmp_path / "d.parquet", profiles, selected, Alike()).num_rows == 0
