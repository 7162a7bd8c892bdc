"""What a vision-language model sees in a picture: how many people, what belongs to a culture, and what else.

Qwen-Image's and Z-Image's reports tag so. An answer is taken only in the form that is asked for; of any other the
reason stands in the table, and the picture stays.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from mezzotint.curation.profiling.decoding import Picture
from mezzotint.curation.thresholds import Between
from mezzotint.curation.vectors.catalogue import identity
from mezzotint.data.parquet import pa
from mezzotint.data.records import Caption
from mezzotint.errors import InputError
from mezzotint.perception.vision_language import Endpoint, VisionLanguage, check_qwen_vl, load_qwen_vl
from mezzotint.runtime.device import resolve_device, resolve_dtype

QUESTION = (
    "Look at the picture and answer with one JSON object and nothing else: "
    '{"people": <how many people are in it, a whole number>, '
    '"culture": [<names of what belongs to a culture: dress, dishes, festivals, buildings, scripts, works of art>], '
    '"tags": [<up to 12 words or short phrases for what is to be seen>]}. In English; empty lists for nothing.'
)
_VERSION = "1"
_TOKENS = 256  # of an answer
_MOST_PEOPLE, _MOST_TAGS, _LONGEST = 10_000, 32, 60
_FENCED = re.compile(r"^```(?:json)?\s*(.*?)\s*```$", re.DOTALL)


class Tags(NamedTuple):
    """What an answer says."""

    people: int
    culture: list[str]
    tags: list[str]


def parse_tags(answer: str) -> Tags:
    """An answer of the form that QUESTION asks for, in a fence of ``` or without. Raises ValueError with the reason."""
    text = answer.strip()
    fenced = _FENCED.match(text)
    try:
        found = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError) as cause:
        raise ValueError("no JSON") from cause
    if not isinstance(found, dict) or set(found) != set(Tags._fields):
        raise ValueError(f"no object of {', '.join(Tags._fields)}")
    people = found["people"]
    if type(people) is not int or not 0 <= people <= _MOST_PEOPLE:
        raise ValueError("people is no number of people")
    return Tags(people, _words("culture", found["culture"]), _words("tags", found["tags"]))


def _words(name: str, found: object) -> list[str]:
    """Each once, in their order."""
    if not isinstance(found, list) or len(found) > _MOST_TAGS:
        raise ValueError(f"{name} is no list of at most {_MOST_TAGS}")
    if not all(isinstance(word, str) and 0 < len(word.strip()) <= _LONGEST and word.isprintable() for word in found):
        raise ValueError(f"{name} holds what is no word or short phrase")
    return list(dict.fromkeys(word.strip() for word in found))


@dataclass(frozen=True, kw_only=True)
class Tagger:
    """Asks a model; `people` is a measure, `tags` and `culture` become captions of the clean set."""

    source: str  # a folder, or the address of an endpoint
    model: str  # by which the endpoint knows it; "" for a folder
    device: str | None
    name: str = "tags"
    limits: tuple[Between, ...] = (Between(measure="people"),)
    others: tuple[pa.Field, ...] = (
        pa.field("tags", pa.list_(pa.string())),
        pa.field("culture", pa.list_(pa.string())),
        pa.field("tags_failed", pa.string()),  # why an answer was not taken
    )

    @cached_property
    def version(self) -> str:
        return f"{_VERSION} {f'{self.source} {self.model}' if self._is_address else identity(self.source)}"

    def check(self) -> None:
        """Raises InputError for an endpoint without a model's name or a folder with one, and as `check_qwen_vl`."""
        if not self._is_address:
            check_qwen_vl(Path(self.source))
            if self.model:
                raise InputError(f"--tagger-model is asked at an address, and --tagger {self.source} is a folder")
        elif not self.model:
            raise InputError(f"--tagger {self.source} is an address: --tagger-model says which model is asked there")

    def __call__(self, pictures: Sequence[Picture], captions: Sequence[Sequence[Caption]]) -> list[dict[str, Any]]:
        return [self._tag(Image.fromarray(picture.rgb)) for picture in pictures]

    def _tag(self, picture: Image.Image) -> dict[str, Any]:
        answer = self._network.answer(picture, QUESTION, _TOKENS)
        try:
            return parse_tags(answer)._asdict()
        except ValueError as error:
            return {"tags_failed": str(error)}

    @property
    def _is_address(self) -> bool:
        return self.source.startswith(("http://", "https://"))

    @cached_property
    def _network(self) -> VisionLanguage:
        if self._is_address:
            return Endpoint(self.source, self.model)
        device = resolve_device(self.device)
        return load_qwen_vl(Path(self.source), device, resolve_dtype(None, device))

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: not the network."""
        return {name: value for name, value in self.__dict__.items() if name != "_network"}
