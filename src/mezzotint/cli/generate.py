"""Make pictures from prompts, or from a prompt and a picture. Each one's path goes to stdout, progress to stderr.

One prompt makes `SLUG-SEED.png` in the folder --out, or the file --out when that ends in .png; several prompts, or
those of a file, make 0000.png, 0001.png, … in their order (0000-00.png, … with --count). Every prompt starts again at
--seed.
"""

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from mezzotint.cli.picture_paths import PicturePaths
from mezzotint.cli.prompts import read_prompts
from mezzotint.errors import InputError, MissingFileError
from mezzotint.generation.settings import Settings, read_defaults
from mezzotint.models.sources import Sources, find_sources

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

    from mezzotint.generation.inputs import Inputs
    from mezzotint.generation.memory_plan import Workload
    from mezzotint.generation.pipeline import Pipeline
    from mezzotint.generation.profile import Profile
    from mezzotint.generation.request import Request
    from mezzotint.generation.task import Task

Number = Annotated[int | None, tyro.conf.arg(metavar="N")]
File = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]
Name = Annotated[str | None, tyro.conf.arg(metavar="NAME")]


@dataclass(frozen=True, kw_only=True)
class Painting:
    """What every verb that makes pictures from prompts asks for."""

    prompt: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PROMPT")] = ()
    """What the picture shows; put quotes around each."""
    prompts: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """A text file (UTF-8) with a prompt on every line, instead."""
    model: Annotated[str, tyro.conf.arg(metavar="MODEL")] = "mini"
    """A model that comes with the package (`mezzotint models`), a model folder, a .safetensors or .gguf file, or a hub
    id like Tongyi-MAI/Z-Image-Turbo."""
    base: Annotated[str | None, tyro.conf.arg(metavar="MODEL")] = None
    """The model that has what a single file lacks; by default Tongyi-MAI/Z-Image-Turbo or Qwen/Qwen-Image."""
    revision: Name = None
    """Of a hub id: a branch, a tag or a commit."""
    variant: Name = None
    """Of the weights in a model folder, like fp16."""
    text_encoder: File = None
    """A file or folder to take the text encoder from."""
    vae: File = None
    """A file or folder to take the autoencoder from."""
    lora: Annotated[list[str], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="FILE[:WEIGHT]")] = field(
        default_factory=list
    )
    """A LoRA and how strongly it acts, 1 when left out; can be given several times."""
    out: Annotated[Path, tyro.conf.arg(metavar="PATH")] = Path("out")
    """A folder, or for one prompt a .png file."""
    seed: Number = None
    """Picture i of a prompt uses SEED + i; chosen at random and printed when left out."""
    steps: Number = None
    """Network evaluations; by default what the model was made for."""
    guidance: Annotated[float | None, tyro.conf.arg(metavar="G")] = None
    """How far beyond the prompt's own direction to go; none is 0 for Z-Image, 1 for Qwen-Image. By default the
    model's."""
    negative: Annotated[str | None, tyro.conf.arg(metavar="TEXT")] = None
    """What to go away from; it acts only with guidance."""
    size: Annotated[str | None, tyro.conf.arg(metavar="WxH")] = None
    """Width and height in pixels, multiples of 16; by default the model's."""
    count: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Pictures a prompt."""
    sampler: Annotated[str, tyro.conf.arg(metavar="NAME")] = "euler"
    """euler, or multistep (second order)."""
    device: Name = None
    """cpu, cuda, cuda:1, mps; by default the best there is."""
    dtype: Name = None
    """float32, bfloat16 or float16; by default the fastest that is safe on the device."""
    memory: Annotated[str, tyro.conf.arg(metavar="SIZE")] = "free"
    """Of the device that may be used, like 8GB; what does not fit is quantised and offloaded, as a plan on stderr says
    beforehand."""
    quantize: Name = None
    """int8, int8-dynamic, fp8, fp8-dynamic, int4, nf4, svdquant, or gguf: a file's own blocks. By default what --memory
    asks for."""
    offload: Name = None
    """none, text-encoder, model, block: which weights are on the device only while they are used. By default what
    --memory asks for."""
    compile: bool = False
    """Compile the network first: a minute once, then faster at any size. Pays from a few dozen pictures on."""
    cache: Annotated[float, tyro.conf.arg(metavar="T")] = 0.0
    """Skip most of the network at steps that differ from the last one by less than this share; 0.1 changes little."""
    parallel: Literal["sequence", "guidance"] | None = None
    """Several processes make each picture together, started by torchrun: they share its tokens, or its two guidance
    branches."""
    profile: bool = False
    """Print where the time and the memory went."""
    json: bool = False
    """Print one JSON object a picture, with all its parameters, instead of its path."""

    def sources(self) -> Sources:
        """Where the model's parts come from."""
        return find_sources(self.model, **self.parts)

    @property
    def parts(self) -> dict[str, Any]:
        """What of the model is to come from elsewhere, or is a choice among what its folder has."""
        parts = {"base": self.base, "vae": self.vae, "text_encoder": self.text_encoder}
        return {**parts, "revision": self.revision, "variant": self.variant}


