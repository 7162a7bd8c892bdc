"""A scene's truth in Chinese."""

from collections.abc import Iterator, Mapping

from mezzotint.synthesis.colours import BACKGROUND_COLOURS
from mezzotint.synthesis.language import chinese
from mezzotint.synthesis.scenes.backgrounds import PHOTOGRAPHS
from mezzotint.synthesis.scenes.library import noun_of
from mezzotint.synthesis.scenes.phrases import Phrases, Pick
from mezzotint.synthesis.scenes.text import FONTS
from mezzotint.synthesis.scenes.truth import Background, Box, Object, Scene, Thing, Writing

_REGIONS = (("左上角", "上方", "右上角"), ("左边", "中间", "右边"), ("左下角", "下方", "右下角"))
_RELATIONS: Mapping[str, tuple[str, ...]] = {
    "left of": ("左边", "左侧"),
    "right of": ("右边", "右侧"),
    "above": ("上方", "上面"),
    "below": ("下方", "下面"),
    "inside": ("里面", "里"),
    "on": ("上面", "上"),
}
_SIZES = {"large": "大", "small": "小"}


def describe(scene: Scene, look: str | None, pick: Pick) -> Phrases:
    """`look` names the style of all that is in the picture, if one does."""
    content = _content(scene, pick)
    place = background(scene.background, pick)
    framed = _framed(scene, content, look)
    return Phrases(
        tags="，".join(_tags(scene, look, pick)),
        content=content,
        in_digits=_content(scene, pick, digits=True),
        framed=framed,
        ground=f"，{place}",
        long="".join(_sentences(scene, framed, place, pick)),
    )


def noun_phrase(thing: Thing, count: int, digits: bool = False) -> str:
    """ "一只蓝色的小猫", "三个红色的立方体", "3个红色的立方体"."""
    noun = noun_of(thing.noun)
    number = str(count) if digits and count > 1 else chinese.NUMERALS[count]
    return f"{number}{noun.measure}{_painted(thing)}{_sized(thing, noun.chinese)}"


def background(drawn: Background, pick: Pick) -> str:
    """ "背景是浅蓝色"."""
    if drawn.photograph is not None:
        return f"背景是{PHOTOGRAPHS[drawn.photograph].chinese}"
    names = [BACKGROUND_COLOURS[paint.name].chinese for paint in drawn.paints]
    if drawn.kind == "plain":
        return pick((f"{names[0]}背景", f"背景是{names[0]}", f"纯{names[0]}背景"), "plain")
    if drawn.kind == "gradient":
        ends = ("上", "下") if drawn.direction == "down" else ("左", "右")
        exact = f"渐变背景，{ends[0]}边是{names[0]}，{ends[1]}边是{names[1]}"
        return pick((f"背景从{names[0]}渐变到{names[1]}", exact), "gradient")
    if drawn.kind == "stripes":
        lie = "横" if drawn.direction == "down" else "竖"
        return pick((f"背景是{names[0]}和{names[1]}的条纹", f"背景是{names[0]}和{names[1]}的{lie}条纹"), "stripes")
    return f"{names[0]}背景上有{names[1]}圆点"


def writing(line: Writing, pick: Pick, detailed: bool = False) -> str:
    """ "红色的粗体英文单词“HELLO”"."""
    if line.text.isdigit():
        what = "数字"
    elif line.language == "en":
        what = "英文单词"
    else:
        what = "汉字" if len(line.text) == 1 else "文字"
    if not detailed:
        return f"{what}“{line.text}”"
    font = FONTS[line.font].looks["zh"] if pick(("font", "plain"), "font") == "font" else ""
    return f"{BACKGROUND_COLOURS[line.paint.name].chinese}的{font}{what}“{line.text}”"


def region(box: Box) -> str:
    """Where a box's middle lies, on a grid of three by three."""
    column, row = (min(2, int(3 * at)) for at in box.centre)
    return _REGIONS[row][column]


def _framed(scene: Scene, content: str, look: str | None) -> str:
    if not look:
        return content
    return f"一张{look}：{content}" if scene.relation or scene.writings else f"{content}的{look}"


def _content(scene: Scene, pick: Pick, digits: bool = False) -> str:
    if scene.relation:
        subject, reference = (scene.objects[n].thing for n in (scene.relation.subject, scene.relation.reference))
        words = pick(_RELATIONS[scene.relation.name], "relation")
        of = "的" if len(words) > 1 and scene.relation.name not in ("inside", "on") else ""
        return f"{noun_phrase(subject, 1)}在{noun_phrase(reference, 1)}{of}{words}"
    things = chinese.listed([noun_phrase(thing, count, digits) for thing, count in scene.counts().items()])
    if not scene.writings:
        return things
    words = chinese.listed([writing(line, pick) for line in scene.writings])
    if not things:
        return words
    side = "下面" if scene.writings[0].box.centre[1] > scene.objects[0].box.centre[1] else "上面"
    return pick((f"{things}，{side}写着{words}", f"{things}{side}写着{words}"), "text")


def _tags(scene: Scene, look: str | None, pick: Pick) -> Iterator[str]:
    for thing, count in scene.counts().items():
        phrase = noun_phrase(thing, count)
        yield _painted(thing) + _sized(thing, noun_of(thing.noun).chinese) if count == 1 else phrase
    yield from (f"“{line.text}”" for line in scene.writings)
    if look:
        yield look
    yield background(scene.background, pick)


def _sentences(scene: Scene, framed: str, place: str, pick: Pick) -> Iterator[str]:
    yield f"{framed}，{place}。"
    alone = [item for item in scene.objects if scene.counts()[item.thing] == 1]
    held = scene.relation is not None and scene.relation.name in ("inside", "on")
    if 1 < len(alone) <= 4 and not held:
        yield "，".join(f"{_name(item)}在{region(item.box)}" for item in alone) + "。"
    elif len(scene.objects) == 1:
        yield f"{_name(scene.objects[0])}在{region(scene.objects[0].box)}。"
    for line in scene.writings:
        yield f"{writing(line, pick, detailed=True)}在{region(line.box)}。"


def _name(item: Object) -> str:
    return f"{_painted(item.thing)}{noun_of(item.thing.noun).chinese}"


def _painted(thing: Thing) -> str:
    return f"{BACKGROUND_COLOURS[thing.paint.name].chinese}的" if thing.paint else ""


def _sized(thing: Thing, noun: str) -> str:
    """大老鼠, but 大的大猩猩 and 大的合上的书: 大 joins only a simple noun."""
    if thing.size is None:
        return noun
    joins = "的" not in noun and noun[0] not in "大小"
    return f"{_SIZES[thing.size]}{'' if joins else '的'}{noun}"
