from collections import Counter

from mezzotint.evaluation.concept_list import concepts, spread
from mezzotint.synthesis.language.nouns import nouns
from mezzotint.synthesis.styles import STYLES


def test_there_are_200_different_concepts_of_the_corpus():
    codes = [concept.code for concept in concepts()]
    assert len(codes) == len(set(codes)) == 200
    assert set(codes) <= set(nouns())
    prompts = [prompt for concept in concepts() for prompt in concept.prompts.values()]
    assert len(set(prompts)) == 400
    assert Counter(concept.category for concept in concepts()) == {
        "animals": 51,
        "food": 38,
        "nature": 15,
        "vehicles": 16,
        "objects": 69,
        "faces": 11,
    }


def test_prompts_are_the_simple_captions():
    (apple,) = (concept for concept in concepts() if concept.code == "1f34e")
    assert apple.prompts == {"en": "a red apple", "zh": "一个红苹果"}
    assert apple.styled(STYLES["fluent-3d"], "en") == "a 3D render of a red apple"
    assert apple.styled(STYLES["noto"], "zh") == "红苹果的卡通画"


def test_spread_meets_every_part_of_a_list():
    assert spread(range(10), 5) == [0, 2, 4, 6, 8]
    assert spread(range(3), None) == spread(range(3), 7) == [0, 1, 2]
