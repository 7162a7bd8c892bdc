"""Training the transformer on an encoded corpus, ending as a whole model folder."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from mezzotint.data.loader import CaptionWeights, LatentBatch, LatentBatches
from mezzotint.data.manifest import COMPONENTS
from mezzotint.data.mixture import Mixture
from mezzotint.data.shards import LatentShards
from mezzotint.errors import InputError
from mezzotint.flow.guidance import ClassifierFree
from mezzotint.flow.samplers import euler
from mezzotint.flow.schedules import static_shift
from mezzotint.flow.times import TimeSampler
from mezzotint.generation.conditioning import CaptionRefiner
from mezzotint.generation.loading import load_autoencoder, load_text_tower, load_transformer
from mezzotint.generation.settings import Settings
from mezzotint.models.bundle import find_model, read_json
from mezzotint.models.single_stream import SingleStreamConfig, SingleStreamTransformer, init_weights
from mezzotint.models.text import TextConfig
from mezzotint.recipes.export import copy_towers, write_pipeline, write_text_encoder, write_transformer
from mezzotint.recipes.recipe import Plan, Run, RunOptions, check_data
from mezzotint.runtime.seeds import Seeds, picture_noise
from mezzotint.training.flops import single_stream_flops
from mezzotint.training.objectives.flow import FlowMatching, JointFlowMatching
from mezzotint.training.state import TrainState
from mezzotint.training.trainer import Probes
from mezzotint.training.wrapping import compile_blocks, recompute_activations

TOWER = "tower"  # how a text tower that is trained along is named in the network


@dataclass(frozen=True, kw_only=True)
class TransformerRecipe:
    """Flow matching on latents and caption features; or, `joint`, on captions that the text tower learns to read too.

    Attributes:
        plan: Its batch is in samples of `tokens_per_sample` tokens; the batches are cut by tokens.
        captions: How often a language or a kind of caption is drawn.
        validation_batches: Of the split "val".
        prompts: Of the sample sheet; their noise has the seeds 0, 1, ….
        shift: Of the exported scheduler. defaults: How the exported model is run when nobody says otherwise.
        dtype: Of the exported weights.
    """

    transformer: SingleStreamConfig
    plan: Plan
    tokens_per_sample: int
    times: TimeSampler
    caption_dropout: float
    captions: CaptionWeights
    validation_batches: int
    prompts: tuple[str, ...]
    shift: float
    defaults: Settings
    dtype: torch.dtype
    joint: bool = False

    def prepare(self, options: RunOptions) -> Run:
        plan = self.plan.under(options)
        check_data(options, "mezzotint encode", takes=("mix", "model", "start", "compile", "recompute"))
        model = find_model(options.model_name("with the autoencoder and the text tower that encoded the data"))
        shards = [self._shards(folder, model) for folder in (options.data, *options.mix)]
        shares = [1.0 - sum(options.mix.values()), *options.mix.values()]
        batches = [self._batches(one, plan, options.seed) for one in shards]
        # The same for every run, whatever is mixed in and how many processes share a batch.
        validation = list(islice(self._batches(shards[0], self.plan, 0, "val").epoch(), self.validation_batches))
        objective = (JointFlowMatching if self.joint else FlowMatching)(
            times=self.times,
            caption_dropout=self.caption_dropout,
            empty_caption=shards[0].empty_caption,
            patch_size=self.transformer.patch_size,
        )
        state = plan.state(self._network(options, model), options)
        return Run(
            config=plan.fit_config(options),
            state=state,
            objective=objective,
            batches=Mixture(batches, shares, options.seed) if options.mix else batches[0],
            probes=Probes(
                validate=lambda state: objective.validate(state, validation, Seeds(0)),
                sample=self._sampler(model, options),
                flops=self._flops,
            ),
            export=lambda folder: self._export(state, model, folder),
        )

    def _shards(self, folder: Path, model: Path) -> LatentShards:
        shards = LatentShards(folder)
        # A joint recipe reads the texts of captions, not their features: only the latents must be of this model.
        shards.require_models(model, ("vae",) if self.joint else COMPONENTS)
        wanted = (self.transformer.in_channels, self.transformer.cap_feat_dim)
        found = (shards.manifest.encoding.channels, shards.manifest.encoding.caption_dim)
        if found != wanted:
            raise InputError(
                f"{shards.folder} holds latents of {found[0]} channels and captions {found[1]} wide, "
                f"this recipe needs {wanted[0]} and {wanted[1]}"
            )
        return shards

    def _batches(self, shards: LatentShards, plan: Plan, seed: int, split: str = "train") -> LatentBatches:
        return LatentBatches(
            shards,
            token_budget=plan.batch * self.tokens_per_sample,
            seed=seed,
            patch_size=self.transformer.patch_size,
            split=split,
            weights=self.captions,
            texts=self.joint,
        )

    def _network(self, options: RunOptions, model: Path) -> SingleStreamTransformer:
        network = SingleStreamTransformer(self.transformer)
        init_weights(network, Seeds(options.seed).generator("weights"))
        if options.start is not None:
            network.load_state_dict(self._start(options.start).state_dict())
        if self.joint:
            network.add_module(TOWER, load_text_tower(model, torch.float32).requires_grad_(True))
        if options.recompute:
            recompute_activations(network.blocks)
        if options.compile:
            compile_blocks(network.blocks)
        return network

    def _start(self, name: str) -> SingleStreamTransformer:
        folder = find_model(name) / "transformer"
        start = load_transformer(folder, torch.float32)
        if start.config != self.transformer:
            raise InputError(f"{folder} is a transformer of another shape than this recipe's; start from one like it")
        return start

    def _flops(self, batch: LatentBatch) -> float:
        height, width = batch.latents.shape[-2:]
        patches = height * width // self.transformer.patch_size**2
        return single_stream_flops(self.transformer, patches, [len(caption) for caption in batch.captions])

    def _sampler(self, model: Path, options: RunOptions) -> Callable[[TrainState], Tensor]:
        autoencoder = load_autoencoder(model / "vae", options.dtype).to(options.device)
        text = load_text_tower(model, options.dtype).to(options.device)
        down, chosen = autoencoder.downscale, self.defaults
        shape = (1, self.transformer.in_channels, chosen.height // down, chosen.width // down)
        noise = torch.cat([picture_noise(seed, shape) for seed in range(len(self.prompts))]).to(options.device)
        sigmas, guidance = static_shift(chosen.steps, self.shift), ClassifierFree(g=chosen.guidance)

        @torch.no_grad()
        def sample(state: TrainState) -> Tensor:
            with state.averaged() as network:
                refiner = CaptionRefiner(network.tower if self.joint else text, network, max_tokens=512)
                condition = refiner.condition(self.prompts, [""] * len(self.prompts))
                return autoencoder.decode(euler(guidance.bind(network, condition), noise, sigmas)).cpu()

        return sample

    def _export(self, state: TrainState, model: Path, folder: Path) -> None:
        copy_towers(model, folder)
        weights = state.averaged_weights()
        tower = {name: weights.pop(name) for name in list(weights) if name.startswith(f"{TOWER}.")}
        if tower:
            config = TextConfig.from_json(read_json(model / "text_encoder" / "config.json"))
            write_text_encoder(folder, config, {n.removeprefix(f"{TOWER}."): w for n, w in tower.items()}, self.dtype)
        write_transformer(folder, self.transformer, weights, self.dtype)
        write_pipeline(folder, self.shift, self.defaults)
