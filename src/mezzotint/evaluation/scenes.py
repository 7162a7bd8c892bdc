"""The suite "scenes": counting, colours, positions, two objects and text, on combinations that training never saw.

The prompts are captions of freshly drawn scenes of the split "test" (`synthesis.scenes.held_out`), whose held-out
combination is the very one that the skill is about. The answers are read from the pictures by a judge that was trained
on rendered scenes alone (`perception.scene_judge`). Its own accuracy on the real pictures of the very same scenes
stands beside, since no figure can mean more than that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from mezzotint.data.pictures import to_tensor
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.painter import Task
from mezzotint.evaluation.reconstruction import rebuilt
from mezzotint.evaluation.report import Figure, Row, Table, constant, share
from mezzotint.perception.scene_judge import Maps, SceneJudge, evidence, sightings, written
from mezzotint.synthesis import hashing
from mezzotint.synthesis.colours import OBJECT_COLOURS
from mezzotint.synthesis.concepts import LANGUAGES, Language
from mezzotint.synthesis.scenes.captions import captions
from mezzotint.synthesis.scenes.casting import Props
from mezzotint.synthesis.scenes.held_out import facts, is_held_out
from mezzotint.synthesis.scenes.renderer import render
from mezzotint.synthesis.scenes.sampler import sample_held_out
from mezzotint.synthesis.scenes.text import words
from mezzotint.synthesis.scenes.truth import Kind, Scene
from mezzotint.synthesis.scenes.truth_maps import NOUNS, character_classes

SUITE = "scenes"
ASKED = 100  # scenes of each skill
SIDE = 256  # pixels: scenes are drawn as in the corpus, at twice the size that they are judged at
SEED = 1  # of the scenes asked for, which do not change with the noise's seed
THRESHOLD = 0.3  # of a centre's probability, from which an object counts
FIRST = 5  # nouns among which both of two must be
STRINGS = 16  # among which the right one must fit best
_DIRECTIONS = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}


@dataclass(frozen=True, kw_only=True)
class Skill:
    """A question about a scene that the judge's maps of a picture answer.

    Attributes:
        kind: Of the scenes; fact: the kind of combination that it is about.
        answers: Whether the maps (of one picture) say what the truth says.
        chance: Of an answer that knows nothing, over all scenes asked.
    """

    kind: Kind
    fact: str
    answers: Callable[[Maps, Scene], bool]
    chance: Callable[[Sequence[Scene]], float]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A held-out scene, the prompt that describes it, and its real picture, as sharp as the mini's."""

    scene: Scene
    language: Language
    prompt: str
    real: Float[Tensor, "1 3 h w"]


def tables(examination: Examination) -> list[Table]:
    judge, autoencoder = examination.resources.judge, examination.painter.pipeline.autoencoder
    count = min(ASKED, examination.limit or ASKED)
    columns: dict[str, dict[str, Figure]] = {}
    for name, skill in SKILLS.items():
        asked = held_out(examination.resources.props, skill, count)
        painted = examination.painter.paint(
            [Task(one.prompt, examination.seed + position) for position, one in enumerate(asked)]
        )
        pictures = {
            GENERATED: list(painted.split(1)),
            "judge on real scenes": [one.real for one in asked],
            "judge on real scenes, rebuilt": [rebuilt(autoencoder, one.real) for one in asked],
        }
        right = {row: judged(judge, skill, shown, asked) for row, shown in pictures.items()}
        examination.show(name, [one.prompt for one in asked], painted, right[GENERATED])
        columns[name] = _column(right, skill, asked)
    rows = tuple(
        Row(
            name=row,
            figures={name: column[row] for name, column in columns.items()},
            reference=not row.startswith(GENERATED),
        )
        for row in next(iter(columns.values()))
    )
    return [Table(suite=SUITE, title="Scenes", note=_NOTE, rows=rows)]


GENERATED = "generated"
_NOTE = (
    "Prompts of scenes with held-out combinations, half of them Chinese; the judge reads the pictures. Counting: as "
    "many objects as asked for. Colour: every named thing in its colour. Position: left, right, above or below. Two "
    f"objects: both among the judge's first {FIRST} nouns. Text: the string fits better than {STRINGS - 1} others of "
    "its language and about its length. Reference rows: the judge on the real pictures of the same scenes, on these "
    "after the model's autoencoder, and chance: always the commonest count, random colours, directions, nouns, strings."
)


def _column(right: Mapping[str, Bool[np.ndarray, "n"]], skill: Skill, asked: Sequence[Asked]) -> dict[str, Figure]:
    languages = np.array([one.language for one in asked])
    generated = right[GENERATED]
    return {
        GENERATED: share(generated),
        f"{GENERATED}, English prompts": share(generated[languages == "en"]),
        f"{GENERATED}, Chinese prompts": share(generated[languages == "zh"]),
        **{row: share(found) for row, found in right.items() if row != GENERATED},
        "chance": constant(skill.chance([one.scene for one in asked]), len(asked)),
    }


