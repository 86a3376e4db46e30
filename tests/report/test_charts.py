"""Charts show the numbers of the frames, hide what is withheld, and never read text from data as an expression."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from servicediag.diagnosis.model import Diagnosis
from servicediag.errors import InsufficientDataError
from servicediag.report import Theme, charts, plot
from servicediag.report.cells import Grouping, groupings
from servicediag.report.charts import Frame
from servicediag.report.labels import Labels
from servicediag.report.plain_text import display_width
from servicediag.report.publication import printable
from servicediag.report.svg import to_svg
from servicediag.report.theme import MINIMUM_CONTRAST, contrast
from servicediag.wording.numbers import probability

BY = Grouping("department", None)


def frame_of(diagnosis: Diagnosis) -> Frame:
    published = printable(diagnosis)
    return Frame(published, Labels.of(published, "en"), Theme())


def layers(spec: Any) -> Iterator[dict[str, Any]]:
    """Every layer of a chart, however deep."""
    if "mark" in spec:
        yield spec
    for key in ("layer", "hconcat", "vconcat"):
        for inner in spec.get(key, ()):
            yield from layers(inner)


def records(spec: Any, kind: str, *fields: str) -> list[dict[str, Any]]:
    found = [record for layer in layers(spec) if layer["mark"]["type"] == kind for record in layer["data"]["values"]]
    return [record for record in found if all(field in record for field in fields)]


def every_chart(diagnosis: Diagnosis) -> dict[str, dict[str, Any]]:
    frame = frame_of(diagnosis)
    drawn = {
        "heatmap": charts.heatmap(frame, BY),
        "gaps": charts.gaps(frame),
        "readiness": charts.readiness(frame, BY),
        "bottleneck": charts.bottleneck(frame, BY),
        "dumbbell": charts.dumbbell(frame),
    }
    return {name: chart for name, chart in drawn.items() if chart is not None}


def test_heatmap_holds_every_published_cell_once(diagnosis: Diagnosis) -> None:
    chart = charts.heatmap(frame_of(diagnosis), BY)
    shown = sorted(record["health"] for record in records(chart, "rect", "health"))
    assert shown == sorted(printable(diagnosis).evidence["health"])


def test_number_in_a_cell_is_its_health(diagnosis: Diagnosis) -> None:
    for record in records(charts.heatmap(frame_of(diagnosis), BY), "rect", "health"):
        assert record["text"] == f"{record['health']:.0f}"
        assert record["shade"] == Theme().health_colour(record["health"])
        assert contrast(record["shade"], record["ink"]) >= MINIMUM_CONTRAST


def test_withheld_cells_hold_no_number(diagnosis: Diagnosis) -> None:
    hidden = [r for r in records(charts.heatmap(frame_of(diagnosis), BY), "rect", "state") if r["state"] == "withheld"]
    assert len(hidden) == len(diagnosis.withheld)
    assert all(set(record) == {"row", "column", "state", "text"} for record in hidden)


def test_withheld_entry_without_dimension_hides_the_whole_unit(diagnosis: Diagnosis) -> None:
    unit = "Home delivery"
    evidence = diagnosis.evidence[diagnosis.evidence["unit"] != unit]
    entry = {"by": "department", "unit": unit, "rule": "minimum_group"}
    withheld = pd.DataFrame([{**dict.fromkeys(diagnosis.withheld.columns), **entry}])
    chart = charts.heatmap(frame_of(replace(diagnosis, evidence=evidence, withheld=withheld)), BY)
    states = {record["state"] for record in records(chart, "rect", "state") if record["row"] == unit}
    assert states == {"withheld"}


def test_triangles_mark_what_is_established_or_likely(diagnosis: Diagnosis) -> None:
    chart = charts.heatmap(frame_of(diagnosis), BY)
    marked = [
        layer
        for layer in layers(chart)
        if layer["mark"].get("shape", "").startswith("triangle")
        and "row" in layer["encoding"].get("y", {}).get("field", "")
    ]
    evidence = diagnosis.evidence[diagnosis.evidence["tier"].isin(["established", "likely"])]
    found = {
        (layer["mark"]["shape"], layer["mark"]["fill"]): found
        for layer in marked
        if (found := sum(len(other["data"]["values"]) for other in marked if other["mark"] == layer["mark"]))
    }
    expected = {
        (
            {"worse": "triangle-down", "better": "triangle-up"}[direction],
            {"established": "black", "likely": "white"}[tier],
        ): n
        for (direction, tier), n in evidence.groupby(["direction", "tier"]).size().items()
    }
    assert found == expected


def test_gap_plot_shows_the_gaps_sorted_with_their_intervals(diagnosis: Diagnosis) -> None:
    chart = charts.gaps(frame_of(diagnosis))
    lines = list(records(chart, "rule", "gap", "tier"))
    known = printable(diagnosis).evidence
    known = known[known["tier"].notna()].sort_values("gap")
    assert [(r["gap"], r["low"], r["high"]) for r in lines] == list(
        known[["gap", "gap_low", "gap_high"]].itertuples(index=False, name=None)
    )


def test_tier_is_told_by_shape_and_not_only_by_colour(diagnosis: Diagnosis) -> None:
    points = [layer for layer in layers(charts.gaps(frame_of(diagnosis))) if layer["mark"]["type"] == "point"]
    shapes = {
        record["tier"]: layer["mark"]["shape"]
        for layer in points
        for record in layer["data"]["values"]
        if "tier" in record
    }
    assert len(set(shapes.values())) == len(shapes) == 3


@pytest.mark.parametrize("smallest", [5.0, 8.0])
def test_band_is_the_smallest_gap_of_the_method(diagnosis: Diagnosis, smallest: float) -> None:
    changed = replace(diagnosis, method={**diagnosis.method, "smallest_gap": smallest})
    (band,) = list(records(charts.gaps(frame_of(changed)), "rect", "low"))
    assert (band["low"], band["high"]) == (-smallest, smallest)


def test_readiness_shows_levels_and_probabilities_of_the_frame(diagnosis: Diagnosis) -> None:
    chart = charts.readiness(frame_of(diagnosis), BY)
    table = printable(diagnosis).readiness
    levels = sorted(record["health"] for record in records(chart, "point", "health"))
    assert levels == sorted(table[["know", "want", "can"]].to_numpy().ravel())
    chances = [layer for layer in layers(chart) if layer["mark"].get("fontSize") == 13 and "color" in layer["encoding"]]
    shown = [record["text"] for layer in chances for record in layer["data"]["values"]]
    expected = table[["p_lowest_know", "p_lowest_want", "p_lowest_can"]].to_numpy().ravel()
    assert sorted(shown) == sorted(probability(chance) for chance in expected)


def test_readiness_intervals_are_those_of_the_evidence(diagnosis: Diagnosis) -> None:
    spans = {(r["low"], r["high"]) for r in records(charts.readiness(frame_of(diagnosis), BY), "rule", "low")}
    known = printable(diagnosis).evidence
    known = known[(known["instrument"] == "readiness") & known["dimension"].isin(["know", "want", "can"])]
    assert spans == set(known[["ci_low", "ci_high"]].itertuples(index=False, name=None))


def test_only_a_named_bottleneck_is_framed(diagnosis: Diagnosis) -> None:
    framed = [
        layer for layer in layers(charts.bottleneck(frame_of(diagnosis), BY)) if layer["mark"].get("strokeWidth") == 3
    ]
    (record,) = [record for layer in framed for record in layer["data"]["values"]]
    assert (record["row"], record["column"]) == ("Customer contact centre", "Can")


def test_dumbbell_has_both_sides_of_every_provision_gap(diagnosis: Diagnosis) -> None:
    ends = records(charts.dumbbell(frame_of(diagnosis)), "point", "rater")
    assert {record["rater"] for record in ends} == {"employees", "supervisors"}
    assert len(ends) == 2 * sum(finding.kind == "provision_gap" for finding in diagnosis.findings)


def test_side_that_is_withheld_takes_the_pair_out_of_the_drawing(diagnosis: Diagnosis) -> None:
    evidence = diagnosis.evidence[diagnosis.evidence["rater"] != "supervisor"]
    assert charts.dumbbell(frame_of(replace(diagnosis, evidence=evidence))) is None


def test_no_chart_holds_an_expression(
    diagnosis: Diagnosis, spoilt: Callable[[Diagnosis, str], Diagnosis], hostile_texts: Any
) -> None:
    def keys(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, entry in value.items():
                yield key
                if key != "values":
                    yield from keys(entry)
        elif isinstance(value, list):
            for entry in value:
                yield from keys(entry)

    for chart in every_chart(spoilt(diagnosis, hostile_texts.template)).values():
        assert not {"expr", "signal", "transform", "calculate", "params", "url", "href", "format"} & set(keys(chart))


def test_hostile_names_are_drawn_as_text(
    diagnosis: Diagnosis, spoilt: Callable[[Diagnosis, str], Diagnosis], hostile_texts: Any
) -> None:
    for text in hostile_texts.every:
        for name, chart in every_chart(spoilt(diagnosis, text)).items():
            drawn = to_svg(chart, figure=name, title=text, description=text)
            tags = {element.tag for element in ElementTree.fromstring(drawn).iter()}
            assert tags <= {"svg", "title", "desc", "defs", "pattern", "rect", "path", "g", "line", "text", "tspan"}


def test_drawing_refers_to_nothing_outside_and_has_title_and_description(diagnosis: Diagnosis) -> None:
    for name, chart in every_chart(diagnosis).items():
        root = ElementTree.fromstring(to_svg(chart, figure=name, title="A < B & C", description="say it"))
        assert root.attrib["role"] == "img"
        assert [root[0].text, root[1].text] == ["A < B & C", "say it"]
        assert root.attrib["aria-labelledby"].split() == [root[0].attrib["id"], root[1].attrib["id"]]
        ids = {element.attrib["id"] for element in root.iter() if "id" in element.attrib}
        for element in root.iter():
            for attribute, value in element.attrib.items():
                assert "http" not in value
                assert not attribute.startswith("on")
                assert "url(" not in value or value[5:-1] in ids
        assert all(identifier.startswith(f"{name}-") for identifier in ids)


def test_same_diagnosis_gives_the_same_drawing(diagnosis: Diagnosis) -> None:
    first, second = (every_chart(diagnosis) for _ in range(2))
    for name in first:
        drawn = {to_svg(chart[name], figure=name, title="t", description="d") for chart in (first, second)}
        assert len(drawn) == 1


def test_withheld_cells_are_hatched(diagnosis: Diagnosis) -> None:
    drawn = to_svg(every_chart(diagnosis)["heatmap"], figure="f", title="t", description="d")
    assert drawn.count("url(#f-hatch)") == len(diagnosis.withheld)


def test_names_fit_their_place(diagnosis: Diagnosis) -> None:
    chart = every_chart(diagnosis)["heatmap"]
    for record in records(chart, "text", "line"):
        assert display_width(record["line"]) <= charts.UNIT_COLUMNS
    for layer in layers(chart):
        for record in layer["data"]["values"]:
            assert all(display_width(line) <= charts.HEAD_COLUMNS for line in record.get("column", "").split("\n"))


def test_texts_on_one_line_do_not_overlap(diagnosis: Diagnosis) -> None:
    """Widths are estimated as 0.62 of the size for each column, which is wider than the font draws."""
    heads = [layer for layer in layers(every_chart(diagnosis)["heatmap"]) if layer["mark"].get("baseline") == "bottom"]
    for layer in heads:
        for record in layer["data"]["values"]:
            widest = max(display_width(line) for line in record.get("column", "").split("\n"))
            assert widest * 0.55 * layer["mark"]["fontSize"] <= 1.25 * charts.CELL_WIDTH


def test_large_study_is_cut_to_what_a_page_holds(diagnosis: Diagnosis) -> None:
    one = diagnosis.evidence[diagnosis.evidence["unit"] == "Billing and payments"]
    many = pd.concat([one.assign(unit=f"Unit {number:03d}") for number in range(120)], ignore_index=True)
    chart = charts.heatmap(frame_of(replace(diagnosis, evidence=many, findings=())), BY)
    rows = {record["row"] for record in records(chart, "rect", "health")}
    assert len(rows) == charts.MAXIMUM_ROWS


def test_units_follow_the_findings_and_are_not_ranked_by_score(diagnosis: Diagnosis) -> None:
    first = next(layers(every_chart(diagnosis)["heatmap"]))
    domain = first["encoding"]["y"]["scale"]["domain"]
    troubled = list(dict.fromkeys(f.unit for f in diagnosis.top(99) if f.unit is not None))
    assert domain[0] == "Whole organisation"
    assert domain[1 : 1 + len(troubled)] == troubled


def test_groupings_are_kept_apart(diagnosis: Diagnosis) -> None:
    other = diagnosis.evidence[diagnosis.evidence["unit"] == "Home delivery"].assign(by="shift", unit="Night")
    both = replace(diagnosis, evidence=pd.concat([diagnosis.evidence, other], ignore_index=True))
    assert groupings(printable(both)) == [Grouping("department", None), Grouping("shift", None)]
    chart = charts.heatmap(frame_of(both), Grouping("shift", None))
    assert {record["row"] for record in records(chart, "rect", "health")} == {"Whole organisation", "Night"}


@pytest.mark.parametrize("kind", ["gaps", "heatmap", "readiness", "bottleneck", "provision_gap"])
def test_plot_gives_an_altair_chart_with_the_data(diagnosis: Diagnosis, kind: str) -> None:
    chart = plot(diagnosis, kind)
    assert type(chart).__module__.startswith("altair")
    assert "Customer contact centre" in json.dumps(chart.to_dict())


def test_plot_of_an_unknown_kind_names_the_choices(diagnosis: Diagnosis) -> None:
    with pytest.raises(ValueError, match="readiness"):
        plot(diagnosis, "pie")


@pytest.mark.parametrize("kind", ["gaps", "readiness", "bottleneck", "provision_gap"])
def test_plot_of_nothing_says_so(empty_diagnosis: Diagnosis, kind: str) -> None:
    with pytest.raises(InsufficientDataError, match=kind):
        plot(empty_diagnosis, kind)


def test_questionnaire_of_which_no_unit_may_be_shown_takes_one_row(diagnosis: Diagnosis) -> None:
    evidence = diagnosis.evidence
    side = (evidence["rater"] == "supervisor") & evidence["unit"].notna()
    hidden = evidence.loc[side, ["by", "unit", "rater", "form", "wave", "instrument", "dimension"]].assign(
        rule="minimum_group"
    )
    chart = charts.heatmap(frame_of(replace(diagnosis, evidence=evidence[~side], withheld=hidden)), BY)
    rows = [record for record in records(chart, "rect", "state") if record["state"] == "withheld"]
    assert {record["row"] for record in rows} == {"Every unit"}
    assert len(rows) == 3
