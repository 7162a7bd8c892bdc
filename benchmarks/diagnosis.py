"""Planted faults of a training corpus: are they found from what a model fine-tuned on it gets wrong?

    python -m benchmarks.diagnosis --corpus CORPUS --work FOLDER [--write docs/vectors.md]

Captions of ten concepts stand over pictures of ten others, among the everyday corpus. The mini is fine-tuned on it, in
half of the steps on the mislabelled part alone, and paints 40 concepts in each style. Where the examiner does not find
the prompted concept among the nearest ten, a picture has failed. `mezzotint curate diagnose` sees failed and good
pictures, their prompts, and the training corpus; it is not told what is mislabelled.

About 25 minutes a seed on one core; every stage that is done is kept in --work, so a killed run goes on.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from benchmarks.pages import write_section
from benchmarks.poisoned_corpus import POISON, STYLES, Poison, everyday, write_poisoned
from benchmarks.timing import machine
from jaxtyping import Bool

from mezzotint.cli.main import main as mezzotint
from mezzotint.curation.prune import read_list
from mezzotint.data.pictures import read_picture, to_tensor
from mezzotint.data.records import read_records
from mezzotint.evaluation.concept_list import Concept, concepts
from mezzotint.evaluation.gallery import Examiner, load_gallery
from mezzotint.perception.efficientnet import load_efficientnet
from mezzotint.recipes.mini import mini_base
from mezzotint.recipes.recipe import RunOptions
from mezzotint.runtime.device import resolve_device, resolve_dtype
from mezzotint.synthesis import styles
from mezzotint.training.trainer import fit

SEEDS = 4  # pictures of each concept in each style that the model paints
PICTURES = SEEDS * len(STYLES)
NEAREST = 10  # concepts of all, by the examiner, among which the prompted one is to be
BATCH, POISONED = 24, 0.5  # samples a step; share of the steps that see mislabelled pictures only
TITLE = "Planted faults"
WHY = (
    "Captions of ten concepts stand over pictures of ten others; the mini is fine-tuned on it, and `curate diagnose`",
    "is shown what it then paints and which of it failed: the prompted concept is not in the examiner's nearest ten.",
    "All limits, that ten and the embedders (EfficientNet-Lite0, the sentence encoder) were chosen on pictures of an",
    "earlier mini with seed 0. Wanted are a precision of 0.9 and a recall of 0.8; no peer for this is known to us.",
    "",
)
HEAD = (
    "| seed | of lying captions failed | of others failed | mislabelled | pruned | precision | recall | clusters |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--corpus", type=Path, required=True, help="what mezzotint corpus build made")
    options.add_argument("--pictures", default="efficientnet-lite0", help="by what pictures are embedded")
    options.add_argument("--captions", default="sentences", help="by what captions and prompts are")
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--steps", type=int, default=400, help=f"of the fine-tuning, {BATCH} samples each")
    options.add_argument("--minutes", type=float, help="of fine-tuning in this call, which then ends; call it again")
    options.add_argument("--asked", type=int, default=40, help="concepts that it paints, the mislabelled among them")
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="each plants other concepts")
    options.add_argument("--write", type=Path)
    options.add_argument("--until", choices=["train", "paint"])
    args = options.parse_args()
    embedders, codes, rows = ("--pictures", args.pictures, "--captions", args.captions), everyday(), []
    for seed in args.seeds:
        work = args.work / str(seed)
        said = prepare(args.corpus, work, codes, Poison(seed=seed))
        if not trained(work, args.steps, args.minutes, seed) or args.until == "train":
            continue
        asked = choose(said, codes, args.asked, seed)
        paint(work, asked)
        if args.until != "paint":
            rows.append(f"| {seed} | {diagnosis(args.corpus, work, embedders, asked, said)} |")
    if len(rows) < len(args.seeds):
        return
    print("\n".join([*WHY, *HEAD, *rows]))
    if args.write is not None:
        write_section(args.write, TITLE, [machine(), "", *WHY, *HEAD, *rows])


def prepare(corpus: Path, work: Path, codes: Sequence[str], poison: Poison) -> list[str]:
    """The poisoned corpus, encoded for the mini; returns the concepts whose captions lie."""
    note = work / "poisoned.json"
    if not note.is_file():
        chosen = write_poisoned(corpus, work / "corpus", codes, poison)
        note.write_text(json.dumps([said.code for said, _ in chosen]))
    encode = ["encode", str(work / "corpus"), "--model", "mini", "--captions-per-picture", "2"]
    run([*encode, "--out", str(work / "encoded")])
    run([*encode, "--out", str(work / "encoded-poison"), "--parts", "poison"])
    return list(json.loads(note.read_text()))


def trained(work: Path, steps: int, minutes: float | None, seed: int) -> bool:
    """Whether `mini-base` has had its steps, from the mini's weights and with a warmup that fits a short run."""
    if (work / "model" / "model_index.json").is_file():
        return True
    recipe = mini_base()
    plan = replace(recipe.plan, warmup=20, average=0.98, validate_every=1000, sample_every=1000, checkpoint_every=40)
    device = resolve_device()
    options = RunOptions(
        data=work / "encoded",
        mix={work / "encoded-poison": POISONED},
        run=work / "run",
        model="mini",
        start="mini",
        steps=steps,
        minutes=minutes,
        batch=BATCH,
        lr=None,
        seed=seed,
        device=device,
        dtype=resolve_dtype(None, device),
        compile=False,
        recompute=False,
    )
    made = replace(recipe, plan=plan).prepare(options)
    if fit(made.config, made.state, made.objective, made.batches, options.run, made.probes).reason != "finished":
        return False
    made.export(work / "model")
    return True


