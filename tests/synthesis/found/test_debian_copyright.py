from pathlib import Path

import pytest

from mezzotint.errors import MissingFileError
from mezzotint.synthesis.found.debian_copyright import DebianCopyright, Terms

TEXT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Source: somewhere

Files: *
Copyright: 2002 A. Author
License: GPL-3+

Files: images/*
       icons/*.png
Copyright: 2003 B. Painter
           2004 C. Painter
License: CC-BY-SA-4.0

# remark
Files: images/land/sea?-harro*
Copyright: D. Harro
License: public-domain
 Given to everybody.

License: CC-BY-SA-4.0
 The whole text.
"""


@pytest.mark.parametrize(
    ("path", "terms"),
    [
        ("src/main.c", Terms("GPL-3.0-or-later", "2002 A. Author")),
        ("icons/a.png", Terms("CC-BY-SA-4.0", "2003 B. Painter 2004 C. Painter")),
        ("images/land/sea1.jpg", Terms("CC-BY-SA-4.0", "2003 B. Painter 2004 C. Painter")),
        ("images/land/sea1-harro.jpg", Terms("LicenseRef-public-domain", "D. Harro")),
    ],
)
def test_the_last_paragraph_that_matches_holds(tmp_path: Path, path: str, terms: Terms) -> None:
    (tmp_path / "copyright").write_text(TEXT)
    assert DebianCopyright(tmp_path / "copyright").terms(path) == terms


def test_a_package_without_one_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="fetch its package again"):
        DebianCopyright(tmp_path / "copyright")
