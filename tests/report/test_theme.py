"""Colours of a theme can be read, on white and on every shade of the heatmap, in colour and in grey."""

from __future__ import annotations

import pytest

from servicediag.report.theme import MINIMUM_CONTRAST, Theme, contrast, mix, readable_on


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
