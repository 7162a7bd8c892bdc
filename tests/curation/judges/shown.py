"""Pictures as judges are shown them."""

from PIL import Image
from tests.curation.profiling.pictures import encoded

from mezzotint.curation.profiling.decoding import Picture, decode


def shown(picture: Image.Image) -> Picture:
    return decode(encoded(picture))
