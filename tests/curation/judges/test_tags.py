import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from tests.curation.judges.shown import shown
from tests.curation.profiling.pictures import detailed
from tests.perception.test_vision_language import Chat, chat  # noqa: F401
from tests.perception.tiny_published import write_qwen_vl

from mezzotint.curation.judges.tags import QUESTION, Tagger, Tags, parse_tags
from mezzotint.curation.judging import Judge
from mezzotint.errors import InputError, MissingFileError

GOOD = '{"people": 2, "culture": ["qipao", "lantern"], "tags": ["street", "night", "street"]}'


@pytest.mark.parametrize("answer", [GOOD, f"```json\n{GOOD}\n```", f"```\n{GOOD}```", f"  {GOOD}\n"])
def test_an_answer_of_the_form_that_was_asked_for(answer: str) -> None:
    assert parse_tags(answer) == Tags(2, ["qipao", "lantern"], ["street", "night"])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no JSON"),
        ("Two people in a street.", "no JSON"),
        (f"Here it is: {GOOD}", "no JSON"),
        (GOOD[:-1], "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1]", "no object of people, culture, tags"),
        ('{"people": 2, "tags": []}', "no object of"),
        ('{"people": 2, "culture": [], "tags": [], "mood": "calm"}', "no object of"),
        ('{"people": "two", "culture": [], "tags": []}', "people is no number"),
        ('{"people": true, "culture": [], "tags": []}', "people is no number"),
        ('{"people": -1, "culture": [], "tags": []}', "people is no number"),
        ('{"people": 1.5, "culture": [], "tags": []}', "people is no number"),
        ('{"people": 1, "culture": "none", "tags": []}', "culture is no list"),
        ('{"people": 1, "culture": [], "tags": [1]}', "tags holds what is no word"),
        ('{"people": 1, "culture": [], "tags": [" "]}', "tags holds what is no word"),
        ('{"people": 1, "culture": [], "tags": ["a\\nb"]}', "tags holds what is no word"),
        ('{"people": 1, "culture": [], "tags": ["' + "long" * 20 + '"]}', "tags holds what is no word"),
        ('{"people": 1, "culture": [], "tags": [' + ",".join(f'"{n}"' for n in range(33)) + "]}", "tags is no list"),
    ],
)
def test_any_other_is_a_reason(answer: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_tags(answer)


def test_an_endpoints_answers_become_columns(chat: tuple[str, type[Chat]]) -> None:  # noqa: F811
    address, handler = chat
    tagger = Tagger(source=address, model="some-model", device=None)
    assert isinstance(tagger, Judge)
    (row,) = tagger([shown(detailed((60, 40)))], [[]])
    assert row == {"tags_failed": "no JSON"}
    assert handler.requests[0][2]["messages"][0]["content"][1]["text"] == QUESTION
    handler.body = (
        b'{"choices": [{"message": {"content": "{\\"people\\": 0, \\"culture\\": [], \\"tags\\": [\\"x\\"]}"}}]}'
    )
    assert tagger([shown(detailed((60, 40)))], [[]]) == [{"people": 0, "culture": [], "tags": ["x"]}]
    assert pickle.loads(pickle.dumps(tagger)) == tagger


def test_a_folders_answers_are_taken_the_same_way(tmp_path: Path) -> None:
    tagger = Tagger(source=str(write_qwen_vl(tmp_path)), model="", device="cpu")
    tagger.check()
    with pytest.raises(InputError, match=r"--tagger-model is asked at an address, and --tagger .* is a folder"):
        replace(tagger, model="a").check()
    (row,) = tagger([shown(detailed((60, 40)))], [[]])
    assert row == {"tags_failed": "no JSON"}  # random weights say nothing of the form


def test_versions_and_mistakes(tmp_path: Path) -> None:
    asked = Tagger(source="http://127.0.0.1:1/v1", model="a", device=None)
    assert asked.version != replace(asked, model="b").version
    with pytest.raises(InputError, match="--tagger-model says which model"):
        replace(asked, model="").check()
    with pytest.raises(MissingFileError, match=r"no config\.json"):
        Tagger(source=str(tmp_path), model="", device=None).check()
