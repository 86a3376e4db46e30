"""Colours of a theme can be read, on white and on every shade of the heatmap, in colour and in grey."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from servicediag.diagnosis.model import Diagnosis
from servicediag.errors import InstrumentError
from servicediag.report import read_theme, write_excel, write_html
from servicediag.report.logo import Logo
from servicediag.report.theme import (
    DARKEST_GROUND,
    GRAPHIC_CONTRAST,
    MINIMUM_CONTRAST,
    Theme,
    contrast,
    mix,
    readable_on,
)


@pytest.mark.parametrize("role", ["primary", "accent"])
def test_default_colours_stand_out_from_white(role: str) -> None:
    assert contrast(getattr(Theme(), role), "#ffffff") >= MINIMUM_CONTRAST


@pytest.mark.parametrize(("role", "colour"), [("primary", "#ffff00"), ("accent", "#8fbc8f"), ("primary", "#777777")])
def test_pale_colour_is_refused(role: str, colour: str) -> None:
    with pytest.raises(ValueError, match=role):
        Theme(**{role: colour})


@pytest.mark.parametrize("colour", ["red", "#fff", "#12345g", "#000000;}", "", None, "#000000\n"])
def test_anything_but_a_plain_colour_is_refused(colour: object) -> None:
    with pytest.raises(ValueError, match="primary"):
        Theme(primary=colour)  # type: ignore[arg-type]


def test_contrast_agrees_with_published_values() -> None:
    # W3C: the lightest grey that still reaches 4.5 to 1 on white is #767676
    assert contrast("#767676", "#ffffff") >= 4.5 > contrast("#777777", "#ffffff")


def test_number_in_every_cell_of_the_heatmap_can_be_read() -> None:
    for theme in (Theme(), Theme(primary="#000000"), Theme(primary="#7a0019")):
        for health in range(101):
            shade = theme.health_colour(health)
            assert contrast(readable_on(shade), shade) >= MINIMUM_CONTRAST


def test_higher_health_is_lighter_also_in_grey() -> None:
    shades = [contrast(Theme().health_colour(health), "#000000") for health in range(0, 101, 5)]
    assert shades == sorted(shades)
    assert shades[0] < shades[-1]


def test_colour_depends_on_the_value_alone_and_is_held_within_the_scale() -> None:
    theme = Theme()
    assert theme.health_colour(-20) == theme.health_colour(0) == theme.primary
    assert theme.health_colour(140) == theme.health_colour(100) == theme.pale


def test_mix_of_equal_parts_is_the_middle() -> None:
    assert mix("#000000", "#ffffff", 0) == "#ffffff"
    assert mix("#102030", "#304050", 0.5) == "#203040"


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><rect width="120" height="40"/></svg>'


def theme_file(folder: Path, text: str) -> Path:
    (folder / "theme.yaml").write_text(text, encoding="utf-8")
    return folder / "theme.yaml"


def test_every_permitted_colour_stands_out_from_the_grey_of_charts() -> None:
    assert contrast("#767676", DARKEST_GROUND) >= GRAPHIC_CONTRAST
    assert Theme(primary="#767676").primary == "#767676"


def test_theme_file_is_read_with_logo_and_names(tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_bytes(SVG)
    text = 'organisation: Example Ltd\nprepared_by: A. Adviser\nprimary: "#14324f"\nlogo: logo.svg\n'
    theme = read_theme(theme_file(tmp_path, text))
    assert theme.names() == "Example Ltd · A. Adviser"
    assert theme.primary == "#14324f"
    assert theme.accent == Theme().accent
    assert theme.logo is not None
    assert (theme.logo.kind, theme.logo.width, theme.logo.height) == ("svg", 120.0, 40.0)


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        ('organisation: x\nprimary: "#ffff00"\n', 2, "invalid_colour"),
        ("organisation: x\n\naccent: #14324f\n", 3, "invalid_colour"),
        ("primry: x\n", 1, "unknown_key"),
        ("organisation: x\norganisation: y\n", 2, "duplicate_key"),
        ("name: x\nlogo: nowhere.png\n", 2, "invalid_logo"),
        ("organisation: [x]\n", 1, "invalid_value"),
        ("a: &a x\nb: *a\n", 1, "unsafe_file"),
    ],
)
def test_fault_of_a_theme_file_has_its_line(tmp_path: Path, text: str, line: int, code: str) -> None:
    with pytest.raises(InstrumentError) as error:
        read_theme(theme_file(tmp_path, text))
    assert (error.value.issues[0].where, error.value.issues[0].code) == (f"theme.yaml:{line}", code)


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(InstrumentError) as error:
        read_theme(theme_file(tmp_path, 'primary: "#ffff00"\naccent: "red"\nlogo: no.png\n'))
    assert len(error.value.issues) == 3


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a",
        SVG.replace(b"<rect", b"<script>alert(1)</script><rect"),
        SVG.replace(b"<rect", b'<rect onclick="x()"'),
        SVG.replace(b"<rect", b'<image href="http://x.example/a.png"/><rect'),
        SVG.replace(b"<rect", b'<use href="http://x.example/a.svg#b"/><rect'),
        SVG.replace(b"<rect", b'<rect fill="url(http://x.example/a)"'),
        SVG.replace(b"<rect", b'<style>@import "http://x.example/a.css";</style><rect'),
        SVG.replace(b"<rect", b'<foreignObject xmlns:h="http://www.w3.org/1999/xhtml"><h:p/></foreignObject><rect'),
        b'<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG,
        SVG.replace(b"120 40", b"8 8"),
        SVG.replace(b"120 40", b"9000 40"),
        SVG.replace(b"</svg>", b""),
        SVG + b" " * 500_001,
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 60,
    ],
)
def test_logo_that_is_active_broken_or_of_no_fit_size_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="logo"):
        Logo(content)


def test_svg_becomes_a_png_of_the_same_shape() -> None:
    png = Logo(Logo(SVG).png())
    assert png.kind == "png"
    assert png.width / png.height == pytest.approx(3.0, rel=0.02)
    assert Logo(png.content).png() == png.content


def test_page_and_workbook_carry_the_logo(diagnosis: Diagnosis, tmp_path: Path) -> None:
    theme = Theme(organisation="Example Ltd", logo=Logo(SVG))
    page = write_html(diagnosis, tmp_path / "report.html", theme=theme).read_text(encoding="utf-8")
    assert f'src="{theme.logo.data_uri()}" alt="Example Ltd"' in page  # type: ignore[union-attr]
    assert "img-src data:;" in page
    with zipfile.ZipFile(write_excel(diagnosis, tmp_path / "report.xlsx", theme=theme)) as book:
        assert any(name.startswith("xl/media/") for name in book.namelist())
