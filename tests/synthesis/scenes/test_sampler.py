from collections import Counter

from mezzotint.synthesis.colours import contrast, distance
from mezzotint.synthesis.scenes.casting import READABLE, STANDS_OUT, Props
from mezzotint.synthesis.scenes.held_out import split_of
from mezzotint.synthesis.scenes.renderer import Rendered
from mezzotint.synthesis.scenes.sampler import Repertoire, sample_lettering, sample_scene
from mezzotint.synthesis.scenes.text import alphabet, words


def test_a_scene_is_a_function_of_seed_and_index(props: Props) -> None:
    forwards = [sample_scene(3, index, props) for index in range(12)]
    backwards = [sample_scene(3, index, props) for index in reversed(range(12))]
    assert forwards == backwards[::-1]
    assert len({scene.to_json() for scene in forwards}) == 12
    assert sample_scene(4, 0, props) != forwards[0]


def test_every_kind_and_shape_of_picture_comes(rendered: list[Rendered]) -> None:
    kinds = Counter(scene.kind for _, scene in rendered)
    assert set(kinds) == {"backdrop", "counting", "colour", "position", "pair", "text", "free"}
    aspects = Counter(scene.aspect for _, scene in rendered)
    assert set(aspects) == {(1, 1), (3, 2), (2, 3), (4, 3), (3, 4)}
    assert 0.65 < aspects[1, 1] / len(rendered) < 0.87
    relations = {scene.relation.name for _, scene in rendered if scene.relation}
    assert relations == {"left of", "right of", "above", "below", "inside", "on"}


def test_counting_scenes_have_one_to_six_of_one_thing(rendered: list[Rendered]) -> None:
    counts = [scene.counts() for _, scene in rendered if scene.kind == "counting"]
    assert all(len(count) == 1 for count in counts)
    assert {next(iter(count.values())) for count in counts} == {1, 2, 3, 4, 5, 6}


def test_relations_hold_between_the_measured_boxes(rendered: list[Rendered]) -> None:
    for _, scene in rendered:
        if scene.relation is None:
            continue
        one, other = (scene.objects[n].box for n in (scene.relation.subject, scene.relation.reference))
        match scene.relation.name:
            case "left of":
                assert one.left + one.width <= other.left
            case "right of":
                assert other.left + other.width <= one.left
            case "above":
                assert one.top + one.height <= other.top
            case "below":
                assert other.top + other.height <= one.top
            case "inside":
                assert other.left < one.left
                assert one.left + one.width < other.left + other.width
                assert other.top < one.top
                assert one.top + one.height < other.top + other.height
            case "on":
                foot = one.top + one.height
                assert other.top < foot < other.top + 0.35 * other.height
                assert other.left <= one.centre[0] <= other.left + other.width


def test_large_things_are_larger(rendered: list[Rendered]) -> None:
    pairs = [
        {item.thing.size: item.box.width * item.box.height for item in scene.objects}
        for _, scene in rendered
        if any(item.thing.size for item in scene.objects)
    ]
    assert pairs
    assert all(areas["large"] > 1.6 * areas["small"] for areas in pairs)


def test_text_can_be_read(rendered: list[Rendered]) -> None:
    readable = [
        min(contrast(line.paint.rgb, paint.rgb) for paint in scene.background.paints) >= READABLE
        for _, scene in rendered
        for line in scene.writings
    ]
    assert len(readable) > 10
    assert sum(readable) / len(readable) > 0.9  # some gradients leave no colour that stands out from all of them


def test_things_stand_out_from_plain_backgrounds(rendered: list[Rendered], props: Props) -> None:
    for _, scene in rendered:
        if scene.background.kind == "plain" and scene.kind in ("counting", "backdrop"):
            thing = scene.objects[0].thing
            edge = props.sprites.thing(thing.noun, scene.style, thing.paint).edge
            assert distance(edge, scene.background.paints[0].rgb) >= STANDS_OUT


def test_letterings_show_every_character_about_equally_often(props: Props) -> None:
    scenes = [sample_lettering(0, index, props) for index in range(200)]
    assert scenes[:5] == [sample_lettering(0, index, props) for index in range(5)]
    assert all(split_of(scene) != "test" for scene in scenes)
    for language in ("en", "zh"):
        lines = [line for scene in scenes for line in scene.writings if line.language == language]
        counts = Counter("".join(line.text.upper() for line in lines))
        assert set(counts) <= set(alphabet(language))
        assert max(counts.values()) < 4 * sum(counts.values()) / len(alphabet(language)) + 5
        assert {len(line.text) for line in lines} == set(range(1, 10 if language == "en" else 6))


def test_a_narrow_repertoire_draws_from_itself_alone(props: Props) -> None:
    style = props.sprites.styles[-1]
    narrow = Repertoire(shares={"pair": 3, "lettering": 1}, styles=(style,), backgrounds=("gradient",), square=True)
    scenes = [sample_scene(5, index, props, narrow) for index in range(60)]
    kinds = Counter(scene.kind for scene in scenes)
    assert set(kinds) == {"pair", "text"}
    assert kinds["pair"] > kinds["text"]
    assert {scene.style for scene in scenes} == {style, None}
    assert {scene.aspect for scene in scenes} == {(1, 1)}
    # A plain one stands in where no gradient lets everything stand out.
    grounds = Counter(scene.background.kind for scene in scenes)
    assert set(grounds) <= {"gradient", "plain"}
    assert grounds["gradient"] > 2 * grounds["plain"]
    strings = {line.text.upper() for scene in scenes for line in scene.writings}
    assert not strings <= {word.upper() for language in ("en", "zh") for word in words(language)}


def test_words_can_be_asked_for_alone(props: Props) -> None:
    known = {word.upper() for language in ("en", "zh") for word in words(language)}
    alone = {
        name: [sample_scene(6, index, props, Repertoire(shares={name: 1})) for index in range(40)]
        for name in ("word", "spelling")
    }
    for scenes in alone.values():
        assert all((len(scene.objects), len(scene.writings)) == (0, 1) for scene in scenes)
    strings = {name: {scene.writings[0].text.upper() for scene in scenes} for name, scenes in alone.items()}
    assert all(text in known or text.isdigit() for text in strings["word"])
    assert len(strings["spelling"] - known) > 30


def test_strings_can_be_kept_short(props: Props) -> None:
    short = Repertoire(shares={"text": 1, "spelling": 1}, longest_text=2)
    lengths = Counter(len(sample_scene(7, index, props, short).writings[0].text) for index in range(60))
    assert set(lengths) == {1, 2}


def test_backgrounds_that_a_scene_cannot_have_are_not_asked_of_it(props: Props) -> None:
    on_photographs = Repertoire(shares={"text": 1}, backgrounds=("photograph",))
    assert sample_scene(5, 0, props, on_photographs).background.kind in ("plain", "gradient")
