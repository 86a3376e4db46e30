"""Roll-ups: the service triangle, and references that lead nowhere."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from servicediag.errors import InstrumentError
from servicediag.instrument import Rollup, RollupPart, lint_catalogue, load_instrument, load_rollups

FILE = "_rollups.yaml"
GOOD = """\
rollups:
  - id: port
    title: {en: The port}
    source: Our inference.
    evidence: I
    parts:
      - id: water
        title: {en: Water}
        references: [harbour/calm, hrb_late_1]
      - id: land
        title: {en: Land}
        references: [kitchen/heat]
"""


def test_rollup_is_read_as_it_is_written(catalogue: SimpleNamespace) -> None:
    catalogue.write(FILE, GOOD)
    water = RollupPart("water", {"en": "Water"}, ("harbour/calm", "hrb_late_1"))
    land = RollupPart("land", {"en": "Land"}, ("kitchen/heat",))
    assert load_rollups(root=catalogue.root) == (
        Rollup("port", {"en": "The port"}, "Our inference.", "I", (), (water, land)),
    )
    assert lint_catalogue(root=catalogue.root) == ()


def test_catalogue_without_rollups(catalogue: SimpleNamespace) -> None:
    assert load_rollups(root=catalogue.root) == ()


@pytest.mark.parametrize(
    ("old", "new", "code", "place"),
    [
        ("harbour/calm", "harbor/calm", "unknown_instrument", "references: [harbor"),
        ("harbour/calm", "harbour/clam", "unknown_dimension", "harbour/clam"),
        ("hrb_late_1", "hrb_late_2", "unknown_item", "hrb_late_2"),
        ("kitchen/heat", "harbour/calm", "duplicate_id", "references: [harbour/calm]"),
        ("id: land", "id: water", "duplicate_id", None),
        ("title: {en: Land}", "title: {fr: Terre}", "missing_text", "Terre"),
        ("    source: Our inference.\n", "", "missing_key", "id: port"),
        ("evidence: I", "evidence: maybe", "unknown_value", "evidence: maybe"),
        ("[kitchen/heat]", "[kitchen heat]", "invalid_value", "kitchen heat"),
        ("[kitchen/heat]", "[]", "invalid_value", "references: []"),
    ],
)
def test_fault__error_with_line(catalogue: SimpleNamespace, old: str, new: str, code: str, place: str | None) -> None:
    catalogue.write(FILE, GOOD)
    catalogue.edit(FILE, old, new)
    with pytest.raises(InstrumentError) as caught:
        load_rollups(root=catalogue.root)
    found = [(issue.code, issue.where) for issue in caught.value.issues]
    assert code in [one for one, _ in found]
    if place is not None:
        assert (code, catalogue.line(FILE, place)) in found
    assert set(found) <= {(issue.code, issue.where) for issue in lint_catalogue(root=catalogue.root)}


def test_unknown_reference_suggests_the_nearest(catalogue: SimpleNamespace) -> None:
    catalogue.write(FILE, GOOD.replace("hrb_late_1", "hrb_lat_1"))
    with pytest.raises(InstrumentError, match="Did you mean 'hrb_late_1'"):
        load_rollups(root=catalogue.root)


def test_the_service_triangle_has_its_three_sides_and_claims_no_source() -> None:
    (triangle,) = load_rollups()
    assert (triangle.id, triangle.evidence) == ("service-triangle", "I")
    assert [part.id for part in triangle.parts] == ["strategy", "systems", "people"]
    assert "title only" in triangle.source
    assert "inference" in triangle.source


def test_the_sides_of_the_triangle_hold_strengths_only() -> None:
    directions = set()
    for part in load_rollups()[0].parts:
        for reference in part.references:
            instrument, slash, dimension = reference.partition("/")
            if slash:
                directions.add(load_instrument(instrument).dimension(dimension).direction)
    assert directions == {"strength"}


def test_all_eight_attitudes_are_on_the_side_of_people() -> None:
    people = load_rollups()[0].parts[2].references
    attitudes = [f"employee-attitudes/{d.id}" for d in load_instrument("employee-attitudes").dimensions]
    assert [name for name in people if name.startswith("employee-attitudes/")] == attitudes
