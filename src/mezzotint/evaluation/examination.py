"""What the suites share: the model that answers, the pictures it is measured against, the eyes that look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mezzotint.evaluation.gallery import Examiner, Gallery, load_gallery
from mezzotint.evaluation.painter import Painter
from mezzotint.models.bundle import EMBEDDED
from mezzotint.perception.efficientnet import EfficientNetLite, load_efficientnet
from mezzotint.perception.scene_judge import SceneJudge, load_scene_judge
from mezzotint.runtime.packages import fetch
from mezzotint.synthesis.scenes.backgrounds import Photographs
from mezzotint.synthesis.scenes.casting import Props
from mezzotint.synthesis.scenes.library import SpriteLibrary
from mezzotint.synthesis.scenes.text import FONTS, Fonts

JUDGE = EMBEDDED / "mini-judge"  # comes with the package; made by `mezzotint train mini-judge`


@dataclass(frozen=True, kw_only=True, eq=False)
class Resources:
    """What is the same for every model: opened when a suite first needs it.

    `judge_folder` holds the judge of scenes, `load_network` gives the examiner's.
    """

    corpus: Path
    device: torch.device
    judge_folder: Path
    load_network: Callable[[], EfficientNetLite] = load_efficientnet

    @cached_property
    def examiner(self) -> Examiner:
        return Examiner(self.load_network(), self.device)

    @cached_property
    def gallery(self) -> Gallery:
        return load_gallery(self.corpus, self.examiner)

    @cached_property
    def props(self) -> Props:
        """What scenes are made of: the corpus' sprites, the packages' photographs and fonts."""
        return Props(
            sprites=SpriteLibrary(self.corpus), photographs=Photographs(fetch), fonts=Fonts(fetch, tuple(FONTS))
        )

    @cached_property
    def judge(self) -> SceneJudge:
        return load_scene_judge(self.judge_folder).to(self.device)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One picture for the contact sheet. `right` says whether its suite counted it, None where it does not."""

    part: str
    caption: str
    picture: Float[Tensor, "3 h w"]
    right: bool | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Examination:
    """One model's. `seed`: all noise follows from it; `limit`: at most so many items of each kind, for a quick look."""

    painter: Painter
    resources: Resources
    seed: int
    limit: int | None
    shown: list[Shown] = field(default_factory=list)

    @property
    def examiner(self) -> Examiner:
        return self.resources.examiner

    @property
    def gallery(self) -> Gallery:
        return self.resources.gallery

    def show(
        self,
        part: str,
        captions: Sequence[str],
        pictures: Float[Tensor, "b 3 h w"],
        right: Bool[np.ndarray, "b"] | None,
    ) -> None:
        """Remember pictures for the contact sheet."""
        for position, (caption, picture) in enumerate(zip(captions, pictures, strict=True)):
            judged = None if right is None else bool(right[position])
            self.shown.append(Shown(part=part, caption=caption, picture=picture, right=judged))
