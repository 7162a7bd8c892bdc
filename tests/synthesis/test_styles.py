from mezzotint.synthesis.styles import STYLES

PERMISSIVE = {"MIT", "Apache-2.0", "CC-BY-4.0", "BSD-3-Clause", "CC0-1.0"}


def test_only_permissive_art_with_its_credit_pinned() -> None:
    for style in STYLES.values():
        assert style.package.licence in PERMISSIVE
        assert style.package.credit
        assert len(style.package.sha256) == 64
    assert len({style.package.source for style in STYLES.values()}) == len(STYLES)


def test_every_name_belongs_to_one_style() -> None:
    for language in ("en", "zh"):
        names = [name for style in STYLES.values() for name in style.names[language]]
        assert len(names) == len(set(names))


def test_a_recoloured_line_drawing_is_not_called_black() -> None:
    line = STYLES["fluent-line"]
    assert not line.coloured
    assert all("black" in name for name in line.names_for("en", False))
    assert not any("black" in name for name in line.names_for("en", True))
    assert STYLES["noto"].names_for("en", True) == STYLES["noto"].names["en"]
