"""LoRAs for Qwen-Image's transformer change its output as PEFT does with the same numbers; outputs are of order one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from peft import inject_adapter_in_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from tests.models.adapters.peft_oracle import largest_difference, loha, lokr, lora, randomize, write
from tests.models.dual_stream.oracle import oracle_velocity, ours, random_inputs, random_oracle, small_config
from torch import Tensor

from mezzotint.errors import FileFormatError
from mezzotint.models.adapters import apply_fused, apply_live, read_lora
from mezzotint.models.dual_stream import DualStreamTransformer

TOLERANCE = 3e-5  # of velocities of order one; the networks alone differ by 2e-6
CONFIG = small_config()
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"]
TARGETS = [*ATTENTION, "net.0.proj", "net.2", "img_mod.1", "txt_mod.1", "img_in", "proj_out"]
INPUTS = random_inputs(CONFIG, [(8, 12)] * 2, [5, 9], [[(4, 4)]] * 2)


@pytest.fixture
def network() -> DualStreamTransformer:
    return ours(random_oracle(CONFIG), CONFIG)


def adapted_oracle(config: Any) -> QwenImageTransformer2DModel:
    """The random oracle with an adapter, every number of it random."""
    oracle = random_oracle(CONFIG)
    inject_adapter_in_model(config, oracle)
    randomize(oracle, 1)
    return oracle.eval()


def state_of(oracle: QwenImageTransformer2DModel) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in get_peft_model_state_dict(oracle).items()}


@torch.no_grad()
def velocity(network: DualStreamTransformer) -> list[Tensor]:
    latents, t, features, references = INPUTS
    return list(network(latents, t, network.embed_captions(features), references))


def check(network: DualStreamTransformer, path: Path, oracle: QwenImageTransformer2DModel, weight: float = 1.0) -> None:
    """Fused and live give what PEFT gives, and afterwards the network is what it was, bit by bit."""
    before = velocity(network)
    weights = dict(network.named_parameters())
    with torch.no_grad():
        expected = oracle_velocity(oracle, *INPUTS)
    assert largest_difference(before, expected) > 0.1
    for apply in (apply_fused, apply_live):
        applied = apply(network, [(read_lora(path), weight)])
        assert largest_difference(velocity(network), expected) < TOLERANCE
        applied.remove()
        assert largest_difference(velocity(network), before) == 0.0
        assert all(parameter is weights[name] for name, parameter in network.named_parameters())


@pytest.mark.parametrize("prefix", ["", "transformer.", "diffusion_model.", "base_model.model."])
def test_names_with_dots(network: DualStreamTransformer, tmp_path: Path, prefix: str) -> None:
    oracle = adapted_oracle(lora(TARGETS))
    state = {f"{prefix}{name}": tensor for name, tensor in state_of(oracle).items()}
    check(network, write(tmp_path / "x.safetensors", state), oracle)


@pytest.mark.parametrize("prefix", ["lora_unet_", "lycoris_", "lora_transformer_"])
def test_flat_names_with_alpha(network: DualStreamTransformer, tmp_path: Path, prefix: str) -> None:
    oracle = adapted_oracle(lora(TARGETS, rank=4, alpha=2))
    state = {}
    for name, tensor in state_of(oracle).items():
        module, _, role = name.partition(".lora_")
        flat = prefix + module.replace(".", "_")
        state[f"{flat}.lora_{'down' if role[0] == 'A' else 'up'}.weight"] = tensor
        state[f"{flat}.alpha"] = torch.tensor(2.0)
    check(network, write(tmp_path / "x.safetensors", state), oracle)


def test_a_file_of_diffusers(network: DualStreamTransformer, tmp_path: Path) -> None:
    oracle = random_oracle(CONFIG)
    oracle.add_adapter(lora(TARGETS, rank=4, alpha=3))
    randomize(oracle, 1)
    oracle.save_lora_adapter(tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    check(network, path, oracle.eval())


@pytest.mark.parametrize(
    "config",
    [lora(TARGETS, alpha=2), loha(), lokr(), lora(TARGETS, alpha=8, use_dora=True)],
    ids=["lora", "loha", "lokr", "dora"],
)
def test_a_folder_of_peft(network: DualStreamTransformer, tmp_path: Path, config: Any) -> None:
    oracle = adapted_oracle(config)
    save_file(
        {f"base_model.model.{name}": tensor for name, tensor in state_of(oracle).items()},
        tmp_path / "adapter_model.safetensors",
    )
    config.save_pretrained(tmp_path)
    check(network, tmp_path, oracle)


def test_a_weight(network: DualStreamTransformer, tmp_path: Path) -> None:
    oracle = random_oracle(CONFIG)
    oracle.add_adapter(lora(TARGETS))
    randomize(oracle, 1)
    path = write(tmp_path / "x.safetensors", state_of(oracle))
    oracle.set_adapters(["default"], [0.6])
    check(network, path, oracle.eval(), 0.6)


def test_a_lora_of_z_image_is_refused(network: DualStreamTransformer, tmp_path: Path) -> None:
    state = {f"layers.0.attention.to_q.lora_{role}.weight": torch.zeros(1, 1) for role in "AB"}
    with pytest.raises(FileFormatError, match="the network has none; unknown are layers_0_attention_to_q"):
        apply_fused(network, [(read_lora(write(tmp_path / "x.safetensors", state)), 1.0)])
