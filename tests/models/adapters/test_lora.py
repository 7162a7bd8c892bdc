"""Every dialect changes the output as PEFT does with the same numbers; outputs are of order one."""

import json
import warnings
from pathlib import Path

import pytest
import torch
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from tests.models.adapters.peft_oracle import (
    ATTENTION,
    CONFIG,
    adapted_oracle,
    largest_difference,
    loha,
    lokr,
    lora,
    randomize,
    state_of,
    velocity_of_oracle,
    velocity_of_ours,
    write,
)
from tests.models.single_stream.oracle import ours, random_oracle, small_config
from torch import Tensor

from mezzotint.errors import FileFormatError
from mezzotint.models.adapters import apply_fused, apply_live, read_lora
from mezzotint.models.single_stream import SingleStreamTransformer

TOLERANCE = 3e-5  # of velocities of order one; the networks alone differ by 2e-6


@pytest.fixture
def network() -> SingleStreamTransformer:
    return ours(random_oracle(CONFIG), CONFIG)


def check(network: SingleStreamTransformer, files: list[tuple[Path, float]], expected: list[Tensor]) -> None:
    """Fused and live give what PEFT gives, and afterwards the network is what it was, bit by bit."""
    before = velocity_of_ours(network)
    weights = dict(network.named_parameters())
    loras = [(read_lora(path), weight) for path, weight in files]
    assert largest_difference(before, expected) > 0.1
    for apply in (apply_fused, apply_live):
        applied = apply(network, loras)
        assert largest_difference(velocity_of_ours(network), expected) < TOLERANCE
        applied.remove()
        assert largest_difference(velocity_of_ours(network), before) == 0.0
        assert all(parameter is weights[name] for name, parameter in network.named_parameters())


def renamed(state: dict[str, Tensor], prefix: str, *, flat: bool = False, **roles: str) -> dict[str, Tensor]:
    """A diffusers state in another trainer's names."""
    found = {}
    for name, tensor in state.items():
        module, _, role = name.partition(".lora_")
        key, _, kind = role.partition(".")
        module = module.replace(".", "_") if flat else module
        found[f"{prefix}{module}.{roles.get(key, f'lora_{key}')}{'.' + kind if kind else ''}"] = tensor
    return found


DOWN_UP = {"A": "lora_down", "B": "lora_up"}


@pytest.mark.parametrize(
    ("prefix", "flat", "roles"),
    [
        ("", False, {}),
        ("transformer.", False, {}),
        ("base_model.model.", False, {}),
        ("diffusion_model.", False, {}),
        ("diffusion_model.", False, DOWN_UP),
        ("lora_unet_", True, DOWN_UP),
        ("lycoris_", True, DOWN_UP),
        ("transformer.", False, {"A": "lora.down", "B": "lora.up"}),
        ("", False, {"A": "lora_linear_layer.down", "B": "lora_linear_layer.up"}),
        ("", False, {"A": "lora_A.default", "B": "lora_B.default"}),
    ],
)
def test_names_without_alpha(
    network: SingleStreamTransformer, tmp_path: Path, prefix: str, flat: bool, roles: dict[str, str]
) -> None:
    oracle = adapted_oracle(lora(rank=4, alpha=4))
    path = write(tmp_path / "lora.safetensors", renamed(state_of(oracle), prefix, flat=flat, **roles))
    check(network, [(path, 1.0)], velocity_of_oracle(oracle))


def test_kohya_with_alpha(network: SingleStreamTransformer, tmp_path: Path) -> None:
    oracle = adapted_oracle(lora(rank=4, alpha=2))
    state = renamed(state_of(oracle), "lora_unet_", flat=True, **DOWN_UP)
    state |= {name.partition(".")[0] + ".alpha": torch.tensor(2.0) for name in list(state)}
    check(network, [(write(tmp_path / "x.safetensors", state), 1.0)], velocity_of_oracle(oracle))


