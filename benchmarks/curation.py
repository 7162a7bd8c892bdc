"""Pictures a second of the profile, and of imagededup and cleanvision beside what of it does their work.

    python3 -m venv PEERS && PEERS/bin/pip install imagededup cleanvision
    python -m benchmarks.curation CORPUS --peers PEERS/bin/python [--count 300] [--write docs/curation.md]

All see the same files, JPEGs of 1.4 megapixels made of a corpus' photographs, in two processes, in turns. Peers say how
long their own calls took, without their start.
"""

import argparse
import io
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from benchmarks.pages import write_marked
from benchmarks.timing import machine
from PIL import Image

from mezzotint.curation.duplicates import Alike, Pictures, find_copies, mean_hashes
from mezzotint.curation.planting import on_white
from mezzotint.curation.profiling.decoding import decode
from mezzotint.curation.profiling.stage import MEASURES, profile
from mezzotint.data.records import read_records
from mezzotint.runtime.memory import keep_freed_blocks

SIZE = (1440, 960)
APART = ("watermark", "qr_codes", "bar_codes")
CHEAP = {name: measure for name, measure in MEASURES.items() if name not in APART}
OF_CLEANVISION = ("luma", "entropy", "clarity", "aspect", "short_side", "saturation")
MARK = "speed"

