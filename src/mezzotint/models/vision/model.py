"""The vision tower: a picture to one feature for each of its patches, as Z-Image Omni reads its references."""

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn
from transformers import Siglip2VisionConfig, Siglip2VisionModel

from mezzotint.models.vision.config import VisionTowerConfig
from mezzotint.models.vision.pictures import Preparation, patches_of


class VisionTower(nn.Module):
    """SigLIP 2 up to its last norm (Tschannen et al. 2025), transformers' own network; pictures of any shape."""

    def __init__(self, config: VisionTowerConfig, preparation: Preparation) -> None:
        super().__init__()
        self.config, self.preparation = config, preparation
        self.model = Siglip2VisionModel(
            Siglip2VisionConfig(**config.to_json(), vision_use_head=False, attn_implementation="sdpa")
        )

    @torch.no_grad()
    def encode(self, pictures: Sequence[Image.Image]) -> list[Float[Tensor, "_ _ d"]]:
        """Features of each picture's patches, "row column d".

        Each goes through alone, so that none is padded; the published code pads them and masks the padding.
        """
        return [self._encode(picture) for picture in pictures]

    def _encode(self, picture: Image.Image) -> Float[Tensor, "row column d"]:
        patches, grid = patches_of(picture, self.preparation)
        at = self.model.embeddings.patch_embedding.weight.device
        output = self.model(
            pixel_values=patches[None].to(at),
            pixel_attention_mask=None,
            spatial_shapes=torch.tensor([grid], device=at),
        )
        return rearrange(output.last_hidden_state[0], "(row column) d -> row column d", row=grid.rows)
