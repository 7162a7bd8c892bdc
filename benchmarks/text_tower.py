"""Is the text tower better trained before the transformer, or together with it? A reduced transformer under each.

    python -m benchmarks.text_tower --data ENCODED --corpus CORPUS --model MODEL [--steps 250] [--concepts 64]

ENCODED and CORPUS hold the same sprites, as latents and with their captions; MODEL holds the contrastive tower. The
transformer sees the concepts of the held-out sprites in their other styles. All networks start alike, see the same
batches and take turns. A gain is by how much the loss rises, in thousandths, when each caption is replaced by one of
another concept in any style, of another concept in the same style, or of the same concept in another style.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import torch
from benchmarks.timing import machine
from jaxtyping import Float
from torch import Tensor

from mezzotint.data.loader import LatentBatch
from mezzotint.data.records import read_records
from mezzotint.data.shards import LatentShards
from mezzotint.flow.path import interpolate, velocity
from mezzotint.flow.times import LogitNormal
from mezzotint.generation.loading import load_text_tower
from mezzotint.models.single_stream import MINI, SingleStreamTransformer, init_weights
from mezzotint.models.text import TextTower
from mezzotint.models.text import init_weights as init_text
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.learning_rate import trapezoid
from mezzotint.training.objectives.flow import FlowMatching
from mezzotint.training.optimizers import AdamW, Muon
from mezzotint.training.state import TrainState

REDUCED = replace(MINI, dim=128, n_heads=2, n_layers=4, n_refiner_layers=1)
BLOCKS = ("noise_refiner", "context_refiner", "layers", "tower.model.layers")
LANGUAGES = ("en", "zh")
KIND = "medium"  # a caption that names the concept and the style
BATCH, AT_ONCE = 32, 64  # sprites of a step, of a measurement
DRAWS = 2  # of noise and time, for each sprite that is measured
TIMES = LogitNormal(mean=0.0, std=1.0)
OBJECTIVE = FlowMatching(times=TIMES, caption_dropout=0.1, empty_caption=torch.empty(0), patch_size=2)


class Sprite(NamedTuple):
    latents: Float[Tensor, "c h w"]
    concept: str | None
    style: str | None
    texts: Mapping[str, str]  # by language


ARMS = {  # is the start contrastive; the tower's learning rate as a share of the network's, 0 for a frozen one
    "contrastive, frozen": (True, 0.0),
    "random, frozen": (False, 0.0),
    "random, joint": (False, 1.0),
    "contrastive, joint at 0.3": (True, 0.3),
}
WRONG: dict[str, Callable[[Sprite, Sprite], bool]] = {
    "any": lambda own, other: other.concept != own.concept,
    "concept": lambda own, other: other.concept != own.concept and other.style == own.style,
    "style": lambda own, other: other.concept == own.concept and other.style != own.style,
}


class Reader(SingleStreamTransformer):
    """A transformer with the tower that it reads. What a frozen tower says of a caption is computed once."""

    def __init__(self, tower: TextTower, frozen: bool, generator: torch.Generator) -> None:
        super().__init__(REDUCED)
        init_weights(self, generator)
        self.tower, self.frozen = tower, frozen
        self.known: dict[str, Float[Tensor, "n d"]] = {}

    def features(self, texts: Sequence[str]) -> list[Float[Tensor, "n d"]]:
        known = dict(self.known)
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            ids = self.tower.token_ids(new, max_tokens=128)
            states = self.tower.features(self.tower.padded(ids))
            known |= {text: row[: len(own)] for text, row, own in zip(new, states, ids, strict=True)}
        if self.frozen:
            self.known = known
        return [known[text] for text in texts]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    for name in ("data", "corpus", "model"):
        options.add_argument(f"--{name}", type=Path, required=True)
    for name, default in (("steps", 250), ("concepts", 64), ("seed", 0)):
        options.add_argument(f"--{name}", type=int, default=default)
    args = options.parse_args()
    training, held_out = sprites(args.data, args.corpus, args.concepts)
    print(f"{machine()}. {args.steps} steps of {BATCH} out of {len(training)} training sprites.\n")
    gains = " | ".join(f"{kind}, {language}" for kind, language in product(WRONG, LANGUAGES))
    print(f"| tower | s a step | sprites | loss | {gains} |")
    print("| --- " * (4 + len(WRONG) * len(LANGUAGES)) + "|", flush=True)
    states = {name: start(*arm, args.model, args.steps, Seeds(args.seed)) for name, arm in ARMS.items()}
    seconds = train(states, training, args.steps, Seeds(args.seed))
    splits = {"training": training[:: len(training) // len(held_out)][: len(held_out)], "held out": held_out}
    for (name, state), (split, some) in product(states.items(), splits.items()):
        cells = [name, f"{seconds[name]:.2f}", split, *measures(state, some, training)]
        print(f"| {' | '.join(cells)} |", flush=True)


def sprites(data: Path, corpus: Path, concepts: int) -> tuple[list[Sprite], list[Sprite]]:
    """The training sprites of the last so many concepts that have a held-out one, and these held-out ones."""
    shards = LatentShards(data)
    place = {id: index for index, id in enumerate(shards.ids)}
    parts: dict[str, list[Sprite]] = {"train": [], "val": []}
    for record in read_records(corpus, ["id", "concept", "style", "split", "captions"], splits=list(parts)):
        if record.id in place:
            latents = shards.latents(place[record.id]).float()
            texts = {caption.language: caption.text for caption in record.captions if caption.kind == KIND}
            parts[record.split].append(Sprite(latents, record.concept, record.style, texts))
    chosen = set(list(dict.fromkeys(sprite.concept for sprite in parts["val"]))[-concepts:])
    return [s for s in parts["train"] if s.concept in chosen], [s for s in parts["val"] if s.concept in chosen]


def start(contrastive: bool, rate: float, model: Path, steps: int, seeds: Seeds) -> TrainState:
    tower = load_text_tower(model, torch.float32).requires_grad_(rate > 0)
    if not contrastive:
        init_text(tower, seeds.generator("text weights"))
    rest = AdamW(lr=2e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.01, rates={"tower": rate})
    return TrainState(
        Reader(tower, rate == 0, seeds.generator("weights")),
        optimizer=Muon(rest=rest, matrices=BLOCKS, momentum=0.95),
        schedule=partial(trapezoid, warmup=20, total=steps, cooldown=round(0.3 * steps)),
        clip=1.0,
        average=0.999,
        device=torch.device("cpu"),
        dtype=torch.bfloat16,
    )


def train(states: Mapping[str, TrainState], training: Sequence[Sprite], steps: int, seeds: Seeds) -> dict[str, float]:
    """Train all in turns; returns each one's median seconds of a step."""
    seconds: dict[str, list[float]] = {name: [] for name in states}
    losses: dict[str, list[float]] = {name: [] for name in states}
    for step in range(steps):
        clean, texts, noise, t = draw(training, seeds, step)
        for name, state in states.items():
            began = time.perf_counter()
            loss = OBJECTIVE.loss(state, clean, state.module.features(texts), noise, t)
            state.backward_and_update(loss)
            state.step += 1
            seconds[name].append(time.perf_counter() - began)
            losses[name].append(loss.item())
        if (step + 1) % 25 == 0:
            recent = "; ".join(f"{name} {mean(own[-25:]):.4f}" for name, own in losses.items())
            print(f"step {step + 1}, mean loss of the last 25: {recent}", file=sys.stderr, flush=True)
    return {name: median(own) for name, own in seconds.items()}


