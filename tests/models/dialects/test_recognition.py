from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderKLQwenImage
from diffusers.loaders.single_file_utils import (
    convert_ldm_vae_checkpoint,
    convert_wan_vae_to_diffusers,
    convert_z_image_transformer_checkpoint_to_diffusers,
)
from tests.models.adapters.control.oracle import RELEASES, control_config, random_control
from tests.models.single_stream.oracle import random_oracle, small_config
from tests.models.vision_language.small_tower import small_tokenizer, small_tower
from torch import Tensor

from mezzotint.errors import FileFormatError
from mezzotint.models.adapters.control import ControlConfig
from mezzotint.models.dialects import (
    Dialect,
    Stored,
    control,
    guess,
    qwen2_5_vl,
    qwen2_5_vl_vision,
    qwen3,
    qwen_image,
    qwen_image_autoencoder,
    recognize,
    require,
    z_image,
)
from mezzotint.models.dialects import autoencoder as vae_names
from mezzotint.models.formats import StoredTensor
from mezzotint.models.vision_language import QWEN2_5_VL_7B, VisionLanguageConfig, VisionLanguageTower, to_published


def stored(state: dict[str, Tensor]) -> dict[str, StoredTensor]:
    return {
        name: StoredTensor("F32", tuple(tensor.shape), tensor.nbytes, lambda dtype, tensor=tensor: tensor)  # type: ignore[misc]
        for name, tensor in state.items()
    }


def read(tensors: Stored) -> dict[str, Tensor]:
    return {name: tensor.read(None) for name, tensor in tensors.items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def transformer() -> dict[str, Tensor]:
    """Sorted, as files are: keys before queries."""
    return dict(sorted(random_oracle(small_config()).state_dict().items()))


@pytest.fixture(scope="module")
def vae() -> dict[str, Tensor]:
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 3, "up_block_types": ["UpDecoderBlock2D"] * 3}
    model = AutoencoderKL(
        **blocks,
        block_out_channels=(4, 8, 12),
        norm_num_groups=2,
        layers_per_block=2,
        latent_channels=4,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    return model.state_dict()


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "diffusion_model."])
def test_z_image_in_the_original_layout_is_what_diffusers_takes_it_for(
    transformer: dict[str, Tensor], prefix: str
) -> None:
    original = {prefix + name: tensor for name, tensor in z_image.from_published(stored(transformer)).items()}
    assert f"{prefix}layers.1.attention.qkv.weight" in original
    (found,) = recognize(original)
    assert (found.dialect, found.prefix) == (z_image.ORIGINAL, prefix)
    assert equal(read(found.published), transformer)
    checkpoint = {f"model.diffusion_model.{name}": x for name, x in read(found.tensors).items()}
    checkpoint["norm_final.weight"] = torch.ones(1)
    assert equal(convert_z_image_transformer_checkpoint_to_diffusers(dict(checkpoint)), transformer)
    assert "norm_final.weight" not in z_image.to_published(found.tensors | stored({"norm_final.weight": torch.ones(1)}))


def test_sizes_are_told_by_shapes(transformer: dict[str, Tensor]) -> None:
    config = small_config(2, (12, 18, 18))
    found = z_image.config(stored(random_oracle(config).state_dict()))
    assert found | {"axes_lens": [256, 32, 32]} == config.to_json() | {"all_f_patch_size": [1]}


def test_an_autoencoder_of_latent_diffusion_is_what_diffusers_takes_it_for(vae: dict[str, Tensor]) -> None:
    ldm = vae_names.from_published(stored(vae))
    (found,) = recognize(ldm)
    assert found.dialect is vae_names.LATENT_DIFFUSION
    assert equal(read(found.published), vae)
    config = vae_names.config(found.published)
    assert config["block_out_channels"] == [4, 8, 12]
    assert (config["layers_per_block"], config["latent_channels"]) == (2, 4)
    assert equal(convert_ldm_vae_checkpoint(read(ldm), config), vae)


def qwen3_names() -> dict[str, Tensor]:
    from transformers import Qwen3Config, Qwen3Model

    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = Qwen3Model(Qwen3Config(**sizes, vocab_size=50, head_dim=8, num_key_value_heads=2))
    return {f"model.{name}": tensor for name, tensor in model.state_dict().items()}


def test_qwen3_in_three_dialects() -> None:
    published = qwen3_names()
    for dialect in (qwen3.PUBLISHED, qwen3.BARE, qwen3.LLAMA):
        names = dialect.from_published(stored(published)) | stored({qwen3.OUTPUT[0]: torch.ones(1)})
        (found,) = recognize(names)
        assert found.dialect is dialect
        assert equal(read(found.published), published)
    config = qwen3.config(stored(published))
    assert (config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]) == (4, 2, 8)
    assert (config["vocab_size"], config["num_hidden_layers"], config["intermediate_size"]) == (50, 2, 24)


