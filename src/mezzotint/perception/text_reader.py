"""Which text stands in a picture, line by line."""

from importlib.metadata import version
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from mezzotint.errors import MissingDependencyError


class TextLine(NamedTuple):
    """One line: its text, the four corners of its box in pixels from the upper left, and how sure the reader is."""

    text: str
    corners: Float[ndarray, "4 2"]
    confidence: float  # 0 to 1


@runtime_checkable
class TextReader(Protocol):
    """Reads upright pictures of any size."""

    @property
    def version(self) -> str:
        """Changes whenever the same picture might be read otherwise."""
        ...

    def read(self, rgb: UInt8[ndarray, "h w 3"]) -> list[TextLine]: ...


class RapidOcr:
    """PP-OCR's detector and recogniser, English and Chinese among others, by ONNX; the package ships the weights.

    Raises MissingDependencyError where the package is not installed.
    """

    def __init__(self, threads: int = 1) -> None:
        try:
            import onnxruntime  # noqa: F401  # needed by the engine, which would say so in a stack trace only
            import rapidocr
        except ImportError as cause:
            raise MissingDependencyError("text is read by RapidOCR: pip install -e '.[reading]'") from cause
        settings = {"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": threads}
        self._engine: Any = rapidocr.RapidOCR(params=settings)

    @property
    def version(self) -> str:
        return f"rapidocr {version('rapidocr')}"

    def read(self, rgb: UInt8[ndarray, "h w 3"]) -> list[TextLine]:
        found = self._engine(np.ascontiguousarray(rgb[..., ::-1]))  # it wants BGR
        if found.txts is None:
            return []
        return [TextLine(*line) for line in zip(found.txts, found.boxes, map(float, found.scores), strict=True)]
