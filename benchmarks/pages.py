"""A section of a page of docs: written again by the benchmark that measured it, the rest left as it is."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mezzotint.errors import InputError
from mezzotint.runtime import atomic


def write_sections(page: Path, text: str) -> None:
    """Replace what stands before the first heading, and every section that the text has."""
    head, *sections = text.split("\n## ")
    kept = page.read_text(encoding="utf-8").split("\n## ")[1:] if page.is_file() else []
    atomic.write_text(page, "\n## ".join([head.rstrip("\n") + "\n", *kept]))
    for section in sections:
        title, _, body = section.partition("\n")
        write_section(page, title, [body])


def write_section(page: Path, title: str, lines: Sequence[str]) -> None:
    """Replace what stands under the heading `## title` up to the next one, or append it."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    sections = text.split("\n## ")
    section = f"{title}\n\n" + "\n".join(lines).strip() + "\n"
    place = next((place for place, own in enumerate(sections) if own.startswith(f"{title}\n")), None)
    if place is None:
        sections[-1] = sections[-1].rstrip("\n") + "\n"
        sections.append(section)
    else:
        sections[place] = section
    atomic.write_text(page, "\n## ".join(sections))


def marked(page: Path, name: str) -> list[str]:
    """The lines between `<!-- measured: name -->` and `<!-- end of name -->`.

    Raises:
        InputError: The page has no such marks.
    """
    _, body, _ = _parted(page, name)
    return body.strip("\n").splitlines()


def write_marked(page: Path, name: str, lines: Iterable[str]) -> None:
    """Replace these lines.

    Raises:
        InputError: The page has no such marks.
    """
    before, _, after = _parted(page, name)
    atomic.write_text(page, before + "\n" + "\n".join(lines).strip() + "\n" + after)


def _parted(page: Path, name: str) -> tuple[str, str, str]:
    """The page up to a place's first mark, what stands in the place, the rest from its second mark on."""
    start, end = f"<!-- measured: {name} -->", f"<!-- end of {name} -->"
    text = page.read_text(encoding="utf-8")
    if start not in text or end not in text:
        raise InputError(f"{page} has no place for {name}: write {start} and {end} where it belongs")
    before, rest = text.split(start, 1)
    body, after = rest.split(end, 1)
    return before + start, body, end + after
