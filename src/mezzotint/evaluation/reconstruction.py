"""The suite "reconstruction": what the autoencoder loses of pictures that it never saw.

Held-out sprites on white, held-out scenes, and scenes with text apart, since small letters are lost first.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from mezzotint.data.pictures import to_tensor
from mezzotint.data.record_pictures import decode
from mezzotint.data.records import Record, read_records
from mezzotint.evaluation.concept_list import spread
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.gallery import CANVAS, sprite_pictures
from mezzotint.evaluation.report import Row, Table, mean
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.perception.perceptual import PerceptualDistance, load_perceptual
from mezzotint.perception.similarity import psnr, ssim

SUITE = "reconstruction"
PICTURES = 100  # of each sort
STAGES = 3  # of the perceptual distance, as the mini's autoencoder was trained with
_SPLITS = ("val", "test")
_COLUMNS = ("id", "picture", "path", "group")
_SHOWN = 8


def tables(examination: Examination) -> list[Table]:
    resources, autoencoder = examination.resources, examination.painter.pipeline.autoencoder
    chosen, rows = held_out(resources.corpus, min(PICTURES, examination.limit or PICTURES)), []
    distance = load_perceptual(STAGES).to(resources.device)
    for name, pictures in chosen.items():
        decoded = [rebuilt(autoencoder, picture) for picture in pictures]
        rows.append(_row(name, pictures, decoded, distance))
        for original, made in list(zip(pictures, decoded, strict=True))[:_SHOWN]:
            examination.show(SUITE, [name, f"{name}, rebuilt"], torch.stack([original[0], made[0]]), None)
    note = (
        "Pictures of the splits val and test, of about 128² pixels, through the encoder (the posterior's mean) and the "
        "decoder. PSNR and SSIM: higher is better; the perceptual distance (LPIPS-like, see `perception.perceptual`): "
        "lower is better."
    )
    return [Table(suite=SUITE, title="Reconstruction", note=note, rows=tuple(rows))]


def held_out(corpus: Path, count: int) -> dict[str, list[Float[Tensor, "1 3 _ _"]]]:
    """Pictures by sort, evenly chosen; a sort that the corpus does not have is left out."""
    sprites = list(read_records(corpus, _COLUMNS, splits=_SPLITS, kinds=["sprite"]))
    scenes = list(read_records(corpus, _COLUMNS, splits=_SPLITS, kinds=["scene"]))
    text = [record for record in scenes if record.group == "text"]
    other = [record for record in scenes if record.group != "text"]
    found = {
        "sprites": [sprite_pictures([record], corpus) for record in spread(sprites, count)],
        "scenes": _scene_pictures(spread(other, count), corpus),
        "scenes with text": _scene_pictures(spread(text, count), corpus),
    }
    return {name: pictures for name, pictures in found.items() if pictures}


def _scene_pictures(records: Sequence[Record], corpus: Path) -> list[Float[Tensor, "1 3 _ _"]]:
    """Scenes at about the mini's size, sides in multiples of 16."""
    pictures = []
    for record in records:
        drawn = decode(record, corpus).convert("RGB")
        scale = CANVAS / (drawn.width * drawn.height) ** 0.5
        size = (round(drawn.width * scale / 16) * 16, round(drawn.height * scale / 16) * 16)
        pictures.append(to_tensor([drawn.resize(size, Image.Resampling.BICUBIC)]))
    return pictures


@torch.inference_mode()
def rebuilt(autoencoder: Autoencoder, picture: Float[Tensor, "1 3 _ _"]) -> Float[Tensor, "1 3 _ _"]:
    """A picture after the encoder (the posterior's mean) and the decoder."""
    device = next(autoencoder.parameters()).device
    return autoencoder.decode(autoencoder.encode(picture.to(device))).clamp(-1, 1).cpu()


@torch.inference_mode()
def _row(name: str, pictures: Sequence[Tensor], decoded: Sequence[Tensor], distance: PerceptualDistance) -> Row:
    device = distance.heads[0].device
    pairs = list(zip(pictures, decoded, strict=True))
    far = [distance(a.to(device), b.to(device)).item() for a, b in pairs]
    figures = {
        "PSNR": mean(np.array([psnr(a, b).item() for a, b in pairs]), "dB"),
        "SSIM": mean(np.array([ssim(a, b).item() for a, b in pairs]), ""),
        "perceptual": mean(np.array(far), ""),
    }
    return Row(name=name, figures=figures)