def test_llama_cpps_names_are_the_librarys() -> None:
    """The `gguf` package's own table of tensor names agrees on every tensor of the network."""
    from gguf import MODEL_ARCH, get_tensor_name_map

    table = get_tensor_name_map(MODEL_ARCH.QWEN3, 2)
    llama = qwen3.to_llama(stored(qwen3_names()))
    assert list(llama) == [table.get_name(name, (".weight",)) for name in qwen3_names()]


def test_qwen_image() -> None:
    from diffusers import QwenImageTransformer2DModel

    sizes = {"num_layers": 2, "attention_head_dim": 32, "num_attention_heads": 3, "joint_attention_dim": 20}
    model = QwenImageTransformer2DModel(**sizes, axes_dims_rope=(4, 14, 14))
    prefixed = {f"model.diffusion_model.{name}": tensor for name, tensor in model.state_dict().items()}
    (found,) = recognize(stored(prefixed))
    assert found.dialect is qwen_image.DIFFUSERS
    config = qwen_image.config(found.published)
    assert all(config[name] == value for name, value in sizes.items())
    assert config["axes_dims_rope"] == [4, 14, 14]


def qwen2_5_vl_names() -> dict[str, Tensor]:
    return to_published(small_tower().state_dict())


def test_qwen2_5_vl_in_three_dialects() -> None:
    published = qwen2_5_vl_names()
    language = {name: tensor for name, tensor in published.items() if not name.startswith("visual.")}
    for dialect, held in (
        (qwen2_5_vl.RELEASED, published),
        (qwen2_5_vl.NESTED_NAMES, published),
        (qwen2_5_vl.LLAMA, language),
    ):
        names = dialect.from_published(stored(published)) | stored({qwen3.OUTPUT[0]: torch.ones(1)})
        (found,) = recognize(names)
        assert found.dialect is dialect
        assert equal(read(found.published), held)


def test_sizes_of_qwen2_5_vl_are_told_by_shapes() -> None:
    config = QWEN2_5_VL_7B.to_json()
    with torch.device("meta"):
        state = to_published(VisionLanguageTower(QWEN2_5_VL_7B, small_tokenizer()).state_dict())
    assert VisionLanguageConfig.from_json(qwen2_5_vl.config(stored(state))) == QWEN2_5_VL_7B
    language = {name: tensor for name, tensor in state.items() if not name.startswith("visual.")}
    told = VisionLanguageConfig.from_json(qwen2_5_vl.config(stored(language)))
    assert told == VisionLanguageConfig.from_json(config | {"vision_config": None})
    with pytest.raises(FileFormatError, match=r"embed_tokens\.weight' is missing"):
        qwen2_5_vl.config(stored({"visual.blocks.0.norm1.weight": torch.ones(1)}))


def test_llama_cpps_names_of_qwen2_5_vl_are_the_librarys() -> None:
    from gguf import MODEL_ARCH, get_tensor_name_map

    table = get_tensor_name_map(MODEL_ARCH.QWEN2VL, 3)
    language = {name: tensor for name, tensor in qwen2_5_vl_names().items() if not name.startswith("visual.")}
    llama = qwen2_5_vl.to_llama(stored(language))
    assert list(llama) == [table.get_name(name, (".weight", ".bias")) for name in language]


def test_llama_cpps_names_of_qwen2_5_vls_vision_are_the_librarys() -> None:
    from gguf import MODEL_ARCH, get_tensor_name_map

    table = get_tensor_name_map(MODEL_ARCH.MMPROJ, 3)
    vision = {name: tensor for name, tensor in qwen2_5_vl_names().items() if name.startswith("visual.")}
    llama = qwen2_5_vl_vision.to_llama(stored(vision))
    split = [
        name.replace("attn.qkv", f"attn.{part}")
        for name in vision
        for part in (("q", "k", "v") if "attn.qkv" in name else ("qkv",))
    ]
    expected = {table.get_name(name, (".weight", ".bias")) for name in split}
    assert set(llama) == expected | {"v.patch_embd.weight.1"}
    (found,) = recognize(llama)
    assert found.dialect is qwen2_5_vl_vision.LLAMA
    assert equal(read(found.published), vision)
    config = VisionLanguageConfig.from_json(small_tower().config.to_json() | found.dialect.config(found.published))
    assert config.vision is not None
    assert (config.vision.depth, config.vision.patch_size, config.vision.out_hidden_size) == (3, 4, 48)


def test_half_a_vision_tower_is_refused() -> None:
    vision = {name: tensor for name, tensor in qwen2_5_vl_names().items() if name.startswith("visual.")}
    llama = qwen2_5_vl_vision.to_llama(stored(vision))
    for missing in ("v.patch_embd.weight.1", "v.blk.1.attn_k.bias"):
        with pytest.raises(FileFormatError, match=f"{missing} is missing"):
            qwen2_5_vl_vision.from_llama({name: tensor for name, tensor in llama.items() if name != missing})


def test_qwen_images_autoencoder_in_the_original_layout_is_what_diffusers_takes_it_for() -> None:
    model = AutoencoderKLQwenImage(base_dim=4)
    published = model.state_dict()
    original = qwen_image_autoencoder.from_published(stored(published))
    (found,) = recognize(original)
    assert found.dialect is qwen_image_autoencoder.ORIGINAL
    assert equal(read(found.published), published)
    assert equal(convert_wan_vae_to_diffusers(read(original)), published)
    (same,) = recognize(stored(published))
    assert same.dialect is qwen_image_autoencoder.DIFFUSERS


