import pytest

from mezzotint.errors import FileFormatError
from mezzotint.models.published_config import LARGEST, check_sizes, reading


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "vae config: size is missing"),
        ({"size": None}, "vae config: a value has the wrong form"),
        ({"size": "two"}, "vae config: a value has the wrong form"),
        ({"size": float("inf")}, "vae config: a value has the wrong form"),
    ],
)
def test_a_complaint_says_what_it_is_of(value: dict[str, float], reason: str) -> None:
    with pytest.raises(FileFormatError, match=reason), reading("vae config"):
        int(value["size"])


def test_one_of_ours_stays_as_it_is() -> None:
    with pytest.raises(FileFormatError, match=r"^patch_size is 0$"), reading("vae config"):
        raise FileFormatError("patch_size is 0")


@pytest.mark.parametrize(
    "config",
    [
        {"n_layers": 74},
        {"text_config": {"num_hidden_layers": 10**9}},
        {"dim": LARGEST + 1},
        {"axes_lens": [16, 10**10]},
    ],
)
def test_what_could_never_be_built(config: dict[str, object]) -> None:
    with pytest.raises(FileFormatError, match="with 73 tensors at most"):
        check_sizes(config, tensors=73)


def test_what_could_be() -> None:
    check_sizes({"n_layers": 73, "vocab_size": 151_936, "t_scale": 1e9, "axes_lens": [1536, 512, 512]}, tensors=73)
