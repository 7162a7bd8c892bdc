from collections import Counter

from mezzotint.synthesis.splits import split_of


def test_splits_are_stable_and_of_the_stated_size() -> None:
    splits = Counter(split_of(str(number), "noto") for number in range(10_000))
    assert abs(splits["val"] / 10_000 - 0.02) < 0.005
    assert abs(splits["test"] / 10_000 - 0.03) < 0.006
    assert split_of("1f34e", "noto") == "train"
