"""Several processes that make the same pictures together, each with all weights on a device of its own."""

from functools import partial
from typing import Literal

import torch.distributed as dist

from mezzotint.errors import InputError
from mezzotint.generation.guidance_parallel import DividedRows
from mezzotint.generation.task import Model
from mezzotint.models.dual_stream import DualStreamTransformer
from mezzotint.models.dual_stream import parallelize as dual_stream
from mezzotint.models.single_stream import parallelize as single_stream

Parallelism = Literal["sequence", "guidance"]


def parallelize(model: Model, how: Parallelism, group: dist.ProcessGroup) -> None:
    """Share the network's work at every step with the other processes; each must be asked for the same pictures.

    Args:
        how: `sequence` divides the tokens (Ulysses): any number of processes that divides the attention heads.
            `guidance` divides the rows of a batch: two processes for one guided picture.

    Raises:
        InputError: The attention heads cannot be divided among the processes, or a ControlNet leads the model.
    """
    if how == "sequence" and getattr(model, "control", None) is not None:
        raise InputError("a ControlNet works on one device only, or with guidance parallelism")
    if how == "guidance":
        model.divide = partial(DividedRows, group=group)
    else:
        kind = dual_stream if isinstance(model.transformer, DualStreamTransformer) else single_stream
        kind.divide_tokens(model.transformer, group)
