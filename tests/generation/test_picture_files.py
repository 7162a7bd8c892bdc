import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mezzotint.errors import FileFormatError, MissingFileError, OutputError
from mezzotint.generation.picture_files import PictureParameters, read_parameters, read_texts, write_picture

PARAMETERS = PictureParameters(
    prompt="a red apple",
    negative_prompt="blur",
    seed=7,
    steps=28,
    guidance=4.0,
    width=32,
    height=16,
    sampler="euler",
    model="mini",
    model_digest="0123456789abcdef" * 4,
    version="0.1.0",
)
PICTURE = Image.new("RGB", (32, 16), (200, 30, 40))
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_the_pixels_and_the_parameters_come_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "apple.png"
    write_picture(path, PICTURE, PARAMETERS)
    assert read_parameters(path) == PARAMETERS
    with Image.open(path) as read:
        assert read.tobytes() == PICTURE.tobytes()


def test_the_text_is_a1111s(tmp_path: Path) -> None:
    path = tmp_path / "apple.png"
    write_picture(path, PICTURE, PARAMETERS)
    assert read_texts(path)["parameters"] == (
        "a red apple\n"
        "Negative prompt: blur\n"
        "Steps: 28, Sampler: Euler, CFG scale: 5, Seed: 7, Size: 32x16, Model hash: 0123456789, Model: mini, "
        "Version: mezzotint 0.1.0"
    )


def test_the_text_leaves_out_what_there_is_not() -> None:
    text = replace(PARAMETERS, negative_prompt="", seed=None, guidance=0.0).to_text()
    assert "Negative" not in text
    assert "Seed" not in text
    assert "CFG scale: 1," in text


def test_the_scale_of_guidance_is_1_where_there_is_none() -> None:
    assert "CFG scale: 4," in replace(PARAMETERS, guidance=4.0, unguided=1.0).to_text()
    assert "CFG scale: 1," in replace(PARAMETERS, guidance=1.0, unguided=1.0).to_text()


def test_what_an_older_version_did_not_note_has_its_default() -> None:
    noted = asdict(PARAMETERS)
    del noted["unguided"], noted["image"]
    assert PictureParameters.from_json(noted) == PARAMETERS


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=TEXT, negative=TEXT)
def test_any_text_comes_back(tmp_path: Path, prompt: str, negative: str) -> None:
    parameters = replace(PARAMETERS, prompt=prompt, negative_prompt=negative)
    write_picture(tmp_path / "any.png", PICTURE, parameters)
    assert read_parameters(tmp_path / "any.png") == parameters


def test_equal_pictures_are_equal_files(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", PICTURE, PARAMETERS)
    write_picture(tmp_path / "b.png", PICTURE, PARAMETERS)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_foreign_png_has_no_parameters(tmp_path: Path) -> None:
    path = tmp_path / "foreign.png"
    PICTURE.save(path)
    assert read_parameters(path) is None


def test_what_a_newer_version_added_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "newer.png"
    save_with_chunk(path, json.dumps(asdict(PARAMETERS) | {"scheduler": "new"}))
    assert read_parameters(path) == PARAMETERS


@pytest.mark.parametrize(
    "chunk",
    [
        "{",
        "[1]",
        "{}",
        json.dumps(asdict(PARAMETERS) | {"steps": "8"}),
        json.dumps(asdict(PARAMETERS) | {"steps": True}),
        json.dumps(asdict(PARAMETERS) | {"guidance": float("nan")}),
        json.dumps(asdict(PARAMETERS) | {"prompt": None}),
        "[" * 100_000,
    ],
)
def test_broken_parameters_are_named(tmp_path: Path, chunk: str) -> None:
    path = tmp_path / "broken.png"
    save_with_chunk(path, chunk)
    with pytest.raises(FileFormatError, match=r"broken\.png: its 'mezzotint' chunk is broken"):
        read_parameters(path)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", b"GIF89a"])
def test_no_png(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no.png"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"no\.png is not a readable PNG"):
        read_texts(path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 300))
def test_no_damage_raises_anything_else(tmp_path: Path, place: int, byte: int, cut: int) -> None:
    path = tmp_path / "damaged.png"
    write_picture(path, PICTURE, PARAMETERS)
    whole = bytearray(path.read_bytes())
    whole[place % len(whole)] = byte
    path.write_bytes(bytes(whole[: len(whole) - cut]))
    try:
        read_parameters(path)
    except FileFormatError as error:
        assert str(path) in str(error)  # noqa: PT017


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"absent\.png is missing"):
        read_parameters(tmp_path / "absent.png")


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_picture(tmp_path / "file" / "x.png", PICTURE, PARAMETERS)


def save_with_chunk(path: Path, chunk: str) -> None:
    info = PngInfo()
    info.add_text("mezzotint", chunk)
    PICTURE.save(path, pnginfo=info)
