"""The part "photos": landscapes of a game, and test photographs of two image libraries."""

from mezzotint.runtime.packages import Package
from mezzotint.synthesis.concepts import Language
from mezzotint.synthesis.found.debian_copyright import DebianCopyright
from mezzotint.synthesis.found.item import Item
from mezzotint.synthesis.scenes.backgrounds import SKIMAGE
from mezzotint.synthesis.styles import Fetch

ENDLESS_SKY = Package(
    kind="debian",
    name="endless-sky-data",
    version="0.9.8-1.2",
    sha256="e45835e05a11e84bb1a890a0ded390246a53b8318f21a25925aa70fa54f80c13",
    licence="CC-BY-SA-4.0",
    credit="Endless Sky, copyright Michael Zahniser and contributors",
)
OPENCV = Package(
    kind="debian",
    name="opencv-doc",
    version="4.6.0+dfsg-12",
    sha256="4b12681df35878207ac7097dc66184b2ae552e4bf4ddd2af04a0f03ed0b8682a",
    licence="Apache-2.0",
    credit="OpenCV, copyright its contributors; parts of it under BSD-3-Clause",
)
PACKAGES = (ENDLESS_SKY, OPENCV, SKIMAGE)

OPENCV_SAMPLES = "usr/share/doc/opencv-doc/examples/data"
_LANDSCAPES = {
    "badlands": "荒地",
    "beach": "海滩",
    "canyon": "峡谷",
    "city": "城市",
    "desert": "沙漠",
    "dune": "沙丘",
    "fields": "田野",
    "fog": "雾",
    "forest": "森林",
    "hills": "丘陵",
    "lava": "熔岩",
    "mountain": "山",
    "sea": "大海",
    "sky": "天空",
    "snow": "雪",
    "valley": "山谷",
    "water": "水",
}
_OPENCV_FILES = (
    *("aero1.jpg", "aero3.jpg", "aloeL.jpg", "apple.jpg", "baboon.jpg", "basketball1.png", "board.jpg", "box.png"),
    *("building.jpg", "butterfly.jpg", "cards.png", "fruits.jpg", "graf1.png", "home.jpg", "left.jpg", "leuvenA.jpg"),
    *("messi5.jpg", "orange.jpg", "pca_test1.jpg", "rubberwhale1.png", "smarties.png", "squirrel_cls.jpg"),
    *("starry_night.jpg", "stuff.jpg", "sudoku.png"),
)
_SKIMAGE_FILES = {  # with their licences, from scikit-image's own page
    "astronaut.png": "LicenseRef-public-domain",
    "camera.png": "CC0-1.0",
    "chelsea.png": "CC0-1.0",
    "coffee.png": "CC0-1.0",
    "rocket.jpg": "CC0-1.0",
    "hubble_deep_field.jpg": "LicenseRef-public-domain",
    "retina.jpg": "CC0-1.0",
    "brick.png": "CC0-1.0",
    "grass.png": "CC0-1.0",
    "gravel.png": "CC0-1.0",
}


def find(fetch: Fetch) -> list[Item]:
    return [*_landscapes(fetch), *_opencv(fetch), *_skimage(fetch)]


def _landscapes(fetch: Fetch) -> list[Item]:
    """Named for what they show (`beach3.jpg`), or for who took them."""
    folder = fetch(ENDLESS_SKY)
    stated = DebianCopyright(folder / "usr/share/doc/endless-sky-data/copyright")
    items = []
    for path in sorted((folder / "usr/share/games/endless-sky/images/land").glob("*.jpg")):
        terms = stated.terms(f"images/land/{path.name}")
        word = path.stem.partition("-")[0].rstrip("0123456789")
        captions: dict[Language, str] = {"en": word, "zh": _LANDSCAPES[word]} if word in _LANDSCAPES else {}
        items.append(
            Item(
                id=f"photo/endless-sky/{path.stem}",
                path=path,
                kind="photograph",
                package=ENDLESS_SKY,
                licence=terms.licence,
                credit=terms.credit,
                group=word if captions else None,
                captions=captions,
            )
        )
    return items


def _opencv(fetch: Fetch) -> list[Item]:
    folder = fetch(OPENCV)
    return [
        Item(
            id=f"photo/opencv/{name}",
            path=folder / OPENCV_SAMPLES / name,
            kind="photograph",
            package=OPENCV,
            licence=OPENCV.licence,
            credit=OPENCV.credit,
        )
        for name in _OPENCV_FILES
    ]


def _skimage(fetch: Fetch) -> list[Item]:
    folder = fetch(SKIMAGE) / "usr/lib/python3/dist-packages/skimage/data"
    return [
        Item(
            id=f"photo/scikit-image/{name}",
            path=folder / name,
            kind="photograph",
            package=SKIMAGE,
            licence=licence,
            credit="scikit-image's sample pictures",
        )
        for name, licence in _SKIMAGE_FILES.items()
    ]
