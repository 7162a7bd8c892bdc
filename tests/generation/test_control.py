import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from diffusers import ZImageControlNetInpaintPipeline, ZImageControlNetModel, ZImageControlNetPipeline
from safetensors.torch import load_file, save_file
from tests.generation.oracle import assert_parity, opened_by_diffusers
from tests.generation.pictures import photograph, right_half
from tests.generation.tiny_control import write_controls
from tests.generation.tiny_model import TRANSFORMER, write_model
from tests.models.adapters.control.oracle import RELEASES, control_config
from torch import Tensor

from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.generation.control import load_control
from mezzotint.generation.parallel import parallelize
from mezzotint.generation.pipeline import Pipeline
from mezzotint.models.conversion import convert
from mezzotint.models.dialects.control import ORIGINAL
from mezzotint.models.formats import open_weights

PROMPTS = ["a red disc", "two blue boxes on a large yellow table"]
LINES, IMAGE, MASK = photograph(90, 70), photograph(64, 48), right_half(64, 48)
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def controls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_controls(tmp_path_factory.mktemp("controls"))


def pipes(model: Path, control: Path, kind: Any) -> tuple[Pipeline, Any]:
    """Ours and theirs with the same ControlNet."""
    theirs = opened_by_diffusers(model, kind, controlnet=ZImageControlNetModel.from_pretrained(control))
    return Pipeline.from_pretrained(model, "cpu", "float32", controlnet=control), theirs


@pytest.fixture(scope="module")
def led(model: Path, controls: dict[str, Path]) -> Pipeline:
    return Pipeline.from_pretrained(model, "cpu", "float32", controlnet=controls["2.1"])


class TestDiffusers:
    @pytest.mark.parametrize("release", RELEASES)
    def test_the_same_pictures(self, model: Path, controls: dict[str, Path], release: str) -> None:
        pipe, theirs = pipes(model, controls[release], ZImageControlNetPipeline)
        common: dict[str, Any] = {"control_image": LINES, "controlnet_conditioning_scale": 0.8, "output_type": "np"}
        common |= {"num_inference_steps": 4, "guidance_scale": 2.0, "width": 64, "height": 48}
        common["latents"] = torch.randn(2, 16, 6, 8, generator=torch.Generator().manual_seed(3))
        assert_parity(
            f"Z-Image with ControlNet {release}",
            pipe,
            theirs,
            lambda: pipe(PROMPTS, **common),
            lambda: theirs(list(PROMPTS), **common),
        )

    @pytest.mark.parametrize("release", ["2.0", "2.1"])
    def test_the_same_inpainted_pictures(self, model: Path, controls: dict[str, Path], release: str) -> None:
        pipe, theirs = pipes(model, controls[release], ZImageControlNetInpaintPipeline)
        common: dict[str, Any] = {"image": IMAGE, "mask_image": MASK, "control_image": LINES, "output_type": "np"}
        common |= {"num_inference_steps": 4, "guidance_scale": 2.0, "width": 64, "height": 48}
        assert_parity(
            f"Z-Image with ControlNet {release}, inpainting",
            pipe,
            theirs,
            lambda: pipe(PROMPTS[0], seed=7, **common),
            lambda: theirs(PROMPTS[0], generator=torch.Generator().manual_seed(7), **common),
        )


