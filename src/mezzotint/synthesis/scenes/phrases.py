"""What a language says of a scene, for captions to choose from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Pick = Callable[[Sequence[str], str], str]  # from options and a name for the choice to one option


@dataclass(frozen=True, kw_only=True)
class Phrases:
    """Of one scene in one language.

    Attributes:
        content: What is in it: "three red cubes"; in_digits: the same as "3 red cubes".
        framed: Its content as a picture of its style, where one is named: "a cartoon of three red cubes".
        ground: What follows either to say its background: " on a light blue background".
    """

    tags: str
    content: str
    in_digits: str
    framed: str
    ground: str
    long: str
