"""Where pictures come from: folders, CSV lists, WebDataset tars and Parquet files, here or behind any fsspec URL."""

from mezzotint.curation.sources.locate import open_input
from mezzotint.curation.sources.rows import Origin

__all__ = ["Origin", "open_input"]
