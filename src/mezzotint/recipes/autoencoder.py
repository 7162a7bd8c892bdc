"""Training an autoencoder on a corpus' pictures, ending as the `vae/` of a model folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from mezzotint.data.picture_batches import Framing, PictureBatch, PictureBatches
from mezzotint.models import bundle
from mezzotint.models.autoencoder import Autoencoder, AutoencoderConfig, init_weights, normalize_latents
from mezzotint.perception.perceptual import load_perceptual
from mezzotint.recipes.export import write_index
from mezzotint.recipes.recipe import Plan, Run, RunOptions, check_data
from mezzotint.runtime import atomic
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.objectives.autoencoder import Perceptual, Reconstruction
from mezzotint.training.state import TrainState
from mezzotint.training.trainer import Probes


@dataclass(frozen=True, kw_only=True)
class PerceptualPlan:
    """The perceptual term: stages of VGG16, weight in the loss, pictures of each batch that it sees."""

    stages: int
    weight: float
    pictures: int


@dataclass(frozen=True, kw_only=True)
class AutoencoderRecipe:
    """Reconstruction, perceptual distance and KL on random crops.

    Attributes:
        framing: How a picture becomes a crop. validation_framing: The same for validation, without chance.
        validation_batches: Of the split "val". shown: Pictures on the sheet, each beside its reconstruction.
        measured_batches: Training batches on which the latents' scaling is measured at the end.
        dtype: Of the exported weights.
    """

    autoencoder: AutoencoderConfig
    plan: Plan
    framing: Framing
    validation_framing: Framing
    square_weight: float
    kl_weight: float
    perceptual: PerceptualPlan | None
    validation_batches: int
    shown: int
    measured_batches: int
    dtype: torch.dtype

    def prepare(self, options: RunOptions) -> Run:
        plan = self.plan.under(options)
        check_data(options, "mezzotint corpus build")
        batches = PictureBatches(options.data, batch_size=plan.batch, framing=self.framing, seed=options.seed)
        validation = self._validation(options)
        objective = self._objective(options)
        autoencoder = Autoencoder(self.autoencoder)
        init_weights(autoencoder, Seeds(options.seed).generator("weights"))
        state = plan.state(autoencoder, options)
        shown = torch.cat([batch.pictures for batch in validation])[: self.shown]
        return Run(
            config=plan.fit_config(options),
            state=state,
            objective=objective,
            batches=batches,
            probes=Probes(
                validate=lambda state: objective.validate(state, validation),
                sample=lambda state: beside_reconstructions(state, shown),
            ),
            export=lambda folder: self._export(state, batches, folder),
        )

    def _validation(self, options: RunOptions) -> list[PictureBatch]:
        """The same pictures for every run, whatever its seed, batch and processes."""
        batches = PictureBatches(
            options.data, batch_size=self.plan.batch, framing=self.validation_framing, seed=0, split="val"
        )
        return [batches.at(step) for step in range(self.validation_batches)]

    def _objective(self, options: RunOptions) -> Reconstruction:
        perceptual = None
        if self.perceptual is not None:
            distance = load_perceptual(self.perceptual.stages).to(options.device, options.dtype)
            perceptual = Perceptual(distance=distance, weight=self.perceptual.weight, pictures=self.perceptual.pictures)
        return Reconstruction(square_weight=self.square_weight, kl_weight=self.kl_weight, perceptual=perceptual)

    def _export(self, state: TrainState, batches: PictureBatches, folder: Path) -> None:
        """The averaged weights as `vae/`, latents normalised on training pictures as the rounded weights give them."""
        autoencoder = Autoencoder(self.autoencoder)
        autoencoder.load_state_dict({name: w.to(self.dtype) for name, w in state.averaged_weights().items()})
        normalize_latents(autoencoder.eval(), [batches.at(step).pictures for step in range(self.measured_batches)])
        weights = {name: weight.to(self.dtype) for name, weight in autoencoder.state_dict().items()}
        with atomic.folder(folder / "vae") as part:
            bundle.write_weights(part, weights)
            atomic.write_json(part / "config.json", autoencoder.config.to_json())
        write_index(folder)


@torch.no_grad()
def beside_reconstructions(state: TrainState, pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "2b 3 h w"]:
    """Each picture followed by its reconstruction by the averaged weights."""
    with state.averaged() as autoencoder:
        decoded = autoencoder.decode(autoencoder.encode(pictures.to(state.device))).cpu()
    pairs: Sequence[Tensor] = (pictures, decoded)
    return rearrange(list(pairs), "two b c h w -> (b two) c h w")
