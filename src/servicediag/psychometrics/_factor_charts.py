"""Charts of factor and item response results, made with altair when asked for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["item_curves", "loading_heatmap", "residual_heatmap", "scree_plot"]

_BLUE, _ORANGE = "#2166ac", "#b2182b"


def scree_plot(table: pd.DataFrame) -> Any:
    """Eigenvalues of the answers, with the percentile of the simulated ones as a dashed line."""
    import altair as alt

    rows = []
    for kind, title in (("component", "Components"), ("factor", "Common factors")):
        for column, line in ((kind, "answers"), (f"{kind}_limit", "unrelated items")):
            rows += [(title, line, at + 1, float(value)) for at, value in enumerate(table[column])]
    data = pd.DataFrame(rows, columns=["panel", "line", "number", "eigenvalue"])
    lines = ["answers", "unrelated items"]
    return (
        alt.Chart(data)
        .mark_line(point=True)
        .encode(
            x=alt.X("number:O", title="Number", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("eigenvalue:Q", title="Eigenvalue"),
            color=alt.Color("line:N", title=None, scale=alt.Scale(domain=lines, range=[_BLUE, _ORANGE])),
            strokeDash=alt.StrokeDash("line:N", title=None, scale=alt.Scale(domain=lines, range=[[1, 0], [6, 4]])),
            tooltip=["line:N", "number:O", alt.Tooltip("eigenvalue:Q", format=".3f")],
        )
        .properties(width=300, height=240)
        .facet(column=alt.Column("panel:N", title=None))
        .properties(title="Parallel analysis")
    )


def loading_heatmap(loadings: pd.DataFrame) -> Any:
    """Pattern loadings, items x factors, with the number in each cell."""
    data = _long(loadings, "factor")
    return _heatmap(data, "factor", [str(name) for name in loadings.columns], _labels(loadings.index), "Loadings", 1.0)


def residual_heatmap(residuals: pd.DataFrame) -> Any:
    """Residual correlations, items x items; the diagonal is left out."""
    names = _labels(residuals.index)
    table = residuals.set_axis(names, axis=0).set_axis(names, axis=1)
    table = table.where(~np.eye(len(table), dtype=bool))
    largest = float(np.nanmax(np.abs(table.to_numpy()), initial=0.1))
    return _heatmap(_long(table, "with"), "with", names, names, "Residual correlations", largest)


def item_curves(curves: Mapping[Hashable, pd.DataFrame], information: pd.DataFrame) -> Any:
    """For each item the probability of every answer over the levels; below, information of items and test."""
    import altair as alt

    names = dict(zip(curves, _labels(pd.Index(list(curves), tupleize_cols=False)), strict=True))
    parts = []
    for item, frame in curves.items():
        part = frame.set_axis([f"{value:g}" for value in frame.columns], axis=1)
        long = part.rename_axis("theta").reset_index().melt("theta", var_name="category", value_name="probability")
        parts.append(long.assign(item=names[item]))
    answers = (
        alt.Chart(pd.concat(parts, ignore_index=True))
        .mark_line()
        .encode(
            x=alt.X("theta:Q", title="Level"),
            y=alt.Y("probability:Q", title="Probability"),
            color=alt.Color("category:N", title="Answer"),
        )
        .properties(width=170, height=120)
        .facet(facet=alt.Facet("item:N", title=None, sort=list(names.values())), columns=4)
    )
    wide = information.set_axis([names[item] for item in information.columns], axis=1)
    wide = wide.assign(**{"whole test": information.sum(axis=1)})
    long = wide.rename_axis("theta").reset_index().melt("theta", var_name="curve", value_name="information")
    amounts = (
        alt.Chart(long)
        .mark_line()
        .encode(
            x=alt.X("theta:Q", title="Level"),
            y=alt.Y("information:Q", title="Information"),
            color=alt.Color("curve:N", title="Information of", sort=["whole test", *names.values()]),
        )
        .properties(width=420, height=240)
    )
    return alt.vconcat(answers, amounts).resolve_scale(color="independent").properties(title="Graded response model")


def _labels(index: pd.Index) -> list[str]:
    """Names as text; where two look alike, the second carries its position."""
    seen: dict[str, int] = {}
    labels = []
    for position, name in enumerate(index):
        text = str(name)
        labels.append(f"{text} [{position + 1}]" if text in seen else text)
        seen[text] = position
    return labels


def _long(table: pd.DataFrame, column: str) -> pd.DataFrame:
    rows = []
    for item, values in zip(_labels(table.index), table.to_numpy(dtype=float), strict=True):
        rows += [(item, str(name), float(value)) for name, value in zip(table.columns, values, strict=True)]
    return pd.DataFrame(rows, columns=["item", column, "value"]).dropna()


def _heatmap(data: pd.DataFrame, column: str, columns: list[str], items: list[str], title: str, largest: float) -> Any:
    import altair as alt

    base = alt.Chart(data).encode(
        x=alt.X(f"{column}:N", title=None, sort=columns, axis=alt.Axis(orient="top", labelAngle=-40)),
        y=alt.Y("item:N", title=None, sort=items),
    )
    cells = base.mark_rect().encode(
        color=alt.Color(
            "value:Q",
            title=None,
            scale=alt.Scale(domain=[-largest, 0, largest], range=[_ORANGE, "#ffffff", _BLUE]),
        ),
        tooltip=["item:N", f"{column}:N", alt.Tooltip("value:Q", format=".3f")],
    )
    numbers = base.mark_text(fontSize=10).encode(
        text=alt.Text("value:Q", format=".2f"),
        color=alt.condition(f"abs(datum.value) > {0.6 * largest}", alt.value("white"), alt.value("black")),
    )
    return alt.layer(cells, numbers).properties(
        title=title, width=max(60, 46 * len(columns)), height=max(60, 20 * len(items))
    )
