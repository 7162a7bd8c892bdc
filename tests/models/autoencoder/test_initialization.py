import torch

from mezzotint.models.autoencoder import MINI, Autoencoder, init_weights


def test_equal_generators_give_equal_weights() -> None:
    one, other = Autoencoder(MINI), Autoencoder(MINI)
    init_weights(one, torch.Generator().manual_seed(3))
    init_weights(other, torch.Generator().manual_seed(3))
    for name, weight in one.state_dict().items():
        torch.testing.assert_close(weight, other.state_dict()[name], rtol=0, atol=0)


@torch.no_grad()
def test_the_signal_keeps_its_size_through_both_halves() -> None:
    autoencoder = Autoencoder(MINI)
    init_weights(autoencoder, torch.Generator().manual_seed(0))
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)
    posterior = autoencoder.moments(pictures)
    assert 0.1 < posterior.mean.std() < 3
    assert (posterior.log_variance == -6).all()
    assert 0.1 < autoencoder.decode(posterior.mean).std() < 3


def test_the_gradient_reaches_every_convolution_between_resolutions() -> None:
    autoencoder = Autoencoder(MINI)
    init_weights(autoencoder, torch.Generator().manual_seed(0))
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    (autoencoder.decode(autoencoder.encode(pictures)) - pictures).abs().mean().backward()
    norms = [p.grad.norm() for n, p in autoencoder.named_parameters() if "samplers" in n and n.endswith("weight")]
    assert len(norms) == 6
    assert max(norms) / min(norms) < 20
