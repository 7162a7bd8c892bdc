"""Linear heads over an embedder: beauty, blur, pictures made by a model, whatever a user has labels for.

None comes with the package, since no real labels came with it. A head is a folder:

    head.safetensors    weight and bias in fp32; the head's name and its embedder as metadata
    card.md             what it was trained on and how well it told pictures apart that it had not seen
"""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32
from numpy import ndarray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mezzotint.curation.vectors.catalogue import identity
from mezzotint.curation.vectors.embedding import PICTURES, read_embedders
from mezzotint.curation.vectors.rows import read_rows
from mezzotint.curation.vectors.vector_file import open_vectors
from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.runtime import atomic

FOLDS = 5
_FILE, _CARD = "head.safetensors", "card.md"
_STEPS, _ENOUGH = 30, 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """From unit vectors of its embedder to shares between 0 and 1."""

    name: str
    embedder: str  # `catalogue.identity`
    weight: Float32[ndarray, "d"]
    bias: float

    def __call__(self, vectors: Float[ndarray, "n d"]) -> Float32[ndarray, "n"]:
        return _logistic(vectors.astype(np.float32) @ self.weight + np.float32(self.bias))


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How a training went: its labels, and the area under the ROC curve on pictures of other folds."""

    pictures: int
    positives: int
    auc: float


def fit(vectors: Float[ndarray, "n d"], labels: Bool[ndarray, "n"], penalty: float) -> tuple[ndarray, float]:
    """Weight and bias of a logistic regression whose weights' squares are penalised, by Newton's method.

    Bishop, "Pattern Recognition and Machine Learning" (2006), section 4.3.3. The bias is not penalised.
    """
    x = np.concatenate([vectors.astype(np.float64), np.ones((len(vectors), 1))], axis=1)
    ridge = np.diag([penalty] * vectors.shape[1] + [_ENOUGH])
    w = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        share = _logistic(x @ w)
        gradient = x.T @ (share - labels) + ridge @ w
        step = np.linalg.solve(x.T @ (x * (share * (1 - share))[:, None]) + ridge, gradient)
        w -= step
        if np.abs(step).max() < _ENOUGH:
            break
    return w[:-1].astype(np.float32), float(w[-1])


def auc(scores: Float[ndarray, "n"], labels: Bool[ndarray, "n"]) -> float:
    """The chance that a positive scores above a negative, ties counting half: Hanley & McNeil (1982)."""
    ordered = np.sort(scores)
    ranks = (np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right") + 1) / 2
    positives = int(labels.sum())
    wins = float(ranks[labels].sum()) - positives * (positives + 1) / 2
    return wins / (positives * (len(labels) - positives))


def train_head(vectors: Path, labels: Path, out: Path, *, name: str, penalty: float, seed: int) -> Trained:
    """Train on the embedded pictures that a CSV list labels (`id`, `label` 0 or 1), and write the head with its card.

    Raises InputError for too few labels, FileFormatError for a list of another form, OutputError.
    """
    rows = {row.id: place for place, row in enumerate(read_rows(vectors))}
    wanted = {one: label for one, label in read_labels(labels).items() if one in rows}
    truth = np.array(list(wanted.values()), bool)
    if min(int(truth.sum()), int((~truth).sum())) < FOLDS:
        raise InputError(
            f"{labels} labels {truth.sum()} and {(~truth).sum()} pictures of {vectors}: at least 5 of each"
        )
    x = np.asarray(open_vectors(vectors / f"{PICTURES}.npy")[[rows[one] for one in wanted]], np.float32)
    fold = np.random.default_rng(seed).permutation(len(truth)) % FOLDS
    unseen = np.zeros(len(truth))
    for held in range(FOLDS):
        weight, bias = fit(x[fold != held], truth[fold != held], penalty)
        unseen[fold == held] = x[fold == held] @ weight + bias
    trained = Trained(pictures=len(truth), positives=int(truth.sum()), auc=auc(unseen, truth))
    weight, bias = fit(x, truth, penalty)
    embedder = identity(read_embedders(vectors).pictures)
    _write(out, Head(name=name, embedder=embedder, weight=weight, bias=bias))
    made_of = hashlib.sha256(labels.read_bytes()).hexdigest()
    atomic.write_text(out / _CARD, _card(name, embedder, labels.name, made_of, penalty, trained))
    return trained


def score(vectors: Path, head: Head) -> dict[str, float]:
    """What the head says of each embedded picture, by id. Raises InputError for vectors of another embedder."""
    embedder = identity(read_embedders(vectors).pictures)
    if embedder != head.embedder:
        raise InputError(f"head {head.name!r} is for vectors of {head.embedder}, and {vectors} are of {embedder}")
    shares = head(open_vectors(vectors / f"{PICTURES}.npy"))
    return {row.id: float(share) for row, share in zip(read_rows(vectors), shares, strict=True)}


def read_labels(path: Path) -> dict[str, bool]:
    """Raises MissingFileError for no file, FileFormatError for one without the columns or with another label."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {row["id"]: {"0": False, "1": True}[row["label"].strip()] for row in csv.DictReader(file)}
    except FileNotFoundError as cause:
        raise MissingFileError(f"labels {path} do not exist: a CSV list with the columns id and label") from cause
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError) as cause:
        raise FileFormatError(f"{path} is no list of labels: it needs the columns id and label, 0 or 1") from cause


