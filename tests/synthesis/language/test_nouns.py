import re

import pytest

from mezzotint.synthesis.language.nouns import nouns


@pytest.mark.parametrize(
    ("code", "count", "english", "chinese"),
    [
        ("1f401", 3, "three mice", "三只老鼠"),
        ("1f95b", 2, "two glasses of milk", "两杯牛奶"),
        ("1f98c", 2, "two deer", "两只鹿"),
        ("1fabf", 4, "four geese", "四只鹅"),
        ("1f9b7", 5, "five teeth", "五颗牙齿"),
        ("1f3b2", 2, "two dice", "两个骰子"),
        ("1f339", 6, "six roses", "六朵玫瑰"),
        ("1f40e", 1, "one horse", "一匹马"),
        ("2702", 2, "two pairs of scissors", "两把剪刀"),
        ("1f43a", 2, "two wolves", "两只狼"),
        ("1f68c", 3, "three buses", "三辆公交车"),
    ],
)
def test_counts(code: str, count: int, english: str, chinese: str) -> None:
    assert nouns()[code].english_count(count) == english
    assert nouns()[code].chinese_count(count) == chinese


def test_the_table_is_whole() -> None:
    table = nouns()
    assert len(table) >= 290
    for noun in table.values():
        assert re.fullmatch(r"[0-9a-f]+(-[0-9a-f]+)*", noun.code)
        assert re.fullmatch(r"[A-Za-z’ -]+", noun.singular)
        assert re.fullmatch(r"[A-Za-z’ -]+", noun.plural)
        assert re.fullmatch(r"T?[一-鿿]+", noun.chinese)
        assert re.fullmatch(r"[一-鿿]", noun.measure)
    for names in ([n.singular for n in table.values()], [n.chinese for n in table.values()]):
        assert len(names) == len(set(names))


def test_unchanged_plurals_are_few() -> None:
    assert {n.singular for n in nouns().values() if n.singular == n.plural} == {
        "deer", "sheep", "fish", "tropical fish", "squid",
    }  # fmt: skip
