"""Drawings of concepts as packages hold them: folders of pictures and Iconify collections of SVG bodies."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from PIL import Image

from mezzotint.errors import MissingDependencyError
from mezzotint.synthesis.concepts import code_of
from mezzotint.synthesis.package_files import read_json

try:
    import resvg_py
except ImportError as cause:
    raise MissingDependencyError("drawings are rendered with resvg: pip install -e '.[training]'") from cause

RENDERER = f"resvg {resvg_py.__version__}"


@runtime_checkable
class Artwork(Protocol):
    """Drawings in one style, by concept code."""

    def codes(self) -> frozenset[str]:
        """The concepts that are drawn."""
        ...

    def draw(self, code: str, size: int) -> Image.Image:
        """The concept's drawing, RGBA, size × size pixels, clear outside."""
        ...


class PictureFolder:
    """Files named by their code points, as `1f34e.webp`."""

    def __init__(self, folder: Path) -> None:
        self._files = {code_of(path.stem): path for path in sorted(folder.iterdir())}

    def codes(self) -> frozenset[str]:
        return frozenset(self._files)

    def draw(self, code: str, size: int) -> Image.Image:
        with Image.open(self._files[code]) as picture:
            drawing = picture.convert("RGBA")
        return drawing if drawing.size == (size, size) else drawing.resize((size, size), Image.Resampling.LANCZOS)


class IconCollection:
    """An Iconify `icons.json`: SVG bodies by name, with aliases; `names` says which concept has which name."""

    def __init__(self, file: Path, names: Mapping[str, str]) -> None:
        content = read_json(file)
        self._icons: Mapping[str, Any] = content["icons"]
        self._aliases: Mapping[str, Any] = content.get("aliases", {})
        self._view = (content.get("width", 16), content.get("height", content.get("width", 16)))
        self._names = {code: name for code, name in names.items() if name in self._icons or name in self._aliases}

    def codes(self) -> frozenset[str]:
        return frozenset(self._names)

    def draw(self, code: str, size: int) -> Image.Image:
        return render_svg(self._svg(self._names[code]), size)

    def _svg(self, name: str) -> str:
        flip = ""
        while name in self._aliases:
            alias = self._aliases[name]
            width, height = self._view
            flip += f" matrix(-1 0 0 1 {width} 0)" if alias.get("hFlip") else ""
            flip += f" matrix(1 0 0 -1 0 {height})" if alias.get("vFlip") else ""
            name = alias["parent"]
        icon = self._icons[name]
        width, height = icon.get("width", self._view[0]), icon.get("height", self._view[1])
        view = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
        body = f'<g transform="{flip.strip()}">{icon["body"]}</g>' if flip else icon["body"]
        names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        return f'<svg {names} viewBox="{view}">{body}</svg>'


def render_svg(svg: str, size: int) -> Image.Image:
    """An SVG text as RGBA, size × size pixels. No system font is read, so that every machine draws the same."""
    png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    return Image.open(io.BytesIO(png)).convert("RGBA")
