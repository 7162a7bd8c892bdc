import pickle

import numpy as np
import pytest
from PIL import Image
from tests.curation.judges.shown import shown
from tests.fixtures.small_packages import CORPUS

from mezzotint.curation.judges.alignment import Alignment
from mezzotint.curation.judging import Judge
from mezzotint.curation.planting import on_white
from mezzotint.curation.vectors.heads import auc
from mezzotint.data.records import Caption, read_records
from mezzotint.errors import InputError

CLIP = Alignment(embedder="mini-clip", device="cpu")


def test_it_keeps_the_contract_and_its_version_is_that_of_the_weights() -> None:
    assert isinstance(CLIP, Judge)
    assert CLIP.version.startswith("1 mini-clip ")
    assert pickle.loads(pickle.dumps(CLIP)) == CLIP
    with pytest.raises(InputError, match="does not both see and read"):
        Alignment(embedder="sentences", device="cpu").check()


def test_right_captions_fit_better_than_those_of_other_pictures() -> None:
    records = list(read_records(CORPUS))
    pictures = [shown(on_white(record.picture or b"")) for record in records]
    places = np.arange(len(records))
    for language in ("en", "zh"):
        texts = [next(one for one in record.captions if one.language == language) for record in records]
        cosines = []
        for order in (places, np.roll(places, len(places) // 2)):
            said = CLIP(pictures, [[texts[place]] for place in order])
            cosines += [row[f"alignment_{language}"] for row in said]
        other = np.array([records[place].concept for place in np.roll(places, len(places) // 2)])
        assert (other != np.array([record.concept for record in records])).all()
        assert auc(np.array(cosines), np.repeat([True, False], len(records))) > 0.8


def test_the_worst_caption_of_a_language_counts_and_none_is_none() -> None:
    picture = shown(Image.new("RGB", (64, 64), "red"))
    captions = [Caption("alt", "en", text) for text in ("a red apple", "a blue whale", "the moon")]
    whole, *single, none = CLIP(
        [picture] * 5, [[*captions, Caption("alt", "fr", "une pomme")], *([one] for one in captions), []]
    )
    assert whole == {"alignment_en": min(row["alignment_en"] for row in single)}
    assert none == {}
    assert all(-1 <= row["alignment_en"] <= 1 for row in single)