def fused(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """q, k and v of one block as one LoRA of three times the rank, on the original layout's matrix."""
    found = {}
    for name in [name for name in state if name.endswith("to_q.lora_A.weight")]:
        block = name.removesuffix("to_q.lora_A.weight")
        downs = [state[f"{block}to_{part}.lora_A.weight"] for part in "qkv"]
        ups = [state[f"{block}to_{part}.lora_B.weight"] for part in "qkv"]
        found[f"{block}qkv.lora_down.weight"] = torch.cat(downs)
        found[f"{block}qkv.lora_up.weight"] = torch.block_diag(*ups)
        for role, kind in (("A", "down"), ("B", "up")):
            found[f"{block}out.lora_{kind}.weight"] = state[f"{block}to_out.0.lora_{role}.weight"]
    return found


@pytest.mark.parametrize(("prefix", "flat"), [("diffusion_model.", False), ("lora_unet_", True)])
def test_fused_queries_keys_and_values(
    network: SingleStreamTransformer, tmp_path: Path, prefix: str, flat: bool
) -> None:
    oracle = adapted_oracle(lora(ATTENTION))
    state = fused(state_of(oracle))
    if flat:
        state = {"_".join((parts := name.rsplit(".", 2))[0].split(".")) + "." + ".".join(parts[1:]): x
                 for name, x in state.items()}  # fmt: skip
    state = {prefix + name: tensor for name, tensor in state.items()}
    check(network, [(write(tmp_path / "x.safetensors", state), 1.0)], velocity_of_oracle(oracle))


def test_what_stands_both_fused_and_split_counts_once(network: SingleStreamTransformer, tmp_path: Path) -> None:
    oracle = adapted_oracle(lora(ATTENTION))
    state = state_of(oracle)
    path = write(tmp_path / "x.safetensors", state | fused(state))
    check(network, [(path, 1.0)], velocity_of_oracle(oracle))


@pytest.mark.parametrize(
    "options", [{}, {"use_rslora": True}, {"rank_pattern": {"to_q": 2}, "alpha_pattern": {"w1": 9}}]
)
def test_files_of_diffusers(network: SingleStreamTransformer, tmp_path: Path, options: dict[str, object]) -> None:
    """`save_lora_adapter` writes no alpha tensors: what it says in the header counts."""
    oracle = random_oracle(CONFIG)
    oracle.add_adapter(lora(rank=4, alpha=3, **options))
    randomize(oracle, 1)
    oracle.save_lora_adapter(tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    check(network, [(path, 1.0)], velocity_of_oracle(oracle.eval()))


@pytest.mark.parametrize(
    "config", [lora(alpha=2), loha(), lokr(), lora(alpha=8, use_dora=True)], ids=["lora", "loha", "lokr", "dora"]
)
def test_folders_of_peft(network: SingleStreamTransformer, tmp_path: Path, config: object) -> None:
    oracle = adapted_oracle(config)
    state = {f"base_model.model.{name}": x.contiguous() for name, x in get_peft_model_state_dict(oracle).items()}
    save_file(state, tmp_path / "adapter_model.safetensors")
    config.save_pretrained(tmp_path)  # type: ignore[attr-defined]
    check(network, [(tmp_path, 1.0)], velocity_of_oracle(oracle))


@pytest.mark.parametrize(
    "config",
    [loha(alpha=6), lokr(alpha=6), lokr(alpha=6, decompose_both=True, rank=2)],
    ids=["loha", "lokr", "lokr of two products"],
)
def test_lycoris_with_alpha(network: SingleStreamTransformer, tmp_path: Path, config: object) -> None:
    oracle = adapted_oracle(config)
    state = {}
    for name, tensor in state_of(oracle).items():
        module, _, role = name.rpartition(".")
        flat = "lycoris_" + module.replace(".", "_")
        state[f"{flat}.{role}"] = tensor
        state[f"{flat}.alpha"] = torch.tensor(6.0)
    check(network, [(write(tmp_path / "x.safetensors", state), 1.0)], velocity_of_oracle(oracle))


def test_dora_in_kohyas_names(network: SingleStreamTransformer, tmp_path: Path) -> None:
    oracle = adapted_oracle(lora(alpha=4, use_dora=True))
    state = {}
    for name, tensor in state_of(oracle).items():
        module, _, role = name.partition(".lora_")
        kind = {"A.weight": "lora_down.weight", "B.weight": "lora_up.weight"}.get(role, "dora_scale")
        state[f"lora_unet_{module.replace('.', '_')}.{kind}"] = tensor[:, None] if kind == "dora_scale" else tensor
    check(network, [(write(tmp_path / "x.safetensors", state), 1.0)], velocity_of_oracle(oracle))


def test_a_magnitude_of_columns() -> None:
    """LyCORIS may norm over a matrix's outputs: m · W' / ‖W'‖ by columns."""
    from mezzotint.models.adapters.forms import Change, LowRank

    generator = torch.Generator().manual_seed(0)
    weight, magnitude = torch.randn(5, 4, generator=generator), torch.rand(1, 4, generator=generator)
    form = LowRank(torch.randn(2, 4, generator=generator), torch.randn(5, 2, generator=generator), 0.5)
    order = torch.randperm(5, generator=generator)
    adapted = weight + form.delta()[order]
    expected = magnitude * adapted / adapted.norm(dim=0, keepdim=True)
    assert torch.allclose(weight + Change(form, magnitude).of(weight, 1.0, order), expected)


def test_a_dora_with_a_weight(network: SingleStreamTransformer, tmp_path: Path) -> None:
    oracle = random_oracle(CONFIG)
    oracle.add_adapter(lora(use_dora=True))
    randomize(oracle, 1)
    path = write(tmp_path / "x.safetensors", state_of(oracle))
    oracle.set_adapters(["default"], [0.6])
    check(network, [(path, 0.6)], velocity_of_oracle(oracle.eval()))


def test_several_with_weights(network: SingleStreamTransformer, tmp_path: Path) -> None:
    files = []
    oracle = random_oracle(CONFIG)
    for i, config in enumerate([lora(alpha=4), lora(ATTENTION, rank=2, alpha=2)]):
        name = f"adapter{i}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PEFT warns of a second adapter, which is what is wanted
            oracle.add_adapter(config, adapter_name=name)
    randomize(oracle, 3)
    for i in range(2):
        state = get_peft_model_state_dict(oracle, adapter_name=f"adapter{i}")
        state = {key: tensor.contiguous() for key, tensor in state.items()}
        files.append(write(tmp_path / f"{i}.safetensors", state))
    oracle.set_adapters(["adapter0", "adapter1"], [0.7, -0.4])
    check(network, list(zip(files, [0.7, -0.4], strict=True)), velocity_of_oracle(oracle.eval()))


class TestRefused:
    def test_another_networks_lora(self, network: SingleStreamTransformer, tmp_path: Path) -> None:
        state = {
            f"lora_unet_double_blocks_{i}_img_attn_qkv.lora_{kind}.weight": torch.zeros(2, 2)
            for i in range(5)
            for kind in ("down", "up")
        }
        found = read_lora(write(tmp_path / "flux.safetensors", state))
        with pytest.raises(FileFormatError) as caught:
            apply_fused(network, [(found, 1.0)])
        assert str(caught.value) == (
            f"{tmp_path / 'flux.safetensors'}: of the 5 modules of this LoRA the network has none; unknown are "
            "double_blocks_0_img_attn_qkv, double_blocks_1_img_attn_qkv, double_blocks_2_img_attn_qkv and 2 more"
        )

    def test_a_lora_of_another_size(self, tmp_path: Path) -> None:
        larger = small_config(4)
        path = write(tmp_path / "x.safetensors", state_of(adapted_oracle(lora())))
        with pytest.raises(FileFormatError, match=r"changes a matrix of \[.*\], not \["):
            apply_live(ours(random_oracle(larger), larger), [(read_lora(path), 1.0)])

    def test_a_lora_that_fits_in_part(self, network: SingleStreamTransformer, tmp_path: Path) -> None:
        state = state_of(adapted_oracle(lora(["to_q"])))
        extra = {f"text_encoder.q_proj.lora_{role}.weight": torch.zeros(1, 1) for role in "AB"}
        found = read_lora(write(tmp_path / "x.safetensors", state | extra))
        with pytest.raises(FileFormatError, match="the network has only 6; unknown are text_encoder_q_proj"):
            apply_fused(network, [(found, 1.0)])

    @pytest.mark.parametrize(
        ("state", "reason"),
        [
            ({"a.weight": torch.zeros(2)}, "'a.weight' belongs to no kind of LoRA"),
            ({"a.lora_A.weight": torch.zeros(2, 2)}, "a has down but no up"),
            ({"a.lokr_w1": torch.zeros(2, 2)}, "a has lokr_w1 but no lokr_w2_a"),
            ({"a.hada_w1_a": torch.zeros(2, 2)}, "a has hada_w1_a but no hada_w1_b"),
            ({"a.lora_A.weight": torch.zeros(2, 2), "a.lora_B.weight": torch.zeros(2, 3)}, "which have no product"),
            ({"a.lora_A.weight": torch.zeros(2, 2, 3, 3)}, "is not for a linear layer"),
            (
                {"a.lora_A.weight": torch.zeros(2, 2), "a.lora_B.weight": torch.zeros(2, 2), "a.alpha": torch.ones(3)},
                "alpha of a is not one number",
            ),
            (
                {
                    "a.lora_A.weight": torch.zeros(1, 2),
                    "a.lora_B.weight": torch.zeros(2, 1),
                    "a.dora_scale": torch.ones(3),
                },
                "a has magnitudes of",
            ),
        ],
    )
    def test_broken_files(self, tmp_path: Path, state: dict[str, Tensor], reason: str) -> None:
        with pytest.raises(FileFormatError, match=reason):
            read_lora(write(tmp_path / "x.safetensors", state))

    def test_broken_notes(self, tmp_path: Path) -> None:
        state = {"a.lora_A.weight": torch.zeros(1, 2), "a.lora_B.weight": torch.zeros(2, 1)}
        wrong = ({"r": "x", "lora_alpha": "y"}, {"r": -1, "lora_alpha": 1, "use_rslora": True}, {"rank_pattern": [1]})
        for note in ("{", "[]", *map(json.dumps, wrong)):
            save_file(state, tmp_path / "x.safetensors", metadata={"lora_adapter_metadata": note})
            with pytest.raises(FileFormatError):
                read_lora(tmp_path / "x.safetensors")

    def test_a_pickle(self, tmp_path: Path) -> None:
        torch.save({}, tmp_path / "x.pt")
        with pytest.raises(FileFormatError, match="is a pickle"):
            read_lora(tmp_path / "x.pt")
