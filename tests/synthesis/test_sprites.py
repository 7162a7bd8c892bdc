import hashlib
import io
import pickle

from PIL import Image
from tests.fixtures import small_packages

from mezzotint.synthesis.concepts import EMOJIBASE, read_concepts
from mezzotint.synthesis.sprites import Sprites, is_true_in
from mezzotint.synthesis.styles import STYLES


def small() -> Sprites:
    return Sprites(fetch=small_packages.fetch, size=64, styles=small_packages.STYLES)


def test_there_is_a_record_for_every_drawing() -> None:
    sprites = small()
    assert sprites.count == 24 * 3
    records = [sprites.record(index) for index in range(9)]
    assert len({record.id for record in records}) == 9
    for record in records:
        picture = Image.open(io.BytesIO(record.picture or b""))
        assert (picture.mode, picture.size) == ("RGBA", (64, 64)) == ("RGBA", (record.width, record.height))
        assert record.sha256 == hashlib.sha256(record.picture or b"").hexdigest()
        assert record.credit
        assert record.source.split("@")[-1][0].isdigit()
    assert {record.licence for record in records} == {"MIT", "Apache-2.0", "CC-BY-4.0"}


def test_a_copy_for_another_process_makes_the_same_records() -> None:
    sprites = small()
    assert sprites.record(5) == pickle.loads(pickle.dumps(sprites)).record(5)


def test_the_version_follows_what_decides_the_pictures() -> None:
    other_size = Sprites(fetch=small_packages.fetch, size=96, styles=small_packages.STYLES)
    other_styles = Sprites(fetch=small_packages.fetch, size=64, styles=("noto",))
    assert len({small().version, other_size.version, other_styles.version}) == 3
    assert small().version == small().version


def test_a_line_drawing_is_not_said_to_be_red() -> None:
    concepts = {concept.name["en"]: concept for concept in read_concepts(small_packages.fetch(EMOJIBASE))}
    assert not is_true_in(concepts["red apple"], STYLES["fluent-line"])
    assert is_true_in(concepts["red apple"], STYLES["noto"])
    assert is_true_in(concepts["cat"], STYLES["fluent-line"])
