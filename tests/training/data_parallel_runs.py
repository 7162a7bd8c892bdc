"""A run in one go and one that is resumed, by several processes (started by test_data_parallel.py with torchrun)."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from tests.training.test_trainer import CONFIG, PROBES, Denoise, Numbers
from torch import nn

from mezzotint.runtime.distributed import process_group
from mezzotint.training.data_parallel import Peers
from mezzotint.training.learning_rate import constant
from mezzotint.training.optimizers import AdamW, Muon
from mezzotint.training.state import TrainState
from mezzotint.training.trainer import fit


class Network(nn.Sequential):
    """Some batches use the token, others do not."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 16), nn.SiLU(), nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 4))
        self.token = nn.Parameter(torch.zeros(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x + self.token if x.mean() > 0 else x)


def muon_state(dtype: torch.dtype) -> TrainState:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Network()
    adamw = AdamW(lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1, rates={})
    return TrainState(
        module,
        optimizer=Muon(rest=adamw, matrices=("0", "2"), momentum=0.9),
        schedule=partial(constant, warmup=3),
        clip=1.0,
        average=0.9,
        device=torch.device("cpu"),
        dtype=dtype,
    )


def main() -> None:
    out = Path(sys.argv[1])
    torch.set_num_threads(1)
    with process_group(torch.device("cpu")) as group:
        for name, dtype, stops in (
            ("whole", torch.float32, [6]),
            ("resumed", torch.float32, [4, 6]),
            ("bfloat16", torch.bfloat16, [6]),
        ):
            for steps in stops:
                state = muon_state(dtype)
                config = replace(CONFIG, steps=steps)
                fit(config, state, Denoise(), Numbers(), out / name, PROBES, Peers(group))
            torch.save(state.tensors() | {"samples": torch.tensor(state.samples)}, out / f"{name}-{group.rank()}.pt")


if __name__ == "__main__":
    main()
