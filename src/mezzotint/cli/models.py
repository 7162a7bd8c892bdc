"""List the models that come with the package: their size, their licence, what they are for."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from mezzotint.models.bundle import embedded_models, find_model, weight_files
from mezzotint.models.formats.safetensors import read_header


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to print them."""

    json: bool = False
    """Print a JSON list."""


@dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """One line of the table. `parameters` is a number, `bytes` the size of the weights' files."""

    name: str
    parameters: int
    bytes: int
    licence: str
    purpose: str


def run(options: Options) -> None:
    summaries = [summarise(find_model(name)) for name in embedded_models()]
    if options.json:
        print(json.dumps([asdict(summary) for summary in summaries], ensure_ascii=False))
        return
    from rich.table import Table

    from mezzotint.cli.console import Console

    table = Table("name", "parameters", "size", "licence", "for")
    for one in summaries:
        size = f"{one.bytes / 1e6:.0f} MB"
        table.add_row(one.name, f"{one.parameters / 1e6:.1f} M", size, one.licence, one.purpose)
    Console().print(table if summaries else "No model comes with this installation.")


def summarise(model: Path) -> ModelSummary:
    """Counted from its weights' headers; the licence and the purpose are its model card's."""
    components = [folder for folder in sorted(model.iterdir()) if list(folder.glob("*.safetensors"))]
    files = [path for component in components for path in weight_files(component)]
    card = model / "README.md"
    licence, purpose = read_card(card.read_text() if card.is_file() else "")
    return ModelSummary(
        name=model.name,
        parameters=sum(entry.elements for path in files for entry in read_header(path).tensors.values()),
        bytes=sum(path.stat().st_size for path in files),
        licence=licence,
        purpose=purpose,
    )


def read_card(card: str) -> tuple[str, str]:
    """The licence in a model card's front matter, and the first sentence under its title; "" where there is none."""
    front = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    licence = re.search(r"^license:\s*(\S+)", front[1] if front else "", re.MULTILINE)
    body = card[front.end() :] if front else card
    paragraphs = [part.strip() for part in body.split("\n\n")]
    text = next((part for part in paragraphs if part and not part.startswith(("#", "!", "<", "|"))), "")
    sentence = re.match(r"(.+?(?:\.(?=\s|$)|。))", " ".join(text.split()))
    return licence[1] if licence else "", sentence[1] if sentence else text
