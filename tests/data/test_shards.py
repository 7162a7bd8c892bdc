import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.test_manifest import encoding, write_model
from tests.data.test_shard_writer import ENCODING
from torch import Tensor

from mezzotint.data import manifest
from mezzotint.data.buckets import Bucket
from mezzotint.data.records import Caption
from mezzotint.data.shard_writer import LatentFolderWriter
from mezzotint.data.shards import LatentShards
from mezzotint.errors import FileFormatError, InputError, MissingFileError

BUCKETS = [Bucket(8, 8), Bucket(16, 8), Bucket(8, 24)]
EMPTY = torch.arange(6.0).view(2, 3)


@dataclass(frozen=True, kw_only=True)
class Sample:
    id: str
    split: str
    bucket: Bucket
    captions: tuple[Caption, ...]

    @property
    def latents(self) -> Tensor:
        generator = torch.Generator().manual_seed(len(repr(self)))
        return torch.randn(2, self.bucket.height // 8, self.bucket.width // 8, generator=generator)


def features(text: str) -> Tensor:
    return torch.randn(1 + len(text), 3, generator=torch.Generator().manual_seed(sum(text.encode())))


def write(folder: Path, shards: Sequence[Sequence[Sample]], made_by: manifest.Encoding = ENCODING) -> LatentShards:
    names = [f"part-{number:05d}" for number in range(len(shards))]
    writer = LatentFolderWriter(folder, made_by, EMPTY, names)
    for name, samples in zip(names, shards, strict=True):
        with writer.shard(name, "digest") as shard:
            for sample in samples:
                shard.add_sample(**(vars(sample) | {"latents": sample.latents}))
            for text in shard.texts_without_features:
                shard.add_features(text, features(text))
    return LatentShards(folder)


CAPTIONS = st.builds(
    Caption, st.sampled_from(["short", "long", "长"]), st.sampled_from(["en", "zh"]), st.text(max_size=5)
)
SAMPLES = st.builds(
    Sample,
    id=st.text(max_size=5),
    split=st.sampled_from(["train", "val", "test"]),
    bucket=st.sampled_from(BUCKETS),
    captions=st.lists(CAPTIONS, max_size=4).map(tuple),
)


@settings(max_examples=20)  # each one flushes files to the disk
@given(st.lists(st.lists(SAMPLES, max_size=5), min_size=1, max_size=3))
def test_what_is_written_is_read(written: list[list[Sample]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shards = write(Path(folder), written)
        samples = [sample for shard in written for sample in shard]
        table = shards.captions
        assert len(shards) == len(samples)
        assert shards.ids == [sample.id for sample in samples]
        assert shards.splits == [sample.split for sample in samples]
        for index, sample in enumerate(samples):
            assert shards.buckets[shards.bucket[index]] == sample.bucket
            assert torch.equal(shards.latents(index), sample.latents.half())
            assert tuple(shards.texts(index)) == sample.captions
            captions = range(table.first[index], table.first[index + 1])
            for k, caption in zip(captions, sample.captions, strict=True):
                assert (table.kinds[table.kind[k]], table.languages[table.language[k]]) == caption[:2]
                assert table.tokens[k] == len(features(caption.text))
                assert torch.equal(shards.features(index, k), features(caption.text).half())
                assert shards.caption_texts[k].as_py() == caption.text
        assert torch.equal(shards.empty_caption, EMPTY)
        shards.verify()


def sample(number: int, text: str = "a red disc") -> Sample:
    captions = (Caption("short", "en", text), Caption("long", "en", f"{number}"))
    return Sample(id=str(number), split="train", bucket=BUCKETS[number % 3], captions=captions)


def test_a_text_of_several_samples_stands_once(tmp_path: Path) -> None:
    write(tmp_path, [[sample(0), sample(1), sample(2)]])
    tokens = len(features("a red disc")) + sum(len(features(str(number))) for number in range(3))
    assert (tmp_path / "part-00000" / "captions.features").stat().st_size == tokens * 3 * 2


def test_random_access_takes_microseconds(tmp_path: Path) -> None:
    shards = write(tmp_path, [[sample(number) for number in range(64)]])
    start = time.perf_counter()
    for number in range(64):
        shards.latents(number)
        shards.features(number, int(shards.captions.first[number]))
    assert (time.perf_counter() - start) / 64 < 1e-3  # about 10 microseconds; a busy machine may be slow


def test_many_shards_keep_no_file_open(tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("needs /proc")
    before = len(list(descriptors.iterdir()))
    shards = write(tmp_path, [[sample(number)] for number in range(10)])
    assert len(list(descriptors.iterdir())) <= before
    assert len(shards) == 10


# What is refused -----------------------------------------------------------------------------------------------------


def test_an_unfinished_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [[sample(0)]])
    manifest.write(tmp_path, replace(manifest.read(tmp_path), complete=False))
    with pytest.raises(MissingFileError, match="is not encoded to the end"):
        LatentShards(tmp_path)


@pytest.mark.parametrize(
    "name", ["empty.features", "part-00000/8x8.latents", "part-00000/captions.features", "part-00000/samples.parquet"]
)
def test_missing_short_and_changed_files_are_named(tmp_path: Path, name: str) -> None:
    shards = write(tmp_path, [[sample(0), sample(1)]])
    path = tmp_path / name
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(FileFormatError, match=f"{name} has changed"):
        shards.verify()
    path.write_bytes(data[:-2])
    with pytest.raises(FileFormatError, match=f"{name} has .* bytes instead of"):
        LatentShards(tmp_path)
    path.unlink()
    with pytest.raises(MissingFileError, match=f"{name} is missing"):
        LatentShards(tmp_path)


def test_a_table_that_points_outside_is_refused(tmp_path: Path) -> None:
    """The manifest agrees with the files, and the table of samples is one of another shard."""
    write(tmp_path, [[sample(0)], [sample(number) for number in range(9)]])
    table = tmp_path / "part-00001" / "samples.parquet"
    (tmp_path / "part-00000" / "samples.parquet").write_bytes(table.read_bytes())
    content = manifest.read(tmp_path)
    files = dict(content.shards[0].files) | {"samples.parquet": manifest.StoredFile.of(table)}
    wrong = replace(content.shards[0], files=files, samples=9)
    manifest.write(tmp_path, replace(content, shards=(wrong, content.shards[1])))
    with pytest.raises((FileFormatError, MissingFileError), match="encode the corpus again"):
        LatentShards(tmp_path)


def test_training_with_another_model_is_refused(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    made_by = replace(encoding(model), channels=2, caption_dim=3)
    shards = write(tmp_path / "out", [[sample(0)]], made_by)
    shards.require_models(model)
    with pytest.raises(InputError, match=r"out was encoded with another vae .* --model .*other"):
        shards.require_models(write_model(tmp_path / "other", vae=5.0))
