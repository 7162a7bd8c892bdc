import torch
from tests.models.vision.small_tower import CONFIG, random_tower
from transformers import Siglip2Config, Siglip2Model, Siglip2VisionConfig, Siglip2VisionModel

from mezzotint.models.vision import from_published


def test_every_published_layout_is_read() -> None:
    """Of the tower with and without its head, with the prefix of older files, and beside a text encoder."""
    wanted = {name: tensor.shape for name, tensor in random_tower().state_dict().items()}
    vision = Siglip2VisionConfig(**CONFIG.to_json())
    bare = Siglip2VisionModel(vision).state_dict()
    headless = {name: tensor for name, tensor in bare.items() if not name.startswith("head.")}
    prefixed = {f"vision_model.{name}": tensor for name, tensor in bare.items()}
    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    with torch.device("meta"):
        both = Siglip2Model(Siglip2Config(vision_config=vision.to_dict(), text_config=small)).state_dict()
    assert any(name.startswith("text_model.") for name in both)
    for published in (bare, headless, prefixed, both):
        assert {name: tensor.shape for name, tensor in from_published(published).items()} == wanted
