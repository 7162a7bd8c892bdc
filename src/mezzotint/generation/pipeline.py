"""A model ready to run: a prompt and a seed in, a picture out.

    from mezzotint import Pipeline
    pipe = Pipeline.from_pretrained("mini")
    pipe("a red apple", seed=0).images[0].save("apple.png")

What is the same for every kind of model and task is here: loading, LoRA, compiling, batches, decoding. A kind of model
makes a task of a request (`task.py`). Latents and the sampler's arithmetic are fp32; the networks compute in the
working dtype.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

import mezzotint
from mezzotint.errors import InputError
from mezzotint.flow.samplers import SAMPLERS, OnStep, ignore
from mezzotint.generation import pixels
from mezzotint.generation.batches import decoded_together, sampled_together
from mezzotint.generation.compiling import compile_network, forget_graphs
from mezzotint.generation.guidance_parallel import alone
from mezzotint.generation.inputs import Inputs, as_images, as_rgb
from mezzotint.generation.memory_plan import Plan, Workload
from mezzotint.generation.model_kinds import model_class
from mezzotint.generation.noise import Noise, draw_noise, seeded_noise
from mezzotint.generation.picture_files import PictureParameters
from mezzotint.generation.placement import PLAIN, Placement
from mezzotint.generation.placing import check_placement, plan_placement
from mezzotint.generation.request import Job, Request, as_negatives, as_prompts, random_seed
from mezzotint.generation.settings import Settings
from mezzotint.generation.step_caching import step_caching
from mezzotint.generation.task import Model, Task
from mezzotint.generation.tiling import decode_in_tiles
from mezzotint.models.adapters import Applied, Lora, apply_fused, apply_live, read_lora
from mezzotint.models.single_stream.half_range import hold_in_range
from mezzotint.models.sources import Sources, find_sources
from mezzotint.runtime.device import resolve_device, resolve_dtype

Latents = Float[Tensor, "b c h w"]
Callback = Callable[["Pipeline", int, Tensor, dict[str, Tensor]], dict[str, Tensor] | None]
"""(pipeline, step, sigma · 1000, {"latents": …}) -> changed tensors, as diffusers calls it; once a step and batch."""


@dataclass(frozen=True)
class Result:
    """The pictures of a call, prompt by prompt, in the form asked for.

    Attributes:
        seeds: Each picture's; None where the noise was given.
    """

    images: Any
    seeds: list[int | None]


class Pipeline:
    """A model, ready to run on one device."""

    def __init__(self, model: Model, sources: Sources, placement: Placement = PLAIN, plan: Plan | None = None) -> None:
        self.model, self.sources, self.placement, self.plan = model, sources, placement, plan
        self._loras: list[tuple[Lora, float]] = []
        self.compiled = False
        self._applied = Applied([])

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path | Sources,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        *,
        base: str | Path | None = None,
        vae: str | Path | None = None,
        text_encoder: str | Path | None = None,
        controlnet: str | Path | None = None,
        variant: str | None = None,
        revision: str | None = None,
        compile: bool = False,
        quantize: str | None = None,
        offload: str | None = None,
        memory: str | int | None = None,
        workload: Workload | None = None,
        on_plan: Callable[[Plan], None] | None = None,
    ) -> "Pipeline":
        """Load a model: an embedded model's name, a model folder, a hub id, or a file of weights.

        Without a device, the best there is; without a dtype, the fastest that is safe on it. With `compile`, the
        network is compiled (torch.compile) at its first use, once for all sizes, prompts and batches: a minute, for
        evaluations that are faster by a fifth to two fifths on a CPU (docs/benchmarks.md).

        `quantize` and `offload` are those of `placement.Placement`. With `memory`, like "8GB", or "free", what has no
        room is quantised and offloaded as far as they leave it open, by a plan for a `workload` (pictures of the
        model's own size) that is told `on_plan` before anything is loaded.

        The other arguments are those of `models.sources.find_sources`.

        Raises:
            MezzotintError: There is no such model, its files are broken, the device cannot be used, or there is no
                compiler.
        """
        replaced = {"base": base, "vae": vae, "text_encoder": text_encoder, "controlnet": controlnet}
        sources = (
            name if isinstance(name, Sources) else find_sources(name, **replaced, variant=variant, revision=revision)
        )
        at = resolve_device(None if device is None else str(device))
        kind = dtype if isinstance(dtype, torch.dtype) else resolve_dtype(dtype, at)
        placement = Placement(quantize=quantize, offload="none" if offload is None else offload)
        check_placement(placement, sources, at, compile=compile)
        if plan := plan_placement(sources, at, kind, memory, quantize, offload, workload, compile=compile):
            placement = plan.placement
            if on_plan is not None:
                on_plan(plan)
        pipe = cls(model_class(sources).load(sources, at, kind, placement), sources, placement, plan)
        if compile:
            pipe._compile()
        return pipe

    def load_lora(self, files: Sequence[tuple[str | Path, float]], *, live: bool = False) -> None:
        """Put LoRAs, each with its weight, into the transformer, in place of those that are in it.

        Fused into the weights they cost no time; `live` ones leave the weights alone, as all do where those are
        quantised or leave the device. Either way `unload_lora` takes them out exactly.

        Raises:
            MissingFileError: A file is missing.
            FileFormatError: A file is broken, or is for another network.
        """
        loras = [(read_lora(Path(path)), float(weight)) for path, weight in files]
        self.unload_lora()
        apply = apply_live if live or self.placement.changes_weights else apply_fused
        self._applied = apply(self.transformer, loras)
        self._hold_in_range()
        self._loras = loras
        self._forget_compiled()

    def unload_lora(self) -> None:
        """Take all LoRAs out: every weight is what it was."""
        self._applied.remove()
        self._hold_in_range()
        self._loras = []
        self.__dict__.pop("digest", None)
        self._forget_compiled()

    def _hold_in_range(self) -> None:
        """In fp16 the weights say how far numbers go, and they have changed."""
        if self.dtype == torch.float16 and not self.placement.changes_weights:
            hold_in_range(self.transformer)

    def _compile(self) -> None:
        """On a processor the compiled code holds the weights, packed as its products want them.

        Not quantised ones: as constants they would be unpacked.
        """
        frozen = self.device.type == "cpu" and self.placement.quantize is None
        for network in self.model.networks:
            compile_network(network, frozen=frozen)
        self.compiled = True

    def _forget_compiled(self) -> None:
        """Compile anew at the next use: the weights have changed."""
        if self.compiled:
            torch._dynamo.reset()
            forget_graphs(self.transformer)

    @property
    def transformer(self) -> Any:
        return self.model.transformer

    @property
    def autoencoder(self) -> Any:
        return self.model.autoencoder

    @property
    def text(self) -> Any:
        return self.model.text

    @property
    def defaults(self) -> Settings:
        """Steps, guidance and size where a call leaves them out."""
        return self.model.defaults

    @property
    def name(self) -> str:
        """The model's, and its LoRAs' with their weights."""
        return " + ".join([self.sources.name, *(f"{lora.path.stem}:{weight:g}" for lora, weight in self._loras)])

    @property
    def device(self) -> torch.device:
        return next(self.transformer.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.transformer.parameters()).dtype

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the model's weights, its LoRAs' included."""
        return self.sources.digest(lora.path for lora, _ in self._loras)

    def __call__(
        self,
        prompt: str | Sequence[str],
        *,
        image: Image.Image | Sequence[Image.Image] | None = None,
        mask_image: Image.Image | None = None,
        strength: float | None = None,
        control_image: Image.Image | None = None,
        controlnet_conditioning_scale: float = 0.75,
        negative_prompt: str | Sequence[str] | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        true_cfg_scale: float | None = None,
        width: int | None = None,
        height: int | None = None,
        num_images_per_prompt: int = 1,
        seed: int | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        latents: Float[Tensor, "b c h w"] | None = None,
        output_type: str = "pil",
        callback_on_step_end: Callback | None = None,
        cfg_normalization: float | bool | None = None,
        cfg_truncation: float | None = None,
        max_sequence_length: int | None = None,
        sampler: str = "euler",
        cache: float = 0.0,
    ) -> Result:
        """Make pictures. Names and meanings are those of diffusers' pipelines; `seed` and `sampler` are more.

        Args:
            prompt: One or several; each is a batch row, and unequal lengths cost no padding.
            image: What to begin with, or to edit; it also says the size where none is given.
            mask_image: What of the image is painted anew (white) and what is kept (black).
            strength: How much of the image goes under in noise, in (0, 1]: by default 0.6, and all of it under a mask.
            control_image: What a ControlNet (`from_pretrained`'s `controlnet`) follows; controlnet_conditioning_scale:
                how strongly.
            negative_prompt: One for all or one each; without guidance it does nothing.
            num_inference_steps, guidance_scale, width, height: The model's own defaults where left out. Sizes are
                pixels, multiples of 16. Guidance is for Z-Image the g of v + g·(v − v_negative), so 0 is none; for
                Qwen-Image the w of v_negative + w·(v − v_negative), so 1 is none, where `true_cfg_scale` names it too.
            num_images_per_prompt: Picture i of a prompt has seed + i.
            seed: Chosen at random when left out; `Result.seeds` has it.
            generator, latents: The noise's source, or the noise itself, instead of a seed. An image to begin with
                needs two draws a picture; as `latents` their channels stand one below the other.
            output_type: `pil`, `np`, `pt` or `latent`.
            callback_on_step_end: Called after each step of each batch; what it returns as `latents` replaces them.
            cfg_normalization: Limits ‖v‖ to so many times that of the positive branch. cfg_truncation: No guidance at
                times t (1 is clean) beyond it.
            max_sequence_length: Cuts prompts to so many tokens. Left out, a prompt is taken whole or refused.
            sampler: `euler` or `multistep`.
            cache: Above 0, steps that differ from the last one by less skip most of the network: 0.1 changes little
                (docs/benchmarks.md).

        Raises:
            InputError: A value is impossible, or two of them contradict each other.
        """
        pixels.check_output_type(output_type)
        if sum(source is not None for source in (seed, generator, latents)) > 1:
            raise InputError("seed, generator and latents each say what the noise is; give one of them")
        if guidance_scale is not None and true_cfg_scale is not None:
            raise InputError("guidance_scale and true_cfg_scale are one and the same here; give one of them")
        prompts = as_prompts(prompt)
        given = generator is not None or latents is not None
        inputs = Inputs(
            images=as_images(image, "image"),
            mask=None if mask_image is None else as_rgb(mask_image, "mask_image"),
            strength=strength,
            control=None if control_image is None else as_rgb(control_image, "control_image"),
            control_scale=controlnet_conditioning_scale,
        )
        request = Request(
            prompts=prompts,
            negatives=as_negatives(negative_prompt, len(prompts), self.defaults.negative),
            seed=None if given else random_seed() if seed is None else seed,
            count=num_images_per_prompt,
            settings=self.model.defaults_for(inputs).override(
                steps=num_inference_steps,
                guidance=guidance_scale if true_cfg_scale is None else true_cfg_scale,
                width=width,
                height=height,
            ),
            sampler=sampler,
            norm_limit=float(cfg_normalization) if cfg_normalization else None,
            truncation=cfg_truncation,
            cache=cache,
            max_tokens=max_sequence_length,
            inputs=inputs,
        )
        task = self.task(request)
        noise = draw_noise(task.noise_shape, request.jobs, generator, latents)
        on_step = ignore if callback_on_step_end is None else self._calling(callback_on_step_end, task.sigmas)
        batches = [made for _, made in self._batches(task, request, noise, on_step)]
        seeds = [job.seed for job in request.jobs]
        if output_type == "latent":
            return Result(torch.cat(batches), seeds)
        return Result(pixels.convert(torch.cat([self.decode(made) for made in batches]), output_type), seeds)

    def task(self, request: Request) -> Task:
        """What the request is for this model: its pictures are encoded, its batches can be run.

        Raises:
            InputError: This model cannot make the request's size, take one of its prompts whole, or use its pictures.
                Or steps are to be skipped by processes that each see some of the batch only.
        """
        if request.cache > 0 and self.model.divide is not alone:
            raise InputError("a cache decides by the whole batch, of which each process has a part; leave one out")
        return self.model.task(request)

    def sample(self, request: Request, task: Task, on_step: OnStep = ignore) -> Iterator[tuple[list[Job], Latents]]:
        """The latents of a request, batch by batch in its order, each with its jobs; their noise is their seeds'."""
        return self._batches(task, request, seeded_noise(task.noise_shape), on_step)

    def batch_size(self, request: Request) -> int:
        """Pictures that are sampled together; every result is the same, to rounding, whatever it is."""
        together = sampled_together(self.device, self.model.tokens(request) * (2 if request.guided else 1))
        return together if self.plan is None else min(together, self.plan.together)

    @torch.inference_mode()
    def decode(self, latents: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 height width"]:
        """Pictures in about [−1, 1], a few at a time, so that large ones do not need the memory of all."""
        tile = None if self.plan is None else self.plan.tile
        if tile is not None:
            return torch.cat([decode_in_tiles(self.autoencoder, part, tile) for part in latents.split(1)]).clone()
        together = decoded_together(latents.shape[-1] * latents.shape[-2] * self.autoencoder.downscale**2)
        return torch.cat([self.autoencoder.decode(part) for part in latents.split(together)]).clone()

    def parameters(self, request: Request, job: Job) -> PictureParameters:
        """How a picture of a request is made, for its file."""
        settings, inputs = request.settings, request.inputs
        return PictureParameters(
            prompt=request.prompts[job.prompt],
            negative_prompt=request.negatives[job.prompt],
            seed=job.seed,
            steps=settings.steps,
            guidance=settings.guidance,
            unguided=settings.unguided,
            width=settings.width,
            height=settings.height,
            sampler=request.sampler,
            model=self.name,
            model_digest=self.digest,
            version=mezzotint.__version__,
            strength=self.model.strength(inputs),
            control_scale=None if inputs.control is None else inputs.control_scale,
            cache=request.cache or None,
            **inputs.digests(),
        )

    def _batches(
        self, task: Task, request: Request, noise: Noise, on_step: OnStep
    ) -> Iterator[tuple[list[Job], Latents]]:
        size = self.batch_size(request)
        jobs = request.jobs
        for start in range(0, len(jobs), size):
            batch = jobs[start : start + size]
            drawn = torch.stack([noise(job) for job in batch]).to(self.device)
            yield batch, self._integrate(task, request, batch, drawn, on_step).clone()

    @torch.inference_mode()
    def _integrate(
        self, task: Task, request: Request, jobs: list[Job], noise: Float[Tensor, "b _ h w"], on_step: OnStep
    ) -> Latents:
        """Noise to latents."""
        run = task.run(jobs, noise)

        def both(step: int, x: Tensor) -> None:
            run.on_step(step, x)
            on_step(step, x)

        with step_caching(self.transformer, request.cache):
            return SAMPLERS[request.sampler](run.denoise, run.x, task.sigmas, both)

    def _calling(self, callback: Callback, sigmas: Float[Tensor, "sigmas"]) -> OnStep:
        def on_step(step: int, x: Tensor) -> None:
            changed = callback(self, step, sigmas[step] * 1000, {"latents": x})
            if changed and (latents := changed.get("latents")) is not None:
                x.copy_(latents)  # the sampler goes on from this very tensor

        return on_step
