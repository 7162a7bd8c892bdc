"""A transformer's step as a program for other runtimes: `torch.export`, and ONNX as the way to TensorRT and others."""

import contextlib
import io
import logging
import tempfile
import warnings
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.errors import InputError, OutputError
from mezzotint.generation.limits import most_tokens
from mezzotint.models.dual_stream import DualStreamTransformer
from mezzotint.models.single_stream import SingleStreamTransformer
from mezzotint.runtime import atomic

INPUTS, OUTPUT = ("latents", "t", "features"), "velocity"
SUFFIXES = (".onnx", ".pt2")


class Step(nn.Module):
    """One evaluation, from what a text tower says of the captions: all of a transformer is in it."""

    def __init__(self, network: SingleStreamTransformer | DualStreamTransformer) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, latents: Float[Tensor, "b c h w"], t: Float[Tensor, "b"], features: Float[Tensor, "b n text"]
    ) -> Float[Tensor, "b c h w"]:
        """The velocity, clean − noise, at times t (0 noise, 1 clean)."""
        if isinstance(self.network, DualStreamTransformer):
            return self.network(latents, t, self.network.embed_captions([*features]))
        return self.network(latents, t, self.network.refine_captions([*features]))


@torch.no_grad()
def export_step(
    network: SingleStreamTransformer | DualStreamTransformer, *, batch: int, rows: int, columns: int, tokens: int
) -> torch.export.ExportedProgram:
    """The step for so many pictures, rows and columns of latents, and tokens of each caption: these are fixed.

    Raises:
        InputError: The network cannot make this size, or reads no caption of this length.
    """
    if not 1 <= tokens <= most_tokens(network):
        raise InputError(f"tokens is {tokens}; this model reads 1 to {most_tokens(network)}")
    if isinstance(network, DualStreamTransformer):
        channels, width = network.config.latent_channels, network.config.text_dim
    else:
        channels, width = network.config.in_channels, network.config.cap_feat_dim
    weight = next(network.parameters())
    inputs = (
        weight.new_zeros(batch, channels, rows, columns),
        weight.new_zeros(batch, dtype=torch.float32),
        weight.new_zeros(batch, tokens, width),
    )
    step = Step(network).eval()
    step(*inputs)  # positions are computed once and kept; the program takes them as they are
    return torch.export.export(step, inputs)


def write_program(program: torch.export.ExportedProgram, path: Path) -> None:
    """Write it as a .pt2 file or as an .onnx one, beside which a second file holds weights of more than 2 GB.

    Raises:
        InputError: The name ends otherwise, or what writes ONNX is not installed.
        OutputError: It cannot be written.
    """
    if path.suffix == ".pt2":
        with atomic.file(path) as temporary, temporary.open("wb") as file:
            torch.export.save(program, file)
    elif path.suffix == ".onnx":
        _write_onnx(program, path)
    else:
        raise InputError(f"{path} is no name for a program; it must end in {' or '.join(SUFFIXES)}")


def _write_onnx(program: torch.export.ExportedProgram, path: Path) -> None:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it names every operator of packages that are not installed
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore", FutureWarning)  # of one part of PyTorch about another
            made = torch.onnx.export(program, (), input_names=INPUTS, output_names=[OUTPUT])
    except ModuleNotFoundError as cause:
        raise InputError(f"ONNX files need the package {cause.name}; pip install -e '.[export]'") from cause
    finally:
        logger.setLevel(level)
    assert made is not None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
            made.save(Path(folder) / path.name)
            for file in sorted(Path(folder).iterdir(), key=lambda file: file.name == path.name):
                file.replace(path.parent / file.name)  # the program last: it is there with all that it names
    except OSError as cause:
        raise OutputError(f"cannot write {path}: {cause.strerror or cause}") from cause
