"""Captions on their way to the network: encoded and refined once, however many pictures and steps want them."""

from collections.abc import Callable, Sequence

from mezzotint.flow.guidance import Condition
from mezzotint.models.captions import Captions
from mezzotint.models.single_stream import SingleStreamTransformer
from mezzotint.models.text import TextTower


class KeptCaptions:
    """What `refine` makes of texts. Those of the last call are kept, so consecutive batches share them."""

    def __init__(self, refine: Callable[[list[str]], Captions]) -> None:
        self._refine_new = refine
        self._kept: dict[str, Captions] = {}

    def condition(self, positive: Sequence[str], negative: Sequence[str] | None) -> Condition[Captions]:
        """What a batch is conditioned on; without negatives there is no second branch."""
        captions = self._refine([*positive, *(negative or ())])
        pos = Captions.concat([captions[text] for text in positive])
        if negative is None:
            return Condition(positive=pos)
        return Condition(positive=pos, both=Captions.concat([pos, *(captions[text] for text in negative)]))

    def _refine(self, texts: Sequence[str]) -> dict[str, Captions]:
        unique = list(dict.fromkeys(texts))
        if new := [text for text in unique if text not in self._kept]:
            refined = self._refine_new(new)
            self._kept |= {text: refined.select([i]) for i, text in enumerate(new)}
        self._kept = {text: self._kept[text] for text in unique}
        return self._kept


class CaptionRefiner(KeptCaptions):
    """Captions as Z-Image's network refines them."""

    def __init__(self, text: TextTower, transformer: SingleStreamTransformer, max_tokens: int) -> None:
        super().__init__(lambda texts: transformer.refine_captions(text.encode(texts, max_tokens=max_tokens)))