class TestCalls:
    def paint(self, pipe: Pipeline, **options: Any) -> np.ndarray[Any, Any]:
        options = {"seed": 3, "num_inference_steps": 2, "output_type": "np"} | options
        return np.asarray(pipe(PROMPTS[0], **options).images)

    def test_without_a_control_image_it_is_the_model_alone(self, model: Path, led: Pipeline) -> None:
        alone = Pipeline.from_pretrained(model, "cpu", "float32")
        np.testing.assert_array_equal(self.paint(led), self.paint(alone))
        painted = self.paint(led, control_image=LINES)
        assert np.abs(painted - self.paint(alone)).max() > 8 / 255
        unled = self.paint(led, control_image=LINES, controlnet_conditioning_scale=0.0)
        np.testing.assert_allclose(unled, self.paint(alone), atol=1e-4)

    def test_the_image_to_begin_with_may_be_led_too(self, led: Pipeline) -> None:
        begun = self.paint(led, image=IMAGE, strength=0.5)
        painted = self.paint(led, image=IMAGE, strength=0.5, control_image=LINES)
        assert painted.shape == begun.shape == (1, 48, 64, 3)
        assert np.abs(painted - begun).max() > 8 / 255

    def test_bfloat16_is_near(self, model: Path, controls: dict[str, Path], led: Pipeline) -> None:
        small = Pipeline.from_pretrained(model, "cpu", "bfloat16", controlnet=controls["2.1"])
        one, other = (self.paint(pipe, control_image=LINES, output_type="latent") for pipe in (small, led))
        assert 0 < np.abs(one - other).mean() < 0.1

    def test_its_name_and_weights_are_the_models(self, model: Path, led: Pipeline) -> None:
        assert led.name == "tiny + 2.1"
        assert led.digest != Pipeline.from_pretrained(model, "cpu").digest

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"control_image": "lines.png"}, "control_image is a str; it must be a PIL.Image"),
            ({"control_image": LINES, "controlnet_conditioning_scale": float("nan")}, "the control scale is nan"),
            ({"control_image": LINES, "image": IMAGE, "mask_image": MASK, "strength": 0.5}, "leave strength out"),
            ({"control_image": LINES, "width": 0}, "width is 0; it must be a multiple of 16"),
            ({"control_image": LINES, "image": photograph(9, 40)}, "width is 0"),
        ],
    )
    def test_the_impossible_is_refused(self, led: Pipeline, options: dict[str, Any], reason: str) -> None:
        with pytest.raises(InputError, match=reason):
            led(PROMPTS[0], **options)

    def test_tokens_are_not_divided(self, led: Pipeline) -> None:
        with pytest.raises(InputError, match="with guidance parallelism"):
            parallelize(led.model, "sequence", MagicMock())

    def test_a_control_image_without_a_controlnet(self, model: Path) -> None:
        with pytest.raises(InputError, match="a control image but no ControlNet"):
            Pipeline.from_pretrained(model, "cpu")(PROMPTS[0], control_image=LINES)

    def test_the_first_release_sees_no_mask(self, model: Path, controls: dict[str, Path]) -> None:
        pipe = Pipeline.from_pretrained(model, "cpu", controlnet=controls["1.0"])
        with pytest.raises(InputError, match="has 16 channels and sees no mask; one of 33 does"):
            pipe(PROMPTS[0], control_image=LINES, image=IMAGE, mask_image=MASK)


