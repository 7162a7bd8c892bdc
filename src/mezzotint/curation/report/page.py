"""The funnel as one HTML page that needs nothing beside it: no script, no font, no picture from elsewhere."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from mezzotint.curation.duplicates import ORDER
from mezzotint.curation.report.funnel import Example, Funnel, Measured, Step
from mezzotint.runtime import atomic

_WIDTH, _HEIGHT = 360, 110  # of a histogram, in pixels

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1180px; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; } th, td { padding: .2em .8em; text-align: left; border-bottom: 1px solid #ddd; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.bar { background: #3b7dd8; height: .9em; } .measures { display: flex; flex-wrap: wrap; gap: 1.2em; }
figure { margin: 0; } .sheet { display: flex; flex-wrap: wrap; gap: .5em; }
.sheet figure { width: 104px; font-size: 11px; line-height: 1.25; overflow-wrap: anywhere; }
.sheet img, .none { max-width: 96px; border: 1px solid #ccc; } .none { color: #888; padding: 2em .5em; }
svg { background: #fafafa; } .kept { fill: #3b7dd8; } .dropped { fill: #d8633b; } .limit { stroke: #111; }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #ddd; } th, td { border-color: #444; } svg { background: #222; }
  .limit { stroke: #eee; }
}
"""


def write_page(path: Path, funnel: Funnel) -> None:
    atomic.write_text(path, page(funnel))


def page(funnel: Funnel) -> str:
    """The whole page; everything that comes from a picture or its name is escaped."""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width"><title>Curation</title>',
            f"<style>{_STYLE}</style></head><body>",
            "<h1>Curation</h1>",
            f"<p>{funnel.kept:,} of {funnel.pictures:,} pictures were kept.</p>",
            _languages(funnel),
            _steps(funnel),
            f"<p>Of pictures that are copies of each other, one stays: {escape(ORDER)}.</p>",
            "<h2>Measures</h2>",
            '<p>Blue: kept; orange: dropped, by whichever stage; lines: the limits.</p><div class="measures">',
            *map(_histogram, funnel.measures),
            "</div>",
            *map(_sheets, funnel.steps),
            "</body></html>\n",
        ]
    )


def _languages(funnel: Funnel) -> str:
    counts = ", ".join(f"{escape(language)} {count:,}" for language, count in funnel.languages.items())
    return f"<p>Captions by language: {counts}.</p>" if counts else ""


def _steps(funnel: Funnel) -> str:
    rows = []
    for step in funnel.steps:
        share = step.kept / max(funnel.pictures, 1)
        reasons = ", ".join(f"{escape(reason)}: {count:,}" for reason, count in step.dropped.items())
        bar = f'<div class="bar" style="width:{200 * share:.1f}px"></div>'
        numbers = "".join(f'<td class="number">{n:,}</td>' for n in (step.seen, step.seen - step.kept, step.kept))
        rows.append(
            f"<tr><td>{escape(step.name)}</td><td>{escape(step.limit)}</td>{numbers}<td>{bar}</td><td>{reasons}</td></tr>"
        )
    head = '<th>stage</th><th>limit</th><th class="number">seen</th><th class="number">dropped</th>'
    return f'<table><tr>{head}<th class="number">kept</th><th></th><th>reasons</th></tr>{"".join(rows)}</table>'


def _histogram(measured: Measured) -> str:
    """Kept and dropped pictures by the measure, stacked."""
    bins, most = len(measured.kept), max(float((measured.kept + measured.dropped).max()), 1.0)
    width, low, high = _WIDTH / bins, float(measured.edges[0]), float(measured.edges[-1])
    parts = []
    for position, (kept, dropped) in enumerate(zip(measured.kept, measured.dropped, strict=True)):
        foot = float(_HEIGHT)
        for kind, count in (("kept", kept), ("dropped", dropped)):
            height = _HEIGHT * float(count) / most
            foot -= height
            if count:
                at = f'x="{position * width:.1f}" y="{foot:.2f}" width="{width - 1:.1f}" height="{height:.2f}"'
                parts.append(f'<rect class="{kind}" {at}/>')
    for bound in (measured.limit.least, measured.limit.most):
        if bound is not None and low <= bound <= high:
            x = (bound - low) / (high - low) * _WIDTH
            parts.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_HEIGHT}"/>')
    caption = f"<b>{escape(measured.name)}</b> {escape(str(measured.limit))}<br>{low:.4g} to {high:.4g}"
    caption += f", median {measured.quantiles['0.5']:.4g}"
    svg = f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img">{"".join(parts)}</svg>'
    return f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"


def _sheets(step: Step) -> str:
    sheets = []
    if step.examples:
        dropped = step.seen - step.kept
        sheets.append(f"<h2>Dropped by {escape(step.name)} ({dropped:,})</h2>{_sheet(step.examples)}")
    if step.border:
        sheets.append(f"<h3>Kept, nearest to the limit of {escape(step.name)}</h3>{_sheet(step.border)}")
    return "".join(sheets)


def _sheet(examples: Sequence[Example]) -> str:
    return f'<div class="sheet">{"".join(map(_example, examples))}</div>'


def _example(example: Example) -> str:
    picture = '<div class="none">unreadable</div>'
    if example.preview is not None:
        data = base64.b64encode(example.preview).decode()
        picture = f'<img alt="" src="data:image/jpeg;base64,{data}">'
    return f"<figure>{picture}<figcaption>{escape(example.id)}<br>{escape(example.note)}</figcaption></figure>"
