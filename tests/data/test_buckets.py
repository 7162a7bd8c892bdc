import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.data.buckets import Bucket, assign, padded, parse
from mezzotint.errors import InputError


def test_sizes_are_read() -> None:
    assert parse("160x96", 16) == Bucket(160, 96)
    assert parse("128", 16) == Bucket(128, 128)
    assert str(parse("160x96", 16)) == "160x96"


@pytest.mark.parametrize("text", ["", "x", "128x", "-16", "16.0", "128 x 128", "1e3", "128x128x128", "٣٢"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not WIDTHxHEIGHT"):
        parse(text, 16)


@pytest.mark.parametrize(
    ("text", "instead"), [("100", "96x96"), ("0", "16x16"), ("128x120", "128x128"), ("7x64", "16x64")]
)
def test_sides_must_be_multiples(text: str, instead: str) -> None:
    with pytest.raises(InputError, match=f"multiples of 16, such as {instead}"):
        parse(text, 16)


def test_the_nearest_shape_is_chosen() -> None:
    buckets = [Bucket(128, 128), Bucket(160, 96), Bucket(96, 160)]
    assert assign(256, 256, buckets) == Bucket(128, 128)
    assert assign(1920, 1080, buckets) == Bucket(160, 96)
    assert assign(100, 900, buckets) == Bucket(96, 160)
    assert assign(110, 100, buckets) == Bucket(128, 128)


def test_among_equal_shapes_the_first_is_chosen() -> None:
    assert assign(50, 50, [Bucket(64, 64), Bucket(128, 128)]) == Bucket(64, 64)


@given(st.integers(0, 10**6))
def test_padding_reaches_the_next_multiple_of_32(tokens: int) -> None:
    assert padded(tokens) % 32 == 0
    assert 0 <= padded(tokens) - tokens < 32