def held_out(props: Props, skill: Skill, count: int) -> list[Asked]:
    """Scenes whose held-out combination is what the skill is about; the languages take turns."""
    found = []
    for index in range(count):
        sampled = sample_held_out(SEED, index, skill.kind, partial(_is_asked_for, skill=skill), props)
        drawn, scene = render(sampled, SIDE, props)
        language = LANGUAGES[index % len(LANGUAGES)]
        prompt = next(c.text for c in captions(scene) if c.language == language and c.kind == "short")
        halved = drawn.resize((drawn.width // 2, drawn.height // 2), Image.Resampling.HAMMING)
        found.append(Asked(scene=scene, language=language, prompt=prompt, real=to_tensor([halved])))
    return found


def _is_asked_for(scene: Scene, skill: Skill) -> bool:
    if scene.relation is not None and scene.relation.name not in _DIRECTIONS:
        return False
    return any(fact[0] == skill.fact and is_held_out(fact) for fact in facts(scene))


@torch.inference_mode()
def judged(
    judge: SceneJudge, skill: Skill, pictures: Sequence[Float[Tensor, "1 3 _ _"]], asked: Sequence[Asked]
) -> Bool[np.ndarray, "n"]:
    """Whether the judge sees in each picture what the skill asks of its scene."""
    device = judge.out.weight.device
    right = []
    for picture, one in zip(pictures, asked, strict=True):
        maps = Maps(*(part[0].cpu() for part in judge(picture.to(device))))
        right.append(skill.answers(maps, one.scene))
    return np.array(right)


# The questions ------------------------------------------------------------------------------------


def count_is_right(maps: Maps, scene: Scene) -> bool:
    return len(sightings(maps.centres, THRESHOLD)) == len(scene.objects)


def colours_are_right(maps: Maps, scene: Scene) -> bool:
    """The likeliest of the twelve colours, read in all cells, each as much as the thing is likely to be there.

    Whether it is also the thing's own colour is not asked: a yellow lemon is right for "a yellow lemon".
    """
    likely = evidence(maps.centres, maps.nouns)
    colours = maps.colours.softmax(0)[: len(OBJECT_COLOURS)]
    for thing in scene.counts():
        assert thing.paint is not None
        shares = (colours * likely[NOUNS.index(thing.noun)]).sum((1, 2))
        if list(OBJECT_COLOURS)[int(shares.argmax())] != thing.paint.name:
            return False
    return True


def relation_is_right(maps: Maps, scene: Scene) -> bool:
    """The direction from the reference to the subject, by the longer of the two distances."""
    relation = scene.relation
    assert relation is not None
    (row, column), (its_row, its_column) = (
        _place(maps, scene.objects[which].thing.noun) for which in (relation.subject, relation.reference)
    )
    across, down = column - its_column, row - its_row
    if across == down == 0:
        return False
    found = (int(np.sign(across)), 0) if abs(across) >= abs(down) else (0, int(np.sign(down)))
    return found == _DIRECTIONS[relation.name]


def both_are_there(maps: Maps, scene: Scene) -> bool:
    best = evidence(maps.centres, maps.nouns).amax((1, 2)).topk(FIRST).indices.tolist()
    return all(NOUNS.index(thing.noun) in best for thing in scene.counts())


def text_fits_best(maps: Maps, scene: Scene) -> bool:
    line = scene.writings[0]
    candidates = [line.text, *other_strings(line.text, line.language)]
    scores = [written(maps.characters, character_classes(text)) for text in candidates]
    return scores[0] > max(scores[1:])


def other_strings(text: str, language: Language) -> list[str]:
    """`STRINGS` − 1 strings that differ from a text, of its language and as near to its length as there are."""
    if text.isdigit():
        pool = [str(number) for number in range(1000)]
    else:
        pool = sorted({word.upper() for word in words(language)})
    others = [other for other in pool if other != text.upper()]
    others.sort(key=lambda other: (abs(len(other) - len(text)), hashing.key("another string", text, other)))
    return others[: STRINGS - 1]


def _place(maps: Maps, noun: str) -> tuple[int, int]:
    """The cell where a thing is most likely to be."""
    likely = evidence(maps.centres, maps.nouns)[NOUNS.index(noun)]
    row, column = divmod(int(likely.argmax()), likely.shape[1])
    return row, column


def _always_the_same_count(scenes: Sequence[Scene]) -> float:
    counts = [len(scene.objects) for scene in scenes]
    return max(counts.count(count) for count in counts) / len(counts)


def _random_colours(scenes: Sequence[Scene]) -> float:
    return float(np.mean([(1 / len(OBJECT_COLOURS)) ** len(scene.counts()) for scene in scenes]))


SKILLS: Mapping[str, Skill] = {
    "counting": Skill(kind="counting", fact="count", answers=count_is_right, chance=_always_the_same_count),
    "colour": Skill(kind="colour", fact="colour", answers=colours_are_right, chance=_random_colours),
    "position": Skill(
        kind="position", fact="relation", answers=relation_is_right, chance=lambda scenes: 1 / len(_DIRECTIONS)
    ),
    "two objects": Skill(
        kind="pair",
        fact="pair",
        answers=both_are_there,
        chance=lambda scenes: FIRST * (FIRST - 1) / (len(NOUNS) * (len(NOUNS) - 1)),
    ),
    "text": Skill(kind="text", fact="text", answers=text_fits_best, chance=lambda scenes: 1 / STRINGS),
}
