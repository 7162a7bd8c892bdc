"""Exact search among some vectors on an accelerator: one matrix product, and the largest of each row."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from numpy import ndarray

from mezzotint.curation.vectors.nearest import LEAST, NONE

_PRODUCTS_AT_ONCE = 1 << 26  # 256 MiB of fp32


@dataclass(frozen=True)
class DeviceNearest:
    """What `nearest.nearest` finds, computed in fp32 on a torch device. Of equal cosines it may take another one."""

    device: str

    @torch.inference_mode()
    def __call__(
        self, queries: Float[ndarray, "q d"], vectors: Float[ndarray, "n d"], k: int
    ) -> tuple[Float32[ndarray, "q k"], Int64[ndarray, "q k"]]:
        cosines = np.full((len(queries), k), LEAST, np.float32)
        indices = np.full((len(queries), k), NONE, np.int64)
        found = min(k, len(vectors))
        columns = torch.from_numpy(np.ascontiguousarray(vectors)).to(self.device).float().T
        step = max(1, _PRODUCTS_AT_ONCE // max(1, len(vectors)))
        for start in range(0, len(queries), step):
            rows = torch.from_numpy(np.ascontiguousarray(queries[start : start + step])).to(self.device).float()
            best = torch.topk(rows @ columns, found, dim=1)
            cosines[start : start + step, :found] = best.values.cpu().numpy()
            indices[start : start + step, :found] = best.indices.cpu().numpy()
        return cosines, indices