def digest(folder: Path) -> str:
    """The SHA-256, in hexadecimal, of a head's file. Raises MissingFileError for a folder without one."""
    return hashlib.sha256(_file(folder).read_bytes()).hexdigest()


def load_head(folder: Path) -> Head:
    """Raises MissingFileError for a folder without a head, FileFormatError for a broken one."""
    path = _file(folder)
    try:
        with safe_open(path, "numpy") as file:
            about: Mapping[str, str] = file.metadata() or {}
            weight, bias = file.get_tensor("weight"), file.get_tensor("bias")
        return Head(name=about["name"], embedder=about["embedder"], weight=weight, bias=float(bias[0]))
    except (SafetensorError, KeyError, IndexError) as cause:
        raise FileFormatError(f"{path} is not a head ({cause}): train it again") from cause


def _file(folder: Path) -> Path:
    if not (folder / _FILE).is_file():
        raise MissingFileError(f"{folder} holds no head: mezzotint curate train-head makes one")
    return folder / _FILE


def _write(folder: Path, head: Head) -> None:
    tensors = {"weight": head.weight, "bias": np.array([head.bias], np.float32)}
    data = save(tensors, metadata={"name": head.name, "embedder": head.embedder})
    atomic.write_bytes(folder / _FILE, data)


def _card(name: str, embedder: str, labels: str, made_of: str, penalty: float, trained: Trained) -> str:
    return "\n".join(
        [
            f"# {name}",
            "",
            f"A logistic regression over `{embedder}`, penalty {penalty:g}, trained by `mezzotint curate train-head`.",
            "",
            f"- Labels: {trained.pictures} pictures, {trained.positives} of them positive: `{labels}` ({made_of}).",
            f"- On pictures that it had not seen ({FOLDS} folds): area under the ROC curve {trained.auc:.3f}.",
            "- It says what those labels say. Whose eyes they were, and how pictures of other kinds fare, is not known",
            "  here: look at what a limit drops before trusting it.",
            "",
        ]
    )


def _logistic(x: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def outside(shares: Mapping[str, float], least: float | None, most: float | None) -> Sequence[tuple[str, float]]:
    """The pictures whose share lies outside of [least, most]; None is no limit."""
    low, high = (-np.inf if least is None else least), (np.inf if most is None else most)
    return [(one, share) for one, share in shares.items() if not low <= share <= high]