@dataclass(frozen=True, kw_only=True)
class Options(Painting):
    """What to make, and how."""

    image: File = None
    """A picture to begin with (PNG, WebP or JPEG); it says the size too where --size does not."""
    strength: Annotated[float | None, tyro.conf.arg(metavar="S")] = None
    """How much of --image goes under in noise: above 0, at most 1; 0.6 by default."""
    control: File = None
    """A ControlNet for the model, a file or folder: it leads along --control-image."""
    control_image: File = None
    """The edges, depths, pose or lines to follow; scaled to the size of what is made."""
    control_scale: Annotated[float, tyro.conf.arg(metavar="S")] = 0.75
    """How strongly to follow them; 0 is not at all."""

    @property
    def parts(self) -> dict[str, Any]:
        return super().parts | {"controlnet": self.control}


def run(options: Options) -> None:
    paint(options, lambda: begin_with(options, mask=None))


def paint(options: Painting, read_inputs: "Callable[[], Inputs]", *, begins: bool = True) -> None:
    """Make the pictures of the prompts, with those that are read besides: one to begin with, or some to edit."""
    # What can be refused without the networks, which take seconds to import and load, comes first.
    prompts = _prompts(options)
    _check_text(options.negative or "", "the negative prompt")
    width, height = parse_size(options.size)
    loras = [parse_lora(text) for text in options.lora]
    sources = options.sources()
    chosen: dict[str, Any] = {"steps": options.steps, "guidance": options.guidance, "width": width, "height": height}
    inputs, defaults = read_inputs(), read_defaults(sources.folder)
    if begins and inputs.images:
        defaults = defaults.sized_like(*inputs.images[0].size)
    request = _request(options, prompts, defaults.override(**chosen), inputs)
    numbered = options.prompts is not None or len(prompts) > 1
    paths = PicturePaths.plan(options.out, prompts, numbered=numbered, count=options.count)

    from mezzotint.generation.pipeline import Pipeline

    with _processes(options) as (device, group):
        pipe = Pipeline.from_pretrained(
            sources,
            device,
            options.dtype,
            compile=options.compile,
            quantize=options.quantize,
            offload=options.offload,
            memory=_memory(options, sources, device, group),
            workload=_workload(request),
            on_plan=lambda plan: print(plan, file=sys.stderr),
        )
        pipe.load_lora(loras)
        request = replace(request, settings=pipe.model.defaults_for(request.inputs).override(**chosen))
        if group is not None:
            request = _share(pipe, request, options, group)
        with _profile(options, pipe) as profile:
            task = pipe.task(request)
            if group is not None and group.rank() > 0:
                _assist(pipe, request, task)
                return
            for note in _notes(options, request):
                print(note, file=sys.stderr)
            _make(pipe, request, task, paths, options.json, profile)
        if profile is not None:
            print(profile.table(), file=sys.stderr)


def _memory(options: Painting, sources: Sources, device: str | None, group: "ProcessGroup | None") -> str | int:
    """What all processes have room for, so that they make one plan; a small model needs none."""
    from mezzotint.generation.memory_plan import room
    from mezzotint.generation.placing import FREE, SMALL

    if group is None or options.memory != FREE:
        return options.memory
    from mezzotint.runtime.device import resolve_device
    from mezzotint.runtime.distributed import least

    common = least(room(resolve_device(device)), group)
    return FREE if sources.nbytes < SMALL * common else common


