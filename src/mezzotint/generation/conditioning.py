"""Captions on their way to the network: encoded and refined once, however many pictures and steps want them."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from mezzotint.flow.guidance import Condition
from mezzotint.models.captions import Captions
from mezzotint.models.single_stream import SingleStreamTransformer
from mezzotint.models.text import TextTower

C = TypeVar("C")


class Kept(Generic[C]):
    """Conditions by their text. Those of the last call are kept, so consecutive batches share them."""

    def __init__(self, refine: Callable[[list[str]], Sequence[C]], join: Callable[[Sequence[C]], C]) -> None:
        """`refine` makes one condition of each text, `join` one of several."""
        self._refine_new, self._join = refine, join
        self._kept: dict[str, C] = {}

    def condition(self, positive: Sequence[str], negative: Sequence[str] | None) -> Condition[C]:
        """What a batch is conditioned on; without negatives there is no second branch."""
        kept = self._refine([*positive, *(negative or ())])
        pos = self._join([kept[text] for text in positive])
        if negative is None:
            return Condition(positive=pos)
        return Condition(positive=pos, both=self._join([pos, *(kept[text] for text in negative)]))

    def _refine(self, texts: Sequence[str]) -> dict[str, C]:
        unique = list(dict.fromkeys(texts))
        if new := [text for text in unique if text not in self._kept]:
            self._kept |= dict(zip(new, self._refine_new(new), strict=True))
        self._kept = {text: self._kept[text] for text in unique}
        return self._kept


class KeptCaptions(Kept[Captions]):
    """Captions that `refine` makes of texts."""

    def __init__(self, refine: Callable[[list[str]], Captions]) -> None:
        super().__init__(lambda texts: _each(refine(texts)), Captions.concat)


def _each(captions: Captions) -> list[Captions]:
    return [captions.select([i]) for i in range(len(captions))]


class CaptionRefiner(KeptCaptions):
    """Captions as Z-Image's network refines them."""

    def __init__(self, text: TextTower, transformer: SingleStreamTransformer, max_tokens: int) -> None:
        super().__init__(lambda texts: transformer.refine_captions(text.encode(texts, max_tokens=max_tokens)))