class TestFiles:
    def state(self, path: Path, network: Any) -> dict[str, Tensor]:
        return load_control(path, network, torch.float32, torch.device("cpu")).state_dict()

    @pytest.mark.parametrize("release", RELEASES)
    @pytest.mark.parametrize("layout", ["published", "fused", "prefixed", "bfloat16", "gguf"])
    def test_a_single_file_is_the_folder(
        self, pipe: Pipeline, controls: dict[str, Path], tmp_path: Path, release: str, layout: str
    ) -> None:
        file = tmp_path / f"{release}.{'gguf' if layout == 'gguf' else 'safetensors'}"
        published = load_file(controls[release] / WEIGHTS)
        fused = ORIGINAL.from_published(open_weights(controls[release] / WEIGHTS).tensors)
        match layout:
            case "fused":
                save_file({name: tensor.read(None).clone() for name, tensor in fused.items()}, file)
            case "prefixed":
                save_file({f"controlnet.{name}": tensor for name, tensor in published.items()}, file)
            case "gguf":
                convert(controls[release], file, "controlnet", "gguf", "bfloat16")
            case "bfloat16":
                save_file({name: tensor.bfloat16() for name, tensor in published.items()}, file)
            case _:
                save_file(published, file)
        one, other = self.state(file, pipe.transformer), self.state(controls[release], pipe.transformer)
        assert one.keys() == other.keys()
        rounding = 2**-8 if layout in ("bfloat16", "gguf") else 0
        for name, tensor in one.items():
            torch.testing.assert_close(tensor, other[name], atol=0, rtol=rounding)

    def test_an_untrained_refiner_means_2_0(self, pipe: Pipeline, controls: dict[str, Path], tmp_path: Path) -> None:
        """As the first file of 2.0 came: with a refiner whose projections are zero."""
        refiner = {
            name: torch.zeros_like(tensor) if "_proj" in name else tensor
            for name, tensor in load_file(controls["2.1"] / WEIGHTS).items()
            if name.startswith("control_noise_refiner.")
        }
        file = tmp_path / "2.0.safetensors"
        save_file(load_file(controls["2.0"] / WEIGHTS) | refiner, file)
        assert (
            load_control(file, pipe.transformer, torch.float32, torch.device("cpu")).config.refiner == "control_layers"
        )
        assert self.state(file, pipe.transformer).keys() == self.state(controls["2.0"], pipe.transformer).keys()

    def refused(self, path: Path, network: Any) -> str:
        with pytest.raises((FileFormatError, MissingFileError)) as caught:
            load_control(path, network, torch.float32, torch.device("cpu"))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_other_files(self, model: Path, pipe: Pipeline, controls: dict[str, Path], tmp_path: Path) -> None:
        assert "absent is missing" in self.refused(tmp_path / "absent", pipe.transformer)
        transformer = model / "transformer" / WEIGHTS
        message = self.refused(transformer, pipe.transformer)
        assert "holds no controlnet that is known here; it holds Z-Image transformer" in message
        assert "of a ZImageTransformer2DModel, not of a ZImageControlNet" in self.refused(
            model / "transformer", pipe.transformer
        )
        published = load_file(controls["2.1"] / WEIGHTS)
        del published["control_layers.0.after_proj.bias"]
        save_file(published | {"extra": torch.zeros(1)}, part := tmp_path / "part.safetensors")
        message = self.refused(part, pipe.transformer)
        assert str(part) in message
        assert "control_layers.0.after_proj.bias missing" in message
        part.write_bytes((controls["2.1"] / WEIGHTS).read_bytes()[:-1])
        assert "cut short" in self.refused(part, pipe.transformer)

    def test_another_width(self, pipe: Pipeline, controls: dict[str, Path], tmp_path: Path) -> None:
        wide = control_config("2.1", TRANSFORMER)
        values = wide.to_json() | {"dim": 96, "n_heads": 3, "n_kv_heads": 3}
        ZImageControlNetModel.from_config(values).save_pretrained(tmp_path / "wide")
        message = self.refused(tmp_path / "wide", pipe.transformer)
        assert "config.json: the ControlNet is for another network: dim is 96, the model's is 64" in message
        assert "dim is 96" in self.refused(tmp_path / "wide" / WEIGHTS, pipe.transformer)

    def test_a_control_is_no_model(self, controls: dict[str, Path]) -> None:
        with pytest.raises(FileFormatError, match="is a ControlNet; it leads a model"):
            Pipeline.from_pretrained(controls["2.1"] / WEIGHTS)

    def test_other_kinds_of_models_are_not_led(self, model: Path, controls: dict[str, Path], tmp_path: Path) -> None:
        folder = Path(shutil.copytree(model, tmp_path / "qwen"))
        (folder / "model_index.json").write_text('{"_class_name": "QwenImagePipeline"}')
        with pytest.raises(FileFormatError, match=r"is a QwenImagePipeline; the ControlNets .* are for Z-Image"):
            Pipeline.from_pretrained(folder, "cpu", controlnet=controls["2.1"])

    def test_a_model_folder_may_bring_its_own(self, controls: dict[str, Path], tmp_path: Path) -> None:
        folder = write_model(tmp_path / "tiny")
        (folder / "controlnet").symlink_to(controls["2.1"])
        index = json.loads((folder / "model_index.json").read_text())
        (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": "ZImageControlNetPipeline"}))
        (image,) = Pipeline.from_pretrained(folder, "cpu")(PROMPTS[0], control_image=LINES, seed=0).images
        assert image.size == (32, 48)


@pytest.mark.slow
def test_compiled_makes_the_same_pictures(model: Path, controls: dict[str, Path], tmp_path: Path) -> None:
    """In a process of its own: the jaxtyping hook and torch.compile do not mix."""
    LINES.save(tmp_path / "lines.png")
    script = (
        "import sys, numpy; from PIL import Image; from mezzotint import Pipeline\n"
        "for compile in (False, True):\n"
        "    pipe = Pipeline.from_pretrained(sys.argv[1], 'cpu', 'float32', controlnet=sys.argv[2], compile=compile)\n"
        "    lines = Image.open(f'{sys.argv[3]}/lines.png')\n"
        "    made = pipe('a red disc', seed=5, control_image=lines, output_type='np').images\n"
        "    numpy.save(f'{sys.argv[3]}/{compile}', made)"
    )
    command = [sys.executable, "-c", script, str(model), str(controls["2.1"]), str(tmp_path)]
    subprocess.run(command, check=True)
    eager, compiled = (np.load(tmp_path / f"{how}.npy") for how in (False, True))
    np.testing.assert_allclose(compiled, eager, atol=2 / 255)
