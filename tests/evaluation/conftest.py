"""A tiny model, the small corpus with held-out scenes, and an examiner and a judge with random weights."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.fixtures import small_packages
from tests.generation.tiny_model import write_model
from tests.recipes.tiny_runs import options

from mezzotint.data.records import write_shard
from mezzotint.evaluation import concept_list
from mezzotint.evaluation.examination import Examination, Resources
from mezzotint.evaluation.painter import Painter
from mezzotint.generation.pipeline import Pipeline
from mezzotint.perception.efficientnet import LITE0, EfficientNetLite
from mezzotint.recipes.tiny import tiny_judge
from mezzotint.runtime.packages import cached_at
from mezzotint.synthesis.scenes.backgrounds import SKIMAGE
from mezzotint.synthesis.scenes.part import Scenes
from mezzotint.synthesis.scenes.text import FONTS

KINDS = ("counting", "colour", "position", "pair", "text")
NEEDED = (SKIMAGE, *dict.fromkeys(FONTS[name].package for name in small_packages.FONTS))
HELD_OUT = (45, 55, 75, 91, 105, 112, 124, 219, 254, 374)  # two scenes of each kind, of the split "test"


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small corpus' sprites, and two held-out scenes of each kind that the suite asks about."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "sprites").symlink_to(small_packages.CORPUS / "sprites")
    scenes = Scenes(corpus=folder, fetch=small_packages.fetch, size=128, count=0, seed=7, fonts=small_packages.FONTS)
    records = [scenes.record(index) for index in HELD_OUT]
    found = Counter(record.group for record in records if record.split == "test")
    assert found == dict.fromkeys(KINDS, 2), "the sampler changed: look for other held-out scenes"
    (folder / "scenes").mkdir()
    write_shard(folder / "scenes" / "records-00000.parquet", records)
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    recipe = replace(tiny_judge(), fonts=small_packages.FONTS, fetch=small_packages.fetch)
    run = recipe.prepare(options(small_packages.CORPUS, folder / "run"))
    run.export(folder / "judge")
    return folder / "judge"


def random_network() -> EfficientNetLite:
    """The examiner's network with random weights: enough to tell equal pictures from others."""
    torch.manual_seed(0)
    return EfficientNetLite(LITE0)


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the tests' own, with the small packages that scenes are made of; one gallery serves them all."""
    monkeypatch.setenv("MEZZOTINT_CACHE", str(shared_cache))
    for package in NEEDED:
        place = cached_at(package)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(small_packages.fetch(package))
    for name in set(FONTS) - set(small_packages.FONTS):
        monkeypatch.delitem(FONTS, name)  # type: ignore[arg-type]
    return shared_cache


@pytest.fixture
def few_concepts(monkeypatch: pytest.MonkeyPatch) -> tuple[concept_list.Concept, ...]:
    """The concepts that the small corpus can show, in place of the 200."""
    codes = ("1f415", "1f408", "1f34e", "1f697", "1f680")
    found = tuple(concept for concept in concept_list.concepts() if concept.code in codes)
    for module in ("answers", "concepts", "distribution", "sizes", "styles"):
        monkeypatch.setattr(f"mezzotint.evaluation.{module}.concepts", lambda: found)
    return found


@pytest.fixture
def examine(corpus: Path, model: Path, judge: Path, cache: Path) -> Callable[[], Examination]:
    """A fresh examination of the tiny model."""

    def make() -> Examination:
        pipeline = Pipeline.from_pretrained(model, device="cpu", dtype="float32")
        resources = Resources(
            corpus=corpus, device=torch.device("cpu"), judge_folder=judge, load_network=random_network
        )
        return Examination(painter=Painter(pipeline, batch=4), resources=resources, seed=3, limit=None)

    return make