def draw(training: Sequence[Sprite], seeds: Seeds, step: int) -> tuple[Tensor, list[str], Tensor, Tensor]:
    """Clean latents, a caption of each in one of the languages or the empty one, noise and times."""
    rng = seeds.numpy("batch", step)
    chosen = [training[i] for i in rng.choice(len(training), BATCH, replace=False)]
    languages = [LANGUAGES[i] for i in rng.integers(len(LANGUAGES), size=BATCH)]
    kept = rng.random(BATCH) >= OBJECTIVE.caption_dropout
    texts = [own.texts[said] if keep else "" for own, said, keep in zip(chosen, languages, kept, strict=True)]
    clean = torch.stack([sprite.latents for sprite in chosen])
    return clean, texts, *OBJECTIVE.draw(LatentBatch(clean, [], []), seeds, "train", step)


@torch.no_grad()
def measures(state: TrainState, some: Sequence[Sprite], training: Sequence[Sprite]) -> Iterator[str]:
    """The loss with the right captions, then each gain with its standard error; the noise is the same for all."""
    some = list(some) * DRAWS
    with state.averaged() as reader:
        right = {language: errors(reader, some, [sprite.texts[language] for sprite in some]) for language in LANGUAGES}
        yield f"{torch.stack(list(right.values())).mean():.4f}"
        for differs, language in product(WRONG.values(), LANGUAGES):
            rng = Seeds(0).numpy("wrong captions")
            pools = [[other for other in training if differs(own, other)] for own in some]
            texts = [pool[rng.integers(len(pool))].texts[language] if pool else "" for pool in pools]
            gains = 1e3 * (errors(reader, some, texts) - right[language]).view(DRAWS, -1).mean(0)
            yield f"{gains.mean():.1f} ± {gains.std() / len(gains) ** 0.5:.1f}"


def errors(reader: Reader, some: Sequence[Sprite], texts: Sequence[str]) -> Float[Tensor, "b"]:
    """Each sprite's squared error of the velocity, with fixed noise and times."""
    found = []
    for first in range(0, len(some), AT_ONCE):
        clean = torch.stack([sprite.latents for sprite in some[first : first + AT_ONCE]])
        noise, t = OBJECTIVE.draw(LatentBatch(clean, [], []), Seeds(0), "measure", first)
        x = interpolate(noise, clean, t).bfloat16()
        captions = reader.refine_captions(reader.features(texts[first : first + AT_ONCE]))
        found.append((reader(x, t, captions).float() - velocity(noise, clean)).square().mean((1, 2, 3)))
    return torch.cat(found)


if __name__ == "__main__":
    main()
