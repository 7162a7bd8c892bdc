"""The text tower: prompts to the features that the diffusion transformer reads, one for each token.

They are the states after all layers but the last of a causal language model (Qwen3), as Z-Image takes them:
`hidden_states[-2]`. So the last layer and the final norm do not run, except in the tower's own training.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import Qwen3Config, Qwen3Model

from mezzotint.models.text.config import TextConfig
from mezzotint.models.text.tokenizer import END_OF_TEXT, in_chat


def build(config: TextConfig) -> Qwen3Model:
    """The network with transformers' own initial weights, in fp32 unless the default dtype is another."""
    return Qwen3Model(Qwen3Config(**config.to_json(), attn_implementation="sdpa"))


class TextTower(nn.Module):
    """A causal language model and its tokenizer. The state dict has the published keys (`model.layers.0.…`)."""

    def __init__(self, model: Qwen3Model, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer

    @property
    def device(self) -> torch.device:
        return self.model.embed_tokens.weight.device

    @torch.no_grad()
    def encode(self, prompts: Sequence[str], max_tokens: int = 512) -> list[Float[Tensor, "n d"]]:
        """Features of each prompt's tokens, the chat template's included; what exceeds `max_tokens` is cut off."""
        return self.read(prompts, max_tokens)

    def read(self, prompts: Sequence[str], max_tokens: int = 512) -> list[Float[Tensor, "n d"]]:
        """What `encode` gives, with gradients."""
        return self._read(self.token_ids(prompts, max_tokens))

    @torch.no_grad()
    def encode_segments(self, segments: Sequence[str], max_tokens: int = 512) -> list[Float[Tensor, "n d"]]:
        """What `encode` gives, of texts that bring their own part of the chat template; each is read by itself."""
        return self._read(self.segment_ids(segments, max_tokens))

    def token_ids(self, prompts: Sequence[str], max_tokens: int) -> list[list[int]]:
        """Each prompt in the chat template, as tokens, at most `max_tokens`."""
        return self.segment_ids([in_chat(prompt) for prompt in prompts], max_tokens)

    def segment_ids(self, segments: Sequence[str], max_tokens: int) -> list[list[int]]:
        """Each text as tokens, at most `max_tokens`."""
        return [encoding.ids[:max_tokens] for encoding in self.tokenizer.encode_batch(list(segments))]

    def _read(self, ids: Sequence[Sequence[int]]) -> list[Float[Tensor, "_ d"]]:
        """Rows are padded on the right and attention is causal, so no token sees padding: a text's features do not
        depend on what else is in the batch."""
        features = self.features(self.padded(ids))
        return [row[: len(own)] for row, own in zip(features, ids, strict=True)]

    def padded(self, ids: Sequence[Sequence[int]]) -> Int[Tensor, "b n"]:
        """Rows of one length on the tower's device, filled up on the right with end-of-text."""
        rows = [torch.tensor(row) for row in ids]
        fill = self.tokenizer.token_to_id(END_OF_TEXT) or 0
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=fill).to(self.device)

    def features(self, ids: Int[Tensor, "b n"]) -> Float[Tensor, "b n d"]:
        """The states before the last layer."""
        return self._through(self.model.layers[:-1], self.model.embed_tokens(ids))

    def next_token_logits(self, features: Float[Tensor, "b n d"]) -> Float[Tensor, "b n vocabulary"]:
        """The rest of the language model, on from its features: position i's logits are for the token after it."""
        state = self.model.norm(self._through(self.model.layers[-1:], features))
        return state @ self.model.embed_tokens.weight.T

    def _through(self, layers: nn.ModuleList, state: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Without a mask, transformers' attention is causal."""
        rotary = self._rotary(state)
        for layer in layers:
            state = layer(state, attention_mask=None, position_embeddings=rotary)
        return state

    def _rotary(self, state: Float[Tensor, "b n d"]) -> tuple[Float[Tensor, "1 n e"], Float[Tensor, "1 n e"]]:
        """cos and sin of every token's angles, from fp32: the model's own table is rounded when it is cast to bf16."""
        config = self.model.config
        theta = config.rope_parameters["rope_theta"]
        exponents = torch.arange(0, config.head_dim, 2, device=state.device).float() / config.head_dim
        positions = torch.arange(state.shape[1], device=state.device).float()
        angles = torch.outer(positions, 1.0 / theta**exponents).repeat(1, 2)[None]
        return angles.cos().to(state.dtype), angles.sin().to(state.dtype)


@torch.no_grad()
def init_weights(tower: TextTower, generator: torch.Generator) -> None:
    """Normal weights of standard deviation 0.02; those that write into the residual stream have less, as in GPT-2."""
    depth = 2 * tower.model.config.num_hidden_layers
    for name, parameter in tower.named_parameters():
        if parameter.ndim == 1:
            nn.init.ones_(parameter)
            continue
        writes = name.endswith(("o_proj.weight", "down_proj.weight"))
        nn.init.normal_(parameter, std=0.02 / depth**0.5 if writes else 0.02, generator=generator)
