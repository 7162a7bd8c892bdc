"""The sizes of a Qwen2.5-VL, the released one written out, and their public form (transformers' `config.json`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.published_config import reading

MODEL_TYPE = "qwen2_5_vl"
# What the public form can say and no supported release does.
LANGUAGE_ONLY_AS = {"hidden_act": "silu", "use_sliding_window": False}
VISION_ONLY_AS = {"hidden_act": "silu", "in_channels": 3, "in_chans": 3}


@dataclass(frozen=True, kw_only=True)
class LanguageConfig:
    """The language model, by its published names.

    Attributes:
        mrope_section: Channel pairs of a head that turn with (time, row, column); their sum is half a head.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    max_position_embeddings: int
    rms_norm_eps: float
    rope_theta: float
    mrope_section: tuple[int, int, int]

    def __post_init__(self) -> None:
        if 2 * sum(self.mrope_section) * self.num_attention_heads != self.hidden_size:
            raise FileFormatError(
                f"text encoder config: mrope_section {self.mrope_section} is not half of each of "
                f"{self.num_attention_heads} heads of hidden_size {self.hidden_size}"
            )

    def for_transformers(self) -> dict[str, Any]:
        """Arguments of `Qwen2_5_VLTextConfig`."""
        values = asdict(self)
        section, theta = values.pop("mrope_section"), values.pop("rope_theta")
        rope = {"rope_type": "default", "mrope_section": list(section), "rope_theta": theta}
        # Nothing here begins or ends a text, and the defaults lie outside of a small vocabulary.
        return {**values, "rope_parameters": rope, "bos_token_id": None, "eos_token_id": None}


@dataclass(frozen=True, kw_only=True)
class VisionConfig:
    """The vision tower, by its published names.

    Attributes:
        patch_size: Side of a patch in pixels. spatial_merge_size: Patches along each side that make one token.
        temporal_patch_size: Frames of a patch; a picture is repeated so often.
        window_size: Side in pixels of the windows that most layers attend within; fullatt_block_indexes: those that
            attend over the whole picture.
        out_hidden_size: Width of a token, that of the language model.
    """

    depth: int
    hidden_size: int
    intermediate_size: int
    num_heads: int
    patch_size: int
    spatial_merge_size: int
    temporal_patch_size: int
    window_size: int
    fullatt_block_indexes: tuple[int, ...]
    out_hidden_size: int

    @property
    def token_side(self) -> int:
        """Side of a token in pixels."""
        return self.patch_size * self.spatial_merge_size

    def for_transformers(self) -> dict[str, Any]:
        """Arguments of `Qwen2_5_VLVisionConfig`."""
        return {**asdict(self), "fullatt_block_indexes": list(self.fullatt_block_indexes)}


@dataclass(frozen=True, kw_only=True)
class VisionLanguageConfig:
    """Both halves, and the token in whose places the language model reads a picture; without vision it reads none."""

    language: LanguageConfig
    vision: VisionConfig | None
    image_token_id: int

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> VisionLanguageConfig:
        """Read transformers' form, the language model's values at the top (version 4) or in `text_config` (version 5).

        Raises:
            FileFormatError: A value is missing or of the wrong form, or it is not a model of this kind.
        """
        if values.get("model_type", MODEL_TYPE) != MODEL_TYPE:
            raise FileFormatError(
                f"text encoder config: model_type is {values['model_type']!r}, supported is {MODEL_TYPE!r}"
            )
        language = {**values, **_mapping(values, "text_config")}
        vision = _mapping(values, "vision_config")
        _refuse_others(language, LANGUAGE_ONLY_AS)
        _refuse_others(vision, VISION_ONLY_AS)
        with reading("text encoder config"):
            return cls(
                language=_language(language),
                vision=_vision(vision) if vision else None,
                image_token_id=int(values["image_token_id"]),
            )

    def to_json(self) -> dict[str, Any]:
        """The same in transformers' form."""
        vision = self.vision and {"model_type": "qwen2_5_vl_vision", **self.vision.for_transformers()}
        return {
            "architectures": ["Qwen2_5_VLForConditionalGeneration"],
            "model_type": MODEL_TYPE,
            "image_token_id": self.image_token_id,
            "tie_word_embeddings": False,
            "text_config": {"model_type": "qwen2_5_vl_text", **self.language.for_transformers()},
            "vision_config": vision,
            "dtype": "float32",
        }


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = values.get(name) or {}
    if not isinstance(part, Mapping):
        raise FileFormatError(f"text encoder config: {name} is {part!r}, not an object")
    return part


def _refuse_others(values: Mapping[str, Any], only_as: Mapping[str, Any]) -> None:
    for name, only in only_as.items():
        if values.get(name, only) != only:
            raise FileFormatError(f"text encoder config: {name} is {values[name]!r}, supported is {only!r}")


def _language(values: Mapping[str, Any]) -> LanguageConfig:
    rope = values.get("rope_parameters") or values.get("rope_scaling") or {}
    section = tuple(int(pairs) for pairs in rope["mrope_section"])
    if len(section) != 3:
        raise ValueError(f"mrope_section {section}")
    return LanguageConfig(
        vocab_size=int(values["vocab_size"]),
        hidden_size=int(values["hidden_size"]),
        intermediate_size=int(values["intermediate_size"]),
        num_hidden_layers=int(values["num_hidden_layers"]),
        num_attention_heads=int(values["num_attention_heads"]),
        num_key_value_heads=int(values["num_key_value_heads"]),
        max_position_embeddings=int(values["max_position_embeddings"]),
        rms_norm_eps=float(values["rms_norm_eps"]),
        rope_theta=float(rope["rope_theta"] if "rope_theta" in rope else values["rope_theta"]),
        mrope_section=section,
    )


def _vision(values: Mapping[str, Any]) -> VisionConfig:
    return VisionConfig(
        depth=int(values["depth"]),
        hidden_size=int(values["hidden_size"]),
        intermediate_size=int(values["intermediate_size"]),
        num_heads=int(values["num_heads"]),
        patch_size=int(values["patch_size"]),
        spatial_merge_size=int(values["spatial_merge_size"]),
        temporal_patch_size=int(values["temporal_patch_size"]),
        window_size=int(values["window_size"]),
        fullatt_block_indexes=tuple(int(index) for index in values["fullatt_block_indexes"]),
        out_hidden_size=int(values["out_hidden_size"]),
    )


QWEN2_5_VL_7B = VisionLanguageConfig(
    language=LanguageConfig(
        vocab_size=152_064,
        hidden_size=3584,
        intermediate_size=18_944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        max_position_embeddings=128_000,
        rms_norm_eps=1e-6,
        rope_theta=1e6,
        mrope_section=(16, 24, 24),
    ),
    vision=VisionConfig(
        depth=32,
        hidden_size=1280,
        intermediate_size=3420,
        num_heads=16,
        patch_size=14,
        spatial_merge_size=2,
        temporal_patch_size=2,
        window_size=112,
        fullatt_block_indexes=(7, 15, 23, 31),
        out_hidden_size=3584,
    ),
    image_token_id=151_655,
)
"""The published one that Qwen-Image uses: 8,292,166,656 parameters, of which 544,997,376 in the unused output layer."""
