from pathlib import Path

import pytest
from tests.fixtures import small_packages

from mezzotint.errors import MissingFileError
from mezzotint.synthesis.concepts import EMOJIBASE, _chinese_name, _english_name, code_of, read_concepts


def test_concepts_have_names_tags_and_groups_in_both_languages() -> None:
    concepts = {concept.code: concept for concept in read_concepts(small_packages.fetch(EMOJIBASE))}
    assert len(concepts) == 24
    apple = concepts["1f34e"]
    assert apple.name == {"en": "red apple", "zh": "红苹果"}
    assert "fruit" in apple.tags["en"]
    assert "red apple" not in apple.tags["en"]
    assert (apple.group, apple.subgroup) == ("food-drink", "food-fruit")


def test_a_name_that_only_a_list_would_use_is_replaced() -> None:
    concepts = {concept.code: concept for concept in read_concepts(small_packages.fetch(EMOJIBASE))}
    assert concepts["2615"].name["en"] == "cup of hot coffee"


@pytest.mark.parametrize(
    ("label", "subgroup", "name"),
    [
        ("man: red hair", "person", "man with red hair"),
        ("woman: bald", "person", "bald woman"),
        ("person: beard", "person", "person with a beard"),
        ("no entry", "warning", "no entry sign"),
        ("stop sign", "transport-sign", "stop sign"),
        ("Leo", "zodiac", "Leo zodiac sign"),
        ("two-thirty", "time", "clock showing two-thirty"),
        ("alarm clock", "time", "alarm clock"),
        ("cat", "animal-mammal", "cat"),
    ],
)
def test_list_forms_become_words(label: str, subgroup: str, name: str) -> None:
    assert _english_name(label, subgroup) == name


def test_list_forms_become_chinese_words() -> None:
    assert _chinese_name("man: red hair", "男人: 红发", "person") == "红发的男人"
    assert _chinese_name("keycap: 3", "按键: 3", "keycap") == "按键3"
    assert _chinese_name("Leo", "狮子座", "zodiac") == "狮子座符号"


def test_the_variation_selector_is_no_part_of_a_code() -> None:
    assert code_of("2764-FE0F-200D-1F525") == "2764-200d-1f525"


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"data\.json is missing"):
        read_concepts(tmp_path)
