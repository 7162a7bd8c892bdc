"""Pictures that are looked up by a picture, a text, or a failure: a prompt with the wrong picture that came of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64
from numpy import ndarray
from PIL import Image

from mezzotint.curation.vectors.cells import Cells
from mezzotint.curation.vectors.embedders import Embedder, PictureEmbedder
from mezzotint.curation.vectors.nearest import nearest
from mezzotint.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class Hits:
    """Of each query the nearest vectors: their positions in the source, −1 where there are fewer, and cosines."""

    indices: Int64[ndarray, "q k"]
    cosines: Float32[ndarray, "q k"]


def joint(pictures: Float[ndarray, "n d"], texts: Float[ndarray, "n e"]) -> Float32[ndarray, "n d+e"]:
    """One unit vector of a picture and its caption, whatever embedded them.

    The cosine of two such vectors is the mean of the pictures' cosine and the captions': what is near has a picture
    that looks alike under a caption that says alike. So a mislabelled picture lies away from both of its kinds.
    """
    return np.concatenate([pictures, texts], axis=1).astype(np.float32) / np.float32(2**0.5)


def look_up(cells: Cells, queries: Float[ndarray, "q d"], k: int, probes: int) -> Hits:
    """The vectors nearest to each query among those of its `probes` nearest cells; with all cells, exactly.

    Raises InputError for queries of another width than the vectors'.
    """
    if queries.shape[1] != cells.vectors.shape[1]:
        raise InputError(
            f"the query has {queries.shape[1]} numbers and the vectors {cells.vectors.shape[1]}: embed both alike"
        )
    if not len(queries):
        return Hits(indices=np.empty((0, k), np.int64), cosines=np.empty((0, k), np.float32))
    into = nearest(queries, cells.centroids, min(probes, len(cells.centroids)))[1]
    cosines, indices = cells.look_up(np.asarray(queries, np.float32), into, k)
    return Hits(indices=indices, cosines=cosines)


def by_picture(cells: Cells, embedder: PictureEmbedder, pictures: Sequence[Image.Image], k: int, probes: int) -> Hits:
    """What looks like these pictures, among vectors of pictures by the same embedder."""
    return look_up(cells, embedder.embed_pictures(pictures), k, probes)


def by_text(cells: Cells, embedder: Embedder, texts: Sequence[str], k: int, probes: int) -> Hits:
    """What shows what these texts say, among vectors of pictures by the same embedder."""
    return look_up(cells, embedder.embed_texts(texts), k, probes)


def by_failure(
    cells: Cells, embedder: Embedder, prompts: Sequence[str], pictures: Sequence[Image.Image], k: int, probes: int
) -> Hits:
    """What may have taught a model to answer these prompts with these pictures, among `joint` vectors."""
    return look_up(cells, joint(embedder.embed_pictures(pictures), embedder.embed_texts(prompts)), k, probes)