IMAGEDEDUP = """
import json, sys, time
from imagededup.methods import PHash
if __name__ == "__main__":
    start = time.perf_counter()
    PHash(verbose=False).find_duplicates(sys.argv[1], num_enc_workers=2, num_dist_workers=2)
    print(json.dumps(time.perf_counter() - start))
"""
CLEANVISION = """
import json, sys, time
from cleanvision import Imagelab
if __name__ == "__main__":
    start = time.perf_counter()
    Imagelab(data_path=sys.argv[1], verbose=False).find_issues(n_jobs=2, verbose=False)
    print(json.dumps(time.perf_counter() - start))
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("corpus", type=Path)
    options.add_argument("--peers", type=Path)
    options.add_argument("--count", type=int, default=300)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--write", type=Path)
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        files = write_pictures(Path(scratch) / "pictures", args.corpus, args.count)
        with multiprocessing.get_context("spawn").Pool(2, keep_freed_blocks) as pool:
            pool.map(cheap, files[:8])  # what is imported and cached at the first call
            rivals: dict[str, Callable[[], object]] = {
                "profile": lambda: pool.map(cheap, files, chunksize=8),
                **{name: partial(pool.map, measure, files, chunksize=8) for name, measure in ALONE.items()},
                "copies": lambda: list(find_copies(as_pictures(pool.map(hashed, files, chunksize=8)), Alike())),
                "issues": lambda: list(find_copies(as_pictures(pool.map(looked_at, files, chunksize=8)), Alike())),
            }
            seconds = in_turns(rivals, peers(args.peers, files[0].parent), args.rounds)
    text = report(seconds, args.count, args.peers)
    print(text)
    if args.write:
        write_marked(args.write, MARK, [text])


def write_pictures(folder: Path, corpus: Path, count: int) -> list[Path]:
    """Other parts of the photographs, again and again, each at another place."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    found = [record.picture or b"" for record in islice(read_records(corpus, ["picture"], parts=["photos"]), 200)]
    paths = []
    for number in range(count):
        picture = on_white(found[number % len(found)])
        left, top = (int(rng.integers(0, side // 4 + 1)) for side in picture.size)
        box = (left, top, left + picture.width * 3 // 4, top + picture.height * 3 // 4)
        sink = io.BytesIO()
        picture.resize(SIZE, Image.Resampling.BICUBIC, box=box).save(sink, "JPEG", quality=88)
        paths.append(folder / f"{number:05d}.jpg")
        paths[-1].write_bytes(sink.getvalue())
    return paths


def cheap(path: Path) -> None:
    profile(path.read_bytes(), measures=CHEAP)


def watermark(path: Path) -> None:
    MEASURES["watermark"](decode(path.read_bytes()))


def qr_codes(path: Path) -> None:
    MEASURES["qr_codes"](decode(path.read_bytes()))


def bar_codes(path: Path) -> None:
    MEASURES["bar_codes"](decode(path.read_bytes()))


ALONE: dict[str, Callable[[Path], None]] = {
    "watermark": watermark,
    "qr_codes": qr_codes,
    "bar_codes": bar_codes,
}
Row = dict[str, Any]


def hashed(path: Path) -> Row:
    """What duplicates are told by."""
    return looked_at(path, ())


def looked_at(path: Path, measures: Sequence[str] = OF_CLEANVISION) -> Row:
    """What cleanvision looks at: darkness and light, information, blur, shape, size, greyness, and copies."""
    data = path.read_bytes()
    found, _ = profile(data, measures={name: MEASURES[name] for name in measures})
    return found | {"id": path.name, "file_bytes": len(data)}


def as_pictures(rows: Sequence[Row]) -> Pictures:
    thumbnails = np.stack([np.frombuffer(row["thumbnail"], np.uint8) for row in rows])
    perceptual = np.array([row["perceptual_hash"] for row in rows], np.uint64)
    return Pictures(
        ids=[row["id"] for row in rows],
        sha256=[row["sha256"] for row in rows],
        hashes=np.stack([perceptual, mean_hashes(thumbnails)], axis=1),
        thumbnails=thumbnails,
        previews=[row["preview"] for row in rows],
        pixels=np.array([row["width"] * row["height"] for row in rows]),
        file_bytes=np.array([row["file_bytes"] for row in rows], float),
    )


def peers(python: Path | None, folder: Path) -> dict[str, Callable[[], float]]:
    """Calls that say how long they took."""
    if python is None:
        return {}

    def call(script: str) -> float:
        command = [str(python), "-c", script, str(folder)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return float(json.loads(done.stdout.strip().splitlines()[-1]))

    return {"imagededup": lambda: call(IMAGEDEDUP), "cleanvision": lambda: call(CLEANVISION)}


def in_turns(
    rivals: dict[str, Callable[[], object]], peers: dict[str, Callable[[], float]], rounds: int
) -> dict[str, float]:
    """Median seconds of each over rounds in which everyone has a turn."""
    seconds: dict[str, list[float]] = {name: [] for name in (*rivals, *peers)}
    for _ in range(rounds):
        for name, call in rivals.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
        for name, peer in peers.items():
            seconds[name].append(peer())
    return {name: median(values) for name, values in seconds.items()}


def report(seconds: dict[str, float], count: int, python: Path | None) -> str:
    rate = {name: count / value for name, value in seconds.items()}
    decoding = " (with decoding, which the profile does once)"
    lines = [
        f"{count} JPEGs of {SIZE[0]}x{SIZE[1]} pixels, two processes, pictures a second; {machine()}; "
        f"simplejpeg {version('simplejpeg')}, zxing-cpp {version('zxing-cpp')}{_versions(python)}.",
        "",
        "| | pictures/s |",
        "| --- | --- |",
        f"| profile: {len(CHEAP)} measures, hashes, preview | {rate['profile']:.0f} |",
        *(f"| {name} alone{decoding} | {rate[name]:.0f} |" for name in APART),
    ]
    if "imagededup" in rate:
        lines += [
            "",
            "| work | mezzotint | peer | ratio |",
            "| --- | --- | --- | --- |",
            _against("perceptual hash and copies", rate["copies"], "imagededup", rate),
            _against("dark, light, blurred, odd, little in it, grey, copies", rate["issues"], "cleanvision", rate),
        ]
    return "\n".join(lines)


def _against(work: str, ours: float, peer: str, rate: dict[str, float]) -> str:
    return f"| {work} | {ours:.0f} | {peer} {rate[peer]:.0f} | {ours / rate[peer]:.1f}× |"


def _versions(python: Path | None) -> str:
    if python is None:
        return ""
    script = "from importlib.metadata import version; print(version('imagededup'), version('cleanvision'))"
    done = subprocess.run([str(python), "-c", script], capture_output=True, text=True, check=True)
    return "; imagededup {}, cleanvision {}".format(*done.stdout.split())


if __name__ == "__main__":
    main()
