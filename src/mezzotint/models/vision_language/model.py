"""Qwen2.5-VL as Qwen-Image reads it: texts, and pictures in them, to the features of the last layer, one a token.

A language model reads a text in which each picture stands as a run of tokens, made by the vision tower. A token of text
has one position, a token of a picture three: time, row and column (M-RoPE; Wang et al. 2024, arXiv 2409.12191, section
2.1). Both networks are transformers' own; generation from text needs the language model alone.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import Qwen2_5_VLTextConfig, Qwen2_5_VLTextModel
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel

from mezzotint.errors import InputError
from mezzotint.models.vision_language.config import LanguageConfig, VisionConfig, VisionLanguageConfig
from mezzotint.models.vision_language.pictures import Patches

PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"  # where a text has a picture


class Seen(NamedTuple):
    """A picture as the language model reads it: its tokens, row by row."""

    tokens: Float[Tensor, "n d"]
    rows: int
    columns: int


def build_language(config: LanguageConfig) -> Qwen2_5_VLTextModel:
    """The language model with transformers' own initial weights."""
    values = Qwen2_5_VLTextConfig(**config.for_transformers())
    values._attn_implementation = "sdpa"
    return Qwen2_5_VLTextModel(values)


def build_vision(config: VisionConfig) -> Qwen2_5_VisionTransformerPretrainedModel:
    """The vision tower with transformers' own initial weights."""
    values = Qwen2_5_VLVisionConfig(**config.for_transformers())
    values._attn_implementation = "sdpa"
    return Qwen2_5_VisionTransformerPretrainedModel(values)


class VisionLanguageTower(nn.Module):
    """A Qwen2.5-VL and its tokenizer; with a configuration without vision it reads text only."""

    def __init__(self, config: VisionLanguageConfig, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        self.language = build_language(config.language)
        self.vision = None if config.vision is None else build_vision(config.vision)

    @property
    def device(self) -> torch.device:
        return self.language.embed_tokens.weight.device

    def compute_tables(self) -> None:
        """The rotary tables, which no file fills: what was built on the meta device has none yet."""
        self.language.rotary_emb = type(self.language.rotary_emb)(self.language.config)
        if self.vision is not None:
            self.vision.rotary_pos_emb = type(self.vision.rotary_pos_emb)(self.vision.config)

    @torch.no_grad()
    def look(self, pictures: Sequence[Patches]) -> list[Seen]:
        """Pictures as the language model reads them."""
        assert self.config.vision is not None  # whoever has pictures has loaded the tower with its vision
        assert self.vision is not None
        merge = self.config.vision.spatial_merge_size
        seen = []
        for patches in pictures:
            grid = torch.tensor([[1, patches.rows, patches.columns]], device=self.device)
            tokens = self.vision(patches.pixels.to(self.device), grid_thw=grid).pooler_output
            seen.append(Seen(tokens, patches.rows // merge, patches.columns // merge))
        return seen

    def token_ids(self, texts: Sequence[str], max_tokens: int | None = None) -> list[list[int]]:
        """Each text as tokens, at most `max_tokens`; a picture is one of them."""
        return [encoding.ids[:max_tokens] for encoding in self.tokenizer.encode_batch(list(texts))]

    @torch.no_grad()
    def encode(
        self, texts: Sequence[str], seen: Sequence[Seen] = (), max_tokens: int | None = None
    ) -> list[Float[Tensor, "_ d"]]:
        """Features of each text's tokens, its pictures' included; what exceeds `max_tokens` is cut off.

        All texts have the same pictures, in this order. Rows are padded on the right and attention is causal, so a
        text's features do not depend on what else is in the batch.

        Raises:
            InputError: A text has another number of places for pictures.
        """
        ids = self.token_ids(texts, max_tokens)
        rows = [self._embed(row, seen) for row in ids]
        places = [positions(row, self.config.image_token_id, seen).to(self.device) for row in ids]
        embedded = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        padded = nn.utils.rnn.pad_sequence([place.T for place in places], batch_first=True)
        position_ids = padded.permute(2, 0, 1)
        features = self.language(inputs_embeds=embedded, position_ids=position_ids, use_cache=False).last_hidden_state
        return [feature[: len(row)] for feature, row in zip(features, rows, strict=True)]

    def _embed(self, ids: Sequence[int], seen: Sequence[Seen]) -> Float[Tensor, "n d"]:
        """Tokens of text as the language model's own, those of pictures in their places."""
        parts: list[Tensor] = []
        for k, (start, end) in enumerate(_texts_between(ids, self.config.image_token_id, len(seen))):
            parts.append(self.language.embed_tokens(torch.tensor(ids[start:end], dtype=torch.long, device=self.device)))
            if k < len(seen):
                parts.append(seen[k].tokens)
        return torch.cat(parts)


def positions(ids: Sequence[int], image_token_id: int, seen: Sequence[Seen]) -> Int[Tensor, "3 n"]:
    """(time, row, column) of each token: a picture's lie on its grid, and what follows counts on from its longer side.

    Raises:
        InputError: The tokens have another number of places for pictures.
    """
    parts, at = [], 0
    for k, (start, end) in enumerate(_texts_between(ids, image_token_id, len(seen))):
        parts.append((at + torch.arange(end - start)).expand(3, -1))
        at += end - start
        if k < len(seen):
            rows, columns = torch.arange(seen[k].rows), torch.arange(seen[k].columns)
            parts.append(at + torch.cartesian_prod(torch.tensor([0]), rows, columns).T)
            at += max(seen[k].rows, seen[k].columns)
    return torch.cat(parts, dim=1)


def _texts_between(ids: Sequence[int], image_token_id: int, pictures: int) -> list[tuple[int, int]]:
    """Where the stretches of text before, between and after the pictures begin and end."""
    places = [i for i, token in enumerate(ids) if token == image_token_id]
    if len(places) != pictures:
        raise InputError(f"a prompt has {len(places)} places for pictures, but there are {pictures} pictures")
    bounds = [-1, *places, len(ids)]
    return [(start + 1, end) for start, end in pairwise(bounds)]