@pytest.mark.parametrize(
    "sizes", [{}, {"num_res_blocks": 1, "dim_mult": [1, 3], "temperal_downsample": [True]}, {"dim_mult": [1, 2, 2, 5]}]
)
def test_sizes_of_qwen_images_autoencoder_are_told_by_shapes(sizes: dict[str, object]) -> None:
    model = AutoencoderKLQwenImage(base_dim=4, **sizes)
    original = qwen_image_autoencoder.from_published(stored(model.state_dict()))
    published = qwen_image_autoencoder.to_published(original)
    assert equal(read(published), model.state_dict())
    config = qwen_image_autoencoder.config(published)
    assert {name: model.config[name] for name in config if name != "_class_name"} | {
        "_class_name": "AutoencoderKLQwenImage"
    } == config


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("dialect", [control.DIFFUSERS, control.ORIGINAL], ids=["diffusers", "original"])
def test_controlnets(release: str, dialect: Dialect) -> None:
    network = replace(small_config(), n_layers=4)
    sizes = control_config(release, network)
    published = random_control(sizes).state_dict()
    (found,) = recognize(dialect.from_published(stored(published)))
    assert (found.dialect, found.dialect.component) == (dialect, "controlnet")
    assert equal(read(found.published), published)
    assert ControlConfig.from_json(control.config(found.published), network) == sizes


def test_a_controlnets_untrained_refiner() -> None:
    published = random_control(control_config("2.1", replace(small_config(), n_layers=4))).state_dict()
    assert control.config(stored(published))["add_control_noise_refiner"] == "control_noise_refiner"
    published["control_noise_refiner.0.before_proj.weight"].zero_()
    assert control.config(stored(published))["add_control_noise_refiner"] == "control_layers"
    with pytest.raises(FileFormatError, match="the sizes of a ControlNet for Z-Image cannot be told"):
        control.config({})


def test_one_file_with_everything(transformer: dict[str, Tensor], vae: dict[str, Tensor]) -> None:
    names = {f"model.diffusion_model.{name}": x for name, x in z_image.from_published(stored(transformer)).items()}
    names |= {f"vae.{name}": x for name, x in vae_names.from_published(stored(vae)).items()}
    names |= {f"text_encoders.qwen3_4b.transformer.{name}": x for name, x in stored(qwen3_names()).items()}
    found = {one.dialect.component: one for one in recognize(names)}
    assert found.keys() == {"transformer", "vae", "text_encoder"}
    assert equal(read(found["transformer"].published), transformer)
    assert equal(read(found["vae"].published), vae)
    assert found["text_encoder"].published.keys() == qwen3_names().keys()


class TestStrangers:
    @pytest.mark.parametrize(
        ("names", "what"),
        [
            (["double_blocks.0.img_attn.qkv.weight"], "a FLUX transformer"),
            (["lora_unet_layers_0_attention_to_q.lora_down.weight"], "a LoRA"),
            (["layers.0.attention.to_q.lokr_w1"], "a LoRA (LoKr)"),
            (["model.diffusion_model.input_blocks.0.0.weight"], "a Stable Diffusion U-Net"),
            (["model.layers.0.self_attn.q_proj.weight"], "a language model other than Qwen3"),
            (["vision_model.embeddings.patch_embedding.weight"], "a CLIP or SigLIP vision tower"),
            (["a", "b", "c", "d"], "something else (a, b, c and 1 more)"),
            ([], "empty"),
        ],
    )
    def test_what_they_seem_to_be(self, names: list[str], what: str) -> None:
        assert guess(names) == what
        assert recognize(stored({name: torch.ones(1) for name in names})) == []
        with pytest.raises(FileFormatError, match=r"x holds no transformer that is known here; it seems to be"):
            require(stored({name: torch.ones(1) for name in names}), "transformer", Path("x"))

    def test_lumina_is_not_z_image(self, transformer: dict[str, Tensor]) -> None:
        original = z_image.from_published(stored(transformer))
        lumina = {name: tensor for name, tensor in original.items() if "pad_token" not in name}
        assert recognize(lumina) == []
        assert guess(lumina) == "a Lumina transformer"

    def test_another_component(self, vae: dict[str, Tensor]) -> None:
        with pytest.raises(FileFormatError, match=r"x holds no transformer .* it holds AutoencoderKL"):
            require(stored(vae), "transformer", Path("x"))

    def test_queries_that_do_not_divide(self) -> None:
        with pytest.raises(FileFormatError, match=r"layers.0.attention.qkv.weight \[4, 2\] is not made of queries"):
            z_image.to_published(stored({"layers.0.attention.qkv.weight": torch.ones(4, 2)}))
        with pytest.raises(FileFormatError, match=r"to_k\.weight is missing beside"):
            z_image.from_published(stored({"layers.0.attention.to_q.weight": torch.ones(4, 2)}))
