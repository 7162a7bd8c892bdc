"""The pictures of an embedded corpus that are nearest to a picture, a text, or a failure that is both."""

from pathlib import Path

from mezzotint.curation.vectors import retrieval
from mezzotint.curation.vectors.cells import Cells, Partition, cells_of
from mezzotint.curation.vectors.embedders import Embedder
from mezzotint.curation.vectors.embedding import PICTURES, open_embedders
from mezzotint.curation.vectors.failures import write_joint
from mezzotint.curation.vectors.nearest import NONE
from mezzotint.curation.vectors.rows import Row, read_rows
from mezzotint.data.pictures import read_picture
from mezzotint.errors import InputError

_PROBES = 64  # cells: all of a small corpus


def find(
    vectors: Path, picture: Path | None, text: str | None, count: int, device: str | None
) -> list[tuple[Row, float]]:
    """The nearest `count` pictures and their cosines, falling.

    Raises InputError for neither picture nor text, or a text where the embedder reads none; the errors of the files.
    """
    if count < 1:
        raise InputError(f"{count} pictures are asked for: at least 1")
    pictures, texts = open_embedders(vectors, device)
    if picture is not None and text is not None:
        if texts is None:
            raise InputError(f"{vectors} holds no captions: run mezzotint curate embed with --captions")
        seen = pictures.embed_pictures([read_picture(picture)])
        query = retrieval.joint(seen, texts.embed_texts([text]))
        cells = _cells(vectors, write_joint(vectors))
    elif picture is not None:
        query = pictures.embed_pictures([read_picture(picture)])
        cells = _cells(vectors, vectors / f"{PICTURES}.npy")
    elif text is not None:
        if not isinstance(pictures, Embedder):
            raise InputError(f"{vectors} was embedded by what reads no texts: embed it with --pictures mini-clip")
        query = pictures.embed_texts([text])
        cells = _cells(vectors, vectors / f"{PICTURES}.npy")
    else:
        raise InputError("there is neither a picture nor a text to look for")
    hits, rows = retrieval.look_up(cells, query, count, _PROBES), read_rows(vectors)
    found = zip(hits.indices[0].tolist(), hits.cosines[0].tolist(), strict=True)
    return [(rows[place], cosine) for place, cosine in found if place != NONE]


def _cells(vectors: Path, source: Path) -> Cells:
    return cells_of(source, vectors / f"cells-{source.stem}", Partition())
