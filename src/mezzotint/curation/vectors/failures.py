"""Generated pictures that failed, or did not, as joint vectors of picture and prompt; and what they blame.

<out>/report.json      the communities that have any blame, the worst first, each with a few of its pictures
<out>/prune.jsonl      the training pictures of those that are to go
<out>/neighbours/      the training pictures' own, which a rerun with other failures need not search again
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

from mezzotint.curation.prune import write_list
from mezzotint.curation.runner import Progress, silent
from mezzotint.curation.vectors.cells import Partition, open_cells
from mezzotint.curation.vectors.communities import Grouping, find_communities
from mezzotint.curation.vectors.dedup import PRUNE
from mezzotint.curation.vectors.diagnosis import Diagnosis, Findings, diagnose
from mezzotint.curation.vectors.embedders import PictureEmbedder, TextEmbedder
from mezzotint.curation.vectors.embedding import CAPTIONS, PICTURES
from mezzotint.curation.vectors.nearest import Nearest, nearest
from mezzotint.curation.vectors.neighbours import Distribute, all_neighbours
from mezzotint.curation.vectors.retrieval import joint
from mezzotint.curation.vectors.rows import Row, read_rows
from mezzotint.curation.vectors.vector_file import ROWS_AT_ONCE, open_vectors, write_vectors
from mezzotint.data.pictures import read_picture
from mezzotint.errors import InputError
from mezzotint.generation.picture_files import read_parameters
from mezzotint.runtime import atomic

JOINT = "joint.npy"
_REPORT = "report.json"
_AT_ONCE = 64
_SHOWN = 5  # pictures that the report names of a community


@dataclass(frozen=True, kw_only=True)
class Generated:
    """One generated picture's file and its prompt."""

    path: Path
    prompt: str


def find_generated(folder: Path) -> list[Generated]:
    """The PNGs of a folder that say what they were made of, sorted by name.

    Raises InputError for a folder without any; FileFormatError for a PNG that does not say it.
    """
    found = []
    for path in sorted(folder.glob("**/*.png")):
        parameters = read_parameters(path)
        if parameters is None:
            raise InputError(f"{path} does not say its prompt: only PNGs of mezzotint generate do")
        found.append(Generated(path=path, prompt=parameters.prompt))
    if not found:
        raise InputError(f"{folder} holds no .png: name a folder that mezzotint generate wrote to")
    return found


def embed_generated(
    generated: Sequence[Generated], pictures: PictureEmbedder, texts: TextEmbedder | None
) -> Float[ndarray, "g d"]:
    """Joint vectors; of nothing, no rows. Raises InputError where the training captions were not embedded."""
    if texts is None:
        raise InputError("the training captions were not embedded: run mezzotint curate embed with --captions")
    blocks = [np.zeros((0, pictures.width + texts.width), np.float32)]
    for start in range(0, len(generated), _AT_ONCE):
        part = generated[start : start + _AT_ONCE]
        seen = pictures.embed_pictures([read_picture(one.path) for one in part])
        blocks.append(joint(seen, texts.embed_texts([one.prompt for one in part])))
    return np.concatenate(blocks)


def write_joint(vectors: Path) -> Path:
    """The joint vectors of an embedded corpus' pictures and captions, made once.

    Raises InputError where its captions were not embedded.
    """
    path = vectors / JOINT
    if not (vectors / f"{CAPTIONS}.npy").is_file():
        raise InputError(f"{vectors} holds no captions: run mezzotint curate embed with --captions")
    if not path.is_file():
        pictures, captions = (open_vectors(vectors / f"{kind}.npy") for kind in (PICTURES, CAPTIONS))
        parts = (slice(start, start + ROWS_AT_ONCE) for start in range(0, len(pictures), ROWS_AT_ONCE))
        blocks = (joint(pictures[part], captions[part]) for part in parts)
        write_vectors(path, blocks, rows=len(pictures), width=pictures.shape[1] + captions.shape[1])
    return path


def diagnose_failures(
    vectors: Path,
    out: Path,
    *,
    failed: Float[ndarray, "f d"],
    succeeded: Float[ndarray, "s d"],
    grouping: Grouping,
    how: Diagnosis,
    k: int,
    partition: Partition,
    search: Nearest = nearest,
    distribute: Distribute = map,
    progress: Progress = silent,
) -> Findings:
    """Find the communities of an embedded corpus that failures blame, and write the report and the prune list.

    Raises the errors of `write_joint`, `all_neighbours` and `diagnose`.
    """
    rows = read_rows(vectors)
    source = write_joint(vectors)
    found = all_neighbours(
        source, out / "neighbours", k=k, partition=partition, search=search, distribute=distribute, progress=progress
    )
    communities = find_communities(found, grouping)
    cells = open_cells(out / "neighbours" / "cells")
    pictures = open_vectors(vectors / f"{PICTURES}.npy")
    findings = diagnose(cells, communities, pictures=pictures, failed=failed, succeeded=succeeded, how=how)
    atomic.write_json(out / _REPORT, _report(findings, communities, rows))
    write_list(out / PRUNE, ({"id": rows[place].id, "caption": rows[place].caption} for place in findings.prune))
    return findings


def read_report(out: Path) -> list[dict[str, Any]]:
    """What `diagnose_failures` wrote."""
    return list(json.loads((out / _REPORT).read_bytes()))


def _report(findings: Findings, communities: Int64[ndarray, "n"], rows: Sequence[Row]) -> list[dict[str, Any]]:
    members: dict[int, list[int]] = {suspect.community: [] for suspect in findings.suspects}
    for place in np.flatnonzero(np.isin(communities, list(members))):
        members[int(communities[place])].append(int(place))
    pruned = set(communities[findings.prune].tolist())
    return [
        asdict(suspect)
        | {
            "pruned": suspect.community in pruned,
            "pictures": [rows[place].id for place in members[suspect.community][:_SHOWN]],
            "captions": sorted({rows[place].caption for place in members[suspect.community]})[:_SHOWN],
        }
        for suspect in findings.suspects
    ]