def choose(said: Sequence[str], codes: Sequence[str], count: int, seed: int) -> list[Concept]:
    """What is painted: the mislabelled concepts among others, in no order."""
    known = [concept for concept in concepts() if concept.code in codes]
    others = [concept for concept in known if concept.code not in said]
    rng = np.random.default_rng(seed)
    drawn = [others[place] for place in rng.choice(len(others), count - len(said), replace=False)]
    asked = [concept for concept in known if concept.code in said] + drawn
    return [asked[place] for place in rng.permutation(len(asked))]


def paint(work: Path, asked: Sequence[Concept]) -> None:
    prompts = work / "prompts.txt"
    lines = [concept.styled(styles.STYLES[style], "en") for concept in asked for style in STYLES]
    prompts.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if len(list((work / "painted").glob("*.png"))) < len(lines) * SEEDS:
        command = [
            "generate",
            "--prompts",
            str(prompts),
            "--model",
            str(work / "model"),
            "--out",
            str(work / "painted"),
        ]
        run([*command, "--seed", "0", "--count", str(SEEDS), "--steps", "12"])


def diagnosis(corpus: Path, work: Path, embedders: Sequence[str], asked: Sequence[Concept], said: Sequence[str]) -> str:
    """A row of the table."""
    failed = judge(corpus, work, asked)
    poisoned = np.repeat([concept.code in said for concept in asked], PICTURES)
    for name, chosen in (("failed", failed), ("succeeded", ~failed)):
        shutil.rmtree(work / name, ignore_errors=True)
        (work / name).mkdir()
        for path, wanted in zip(sorted((work / "painted").glob("*.png")), chosen, strict=True):
            if wanted:
                shutil.copy(path, work / name / path.name)
    vectors = work / "vectors"
    run(["curate", "embed", str(work / "corpus"), "--out", str(vectors), *embedders])
    command = ["curate", "diagnose", str(vectors), "--failed", str(work / "failed")]
    run([*command, "--succeeded", str(work / "succeeded"), "--out", str(work / "diagnosis")])
    pruned = read_list(work / "diagnosis" / "prune.jsonl")
    training = list(read_records(work / "corpus", ["id"]))
    planted = {record.id for record in training if record.id.startswith(POISON)}
    right = len(pruned & planted)
    clusters = {id.split("-")[0] for id in pruned & planted}
    return (
        f"{int((failed & poisoned).sum())} of {int(poisoned.sum())} | {int((failed & ~poisoned).sum())} of "
        f"{int((~poisoned).sum())} | {len(planted)} of {len(training)} | {len(pruned)} | "
        f"{right / max(len(pruned), 1):.3f} | {right / len(planted):.3f} | {len(clusters)} of {len(said)}"
    )


def judge(corpus: Path, work: Path, asked: Sequence[Concept]) -> Bool[np.ndarray, "g"]:
    """Which pictures failed: see the head of this module."""
    examiner = Examiner(load_efficientnet(), torch.device("cpu"))
    paths = sorted((work / "painted").glob("*.png"))
    pictures = to_tensor([read_picture(path).convert("RGB") for path in paths])
    codes = [concept.code for concept in asked for _ in range(PICTURES)]
    return load_gallery(corpus, examiner).ranks(examiner.features(pictures), codes) >= NEAREST


def run(arguments: Sequence[str]) -> None:
    """A command of this program, as its user would give it."""
    if mezzotint(arguments):
        raise SystemExit(f"mezzotint {' '.join(arguments)} failed")


if __name__ == "__main__":
    main()
