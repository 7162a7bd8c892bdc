from html.parser import HTMLParser

import numpy as np
import pytest

from mezzotint.curation.report.funnel import Example, Funnel, Measured, Step
from mezzotint.curation.report.page import page
from mezzotint.curation.thresholds import Between

EVIL = "<script>alert('x')</script>\"&.png"


class Elements(HTMLParser):
    """What a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "rect", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def seen() -> Elements:
    example = Example(id=EVIL, note="12, below 30", preview=b"\xff\xd8jpeg")
    unread = Example(id="b", note="an empty file", preview=None)
    measured = Measured(
        name="clarity",
        limit=Between(measure="clarity", least=30),
        edges=np.linspace(0, 100, 41),
        kept=np.arange(40.0),
        dropped=np.ones(40),
        quantiles={"0.5": 42.0},
    )
    steps = [
        Step(name="profile", limit="", seen=1000, dropped={"<b>": 1}, examples=[unread], border=()),
        Step(name="clarity", limit="30..", seen=999, dropped={"below 30": 99}, examples=[example], border=[example]),
    ]
    languages = {"en": 1200, "<zh>": 3}
    return Elements(page(Funnel(pictures=1000, kept=900, languages=languages, steps=steps, measures=[measured])))


def test_it_is_whole_and_needs_nothing_from_elsewhere(seen: Elements) -> None:
    assert seen.open == []
    assert not [tag for tag, _ in seen.tags if tag in ("script", "link", "iframe", "object")]
    sources = [attributes["src"] for _, attributes in seen.tags if "src" in attributes]
    assert len(sources) == 2
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)


def test_names_and_reasons_are_shown_as_they_are(seen: Elements) -> None:
    assert EVIL in seen.text
    assert "<b>: 1" in seen.text


def test_it_says_what_was_kept_and_why_not(seen: Elements) -> None:
    for words in (
        "900 of 1,000 pictures were kept",
        "below 30: 99",
        "Captions by language: en 1,200, <zh> 3.",
        "Dropped by clarity (99)",
        "median 42",
        "unreadable",
    ):
        assert words in seen.text
    assert len([tag for tag, a in seen.tags if tag == "rect" and a["class"] == "dropped"]) == 40
    (line,) = [a for tag, a in seen.tags if tag == "line"]
    assert float(line["x1"] or 0) == 108  # 30 of 0 to 100, on 360 pixels
