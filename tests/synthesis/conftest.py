import pytest
from tests.fixtures import small_packages

from mezzotint.synthesis.scenes.backgrounds import Photographs
from mezzotint.synthesis.scenes.casting import Props
from mezzotint.synthesis.scenes.library import SpriteLibrary
from mezzotint.synthesis.scenes.renderer import Rendered, render
from mezzotint.synthesis.scenes.sampler import sample_scene
from mezzotint.synthesis.scenes.text import Fonts


@pytest.fixture(scope="session")
def props() -> Props:
    return Props(
        sprites=SpriteLibrary(small_packages.CORPUS),
        photographs=Photographs(small_packages.fetch),
        fonts=Fonts(small_packages.fetch, small_packages.FONTS),
    )


@pytest.fixture(scope="session")
def rendered(props: Props) -> list[Rendered]:
    """Two hundred scenes, of every kind."""
    return [render(sample_scene(7, index, props), 128, props) for index in range(200)]