def _workload(request: "Request") -> "Workload":
    """What decides about memory; a prompt has about a token for three bytes."""
    from mezzotint.generation.memory_plan import Workload

    settings = request.settings
    return Workload(
        width=settings.width,
        height=settings.height,
        pictures=len(request.jobs),
        branches=2 if request.guided else 1,
        tokens=max(64, max(len(text.encode()) for text in request.prompts + request.negatives) // 3),
    )


@contextmanager
def _processes(options: Painting) -> "Iterator[tuple[str | None, ProcessGroup | None]]":
    """The device of this process, and the processes that make each picture together; None where it is alone."""
    if options.parallel is None:
        yield options.device, None
        return
    from mezzotint.runtime.device import resolve_device
    from mezzotint.runtime.distributed import process_device, process_group

    device = process_device(options.device)
    with process_group(resolve_device(device)) as group:
        yield device, group


def _share(pipe: "Pipeline", request: "Request", options: Painting, group: "ProcessGroup") -> "Request":
    """Share the work; all make the first process's pictures."""
    from mezzotint.generation.parallel import parallelize
    from mezzotint.runtime.distributed import agreed

    assert options.parallel is not None
    parallelize(pipe.model, options.parallel, group)
    return replace(request, seed=agreed(request.seed, group))


def _assist(pipe: "Pipeline", request: "Request", task: "Task") -> None:
    """The share of a process that writes no pictures."""
    for _ in pipe.sample(request, task):
        pass


@contextmanager
def _profile(options: Painting, pipe: "Pipeline") -> "Iterator[Profile | None]":
    if not options.profile:
        yield None
        return
    from mezzotint.generation.profile import profiling

    with profiling(pipe) as profile:
        yield profile


def _prompts(options: Painting) -> tuple[str, ...]:
    if options.prompts is not None:
        if options.prompt:
            raise InputError("give prompts as arguments or in a --prompts file, not both")
        return read_prompts(options.prompts)
    if not options.prompt:
        raise InputError("there is no prompt: give one in quotes, or --prompts FILE")
    for text in options.prompt:
        if not text.strip():
            raise InputError("a prompt is empty: say what the picture shows")
        _check_text(text, "a prompt")
    return options.prompt


def _check_text(text: str, what: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in text):  # how Python passes on bytes that are no text
        raise InputError(f"{what} is not valid UTF-8")


def parse_lora(text: str) -> tuple[Path, float]:
    """`FILE` or `FILE:WEIGHT`; a file whose own name ends like a weight is taken as it is.

    Raises:
        InputError: The weight is not a finite number.
        MissingFileError: There is no such file.
    """
    path, colon, weight = text.rpartition(":")
    if not colon or Path(text).exists():
        path, weight = text, "1"
    if not Path(path).exists():
        raise MissingFileError(f"LoRA {path} is missing")
    try:
        strength = float(weight)
    except ValueError:
        strength = math.nan
    if not math.isfinite(strength):
        raise InputError(f"the weight of LoRA {path} is {weight!r}; it must be a number")
    return Path(path), strength


def parse_size(size: str | None) -> tuple[int | None, int | None]:
    """`WxH` as two numbers; None where the model's default is meant.

    Raises:
        InputError: It has another form.
    """
    if size is None:
        return None, None
    width, cross, height = size.lower().replace("×", "x").partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise InputError(f"size is {size!r}; it must be WIDTHxHEIGHT in pixels, like 128x128")
    return int(width), int(height)


def begin_with(options: Options, mask: Path | None) -> "Inputs":
    """The picture that is begun with, and the one that is followed; with a mask, only a part is painted anew.

    Raises:
        InputError: They do not go together.
        MissingFileError, FileFormatError: One is missing or no picture.
    """
    from mezzotint.data.pictures import read_picture
    from mezzotint.generation.inputs import Inputs, as_images, as_rgb

    if options.control is not None and options.control_image is None:
        raise InputError("--control needs --control-image: the picture that the ControlNet follows")
    image = None if options.image is None else read_picture(options.image)
    follow = None if options.control_image is None else read_picture(options.control_image)
    return Inputs(
        images=as_images(image, "the image"),
        mask=None if mask is None else as_rgb(read_picture(mask), "the mask"),
        strength=options.strength,
        control=None if follow is None else as_rgb(follow, "the control image"),
        control_scale=options.control_scale,
    )


def _request(options: Painting, prompts: tuple[str, ...], settings: Settings, inputs: "Inputs") -> "Request":
    from mezzotint.generation.request import Request, as_negatives, random_seed

    return Request(
        prompts=prompts,
        negatives=as_negatives(options.negative, len(prompts), settings.negative),
        seed=random_seed() if options.seed is None else options.seed,
        count=options.count,
        settings=settings,
        sampler=options.sampler,
        cache=options.cache,
        inputs=inputs,
    )


def _notes(options: Painting, request: "Request") -> Iterator[str]:
    if options.seed is None:
        yield f"seed {request.seed}"
    if options.negative and not request.guided:
        yield "note: without guidance the negative prompt does nothing; give --guidance"


def _make(
    pipe: "Pipeline",
    request: "Request",
    task: "Task",
    paths: PicturePaths,
    as_json: bool,
    profile: "Profile | None",
) -> None:
    """Sample, decode and write batch by batch, so that an interruption keeps what is finished."""
    from mezzotint.generation.picture_files import write_picture
    from mezzotint.generation.pixels import to_pil
    from mezzotint.runtime.progress import progress

    with progress("sampling", len(request.jobs) * (len(task.sigmas) - 1)) as advance:
        for jobs, latents in pipe.sample(request, task, lambda step, x: advance(len(x))):
            for job, picture in zip(jobs, to_pil(pipe.decode(latents)), strict=True):
                path, parameters = paths.of(job), pipe.parameters(request, job)
                with nullcontext() if profile is None else profile.part("PNG"):
                    write_picture(path, picture, parameters)
                found = {"path": str(path), **asdict(parameters)}
                line = json.dumps(found, ensure_ascii=False) if as_json else str(path)
                print(line, flush=True)
