"""The count against PyTorch's own counter over a real forward and backward pass."""

from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from mezzotint.models.single_stream import MINI, SingleStreamTransformer, init_weights
from mezzotint.training.flops import single_stream_flops


def test_the_count_is_torchs():
    config = replace(MINI, n_layers=2, n_refiner_layers=1)
    model = SingleStreamTransformer(config)
    init_weights(model, torch.Generator().manual_seed(0))
    captions = [torch.randn(n, config.cap_feat_dim) for n in (5, 40)]
    latents = torch.randn(2, config.in_channels, 16, 16)
    with FlopCounterMode(display=False) as counter:
        model(latents, torch.tensor([0.2, 0.7]), model.refine_captions(captions)).square().mean().backward()
    counted = single_stream_flops(config, 64, [5, 40])
    # Backward skips the gradient of the inputs, and torch's attention recomputes one product: a few per cent.
    assert abs(counter.get_total_flops() / counted - 1) < 0.06
