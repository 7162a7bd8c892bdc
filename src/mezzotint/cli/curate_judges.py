"""The judges that `mezzotint curate run` can be given: one option each."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mezzotint.errors import InputError

if TYPE_CHECKING:
    from mezzotint.curation.judging import Judge


_NSFW_LABELS = ("nsfw",)


@dataclass(frozen=True, kw_only=True)
class Judges:
    """Networks that look at the pictures too; none unless it is named."""

    alignment: str | None = None
    """How well captions fit, in English and Chinese: mini-clip, or the folder of a SigLIP 2 or Chinese-CLIP."""
    quality: Path | None = None
    """Colour cast, blur, noise and watermark, each from 0 to 1: what curate train-quality made."""
    heads: tuple[Path, ...] = ()
    """What curate train-head made, each a measure by its name: beauty, pictures made by a model, …"""
    nsfw: Path | None = None
    """The folder of a picture classifier, as the transformers library reads it; above 0.5 a picture goes."""
    nsfw_labels: tuple[str, ...] = _NSFW_LABELS
    """The classifier's classes that are not safe."""
    tagger: str | None = None
    """The folder of a Qwen-VL, or the address of an OpenAI-compatible endpoint, which is sent the pictures: number of
    people, what belongs to a culture, tags."""
    tagger_model: str = ""
    """The model that is asked at an address."""
    device: str | None = None
    """Where networks run: cpu, cuda, mps; the best one there is when not given."""


def chosen(options: Judges) -> "list[Judge]":
    """Those that were asked for, the cheaper first; what is wrong with their files is said before anything runs."""
    _check_companions(options)
    if not any((options.alignment, options.quality, options.heads, options.nsfw, options.tagger)):
        return []
    from mezzotint.curation.judges.alignment import Alignment
    from mezzotint.curation.judges.heads import Heads
    from mezzotint.curation.judges.nsfw import Nsfw
    from mezzotint.curation.judges.quality import Quality
    from mezzotint.curation.judges.tags import Tagger
    from mezzotint.curation.judging import check_columns

    device = options.device
    judges: list[Alignment | Heads | Nsfw | Quality | Tagger] = []
    if options.alignment is not None:
        judges.append(Alignment(embedder=options.alignment, device=device))
    if options.quality is not None:
        judges.append(Quality(folder=options.quality, device=device))
    if options.heads:
        judges.append(Heads(folders=options.heads, device=device))
    if options.nsfw is not None:
        judges.append(Nsfw(folder=options.nsfw, labels=options.nsfw_labels, device=device))
    if options.tagger is not None:
        judges.append(Tagger(source=options.tagger, model=options.tagger_model, device=device))
    for judge in judges:
        judge.check()
    check_columns(judges)
    return list(judges)


def _check_companions(options: Judges) -> None:
    if options.nsfw is None and options.nsfw_labels != _NSFW_LABELS:
        raise InputError("--nsfw-labels are the classes of a classifier: name its folder with --nsfw")
    if options.tagger is None and options.tagger_model:
        raise InputError("--tagger-model is asked at an address: name that with --tagger")


def check_head_name(name: str) -> None:
    """Raises InputError for the name of a head that `--heads` could not be given beside every other judge."""
    from mezzotint.curation.judges.alignment import Alignment
    from mezzotint.curation.judges.nsfw import Nsfw
    from mezzotint.curation.judges.quality import Quality
    from mezzotint.curation.judges.tags import Tagger
    from mezzotint.curation.judging import check_columns

    nowhere = Path()
    others: list[Judge] = [
        Alignment(embedder="", device=None),
        Nsfw(folder=nowhere, labels=(), device=None),
        Quality(folder=nowhere, device=None),
        Tagger(source="", model="", device=None),
    ]
    check_columns(others, [name])
