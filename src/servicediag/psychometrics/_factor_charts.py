"""Charts of factor and item response results, made with altair when asked for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["item_curves", "loading_heatmap", "residual_heatmap", "residual_heatmaps", "scree_plot"]

_BLUE, _RED = "#2166ac", "#b2182b"
_DARK, _LIGHT = "#1a1a1a", "#8c8c8c"  # told apart in grey print too
_SALIENT = 0.30  # loadings from which an item is said to measure a factor
_NOTABLE = 0.10  # residual correlations that are printed


def scree_plot(table: pd.DataFrame, subtitle: str) -> Any:
    """Eigenvalues of the answers, with the percentile of the simulated ones as a dashed line."""
    import altair as alt

    rows = []
    panels = ["Common factors", "Components"]
    for kind, panel in zip(("factor", "component"), panels, strict=True):
        for column, line in ((kind, "answers"), (f"{kind}_limit", "unrelated items")):
            rows += [(panel, line, at + 1, float(value)) for at, value in enumerate(table[column])]
    data = pd.DataFrame(rows, columns=["panel", "line", "number", "eigenvalue"])
    lines = ["answers", "unrelated items"]
    last = len(table)
    base = alt.Chart(data).encode(
        x=alt.X("number:Q", title="Number", axis=alt.Axis(tickMinStep=1), scale=alt.Scale(domain=[1, last])),
        y=alt.Y("eigenvalue:Q", title="Eigenvalue"),
        color=alt.Color("line:N", title=None, scale=alt.Scale(domain=lines, range=[_DARK, _LIGHT])),
        tooltip=["line:N", "number:Q", alt.Tooltip("eigenvalue:Q", format=".3f")],
    )
    dashes = alt.StrokeDash("line:N", title=None, scale=alt.Scale(domain=lines, range=[[1, 0], [6, 4]]))
    shapes = alt.Shape("line:N", title=None, scale=alt.Scale(domain=lines, range=["circle", "triangle-up"]))
    whole = alt.layer(base.mark_line().encode(strokeDash=dashes), base.mark_point(filled=True).encode(shape=shapes))
    factors, components = int(table["factor_kept"].sum()), int(table["component_kept"].sum())
    title = f"{_counted(factors, 'factor')} and {_counted(components, 'component')} stand out from unrelated items"
    return (
        whole.properties(width=300, height=240)
        .facet(column=alt.Column("panel:N", title=None, sort=panels))
        .properties(title=alt.TitleParams(title, subtitle=subtitle))
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def loading_heatmap(loadings: pd.DataFrame) -> Any:
    """Pattern loadings, items x factors, with the number in each cell."""
    salient = (loadings.abs() >= _SALIENT).sum(axis=1)
    title = f"{int((salient == 1).sum())} of {len(loadings)} items load on one factor only"
    subtitle = f"Loadings of {_SALIENT:.2f} or more, either sign, count"
    names = [str(name) for name in loadings.columns]
    return _heatmap(_long(loadings, "factor"), "factor", names, _labels(loadings.index), (title, subtitle), 1.0)


def residual_heatmap(residuals: pd.DataFrame, label: str = "") -> Any:
    """Residual correlations, items x items; the diagonal is left out."""
    names = _labels(residuals.index)
    table = residuals.set_axis(names, axis=0).set_axis(names, axis=1)
    table = table.where(~np.eye(len(table), dtype=bool))
    sizes = np.abs(np.nan_to_num(table.to_numpy(dtype=float)))
    first, second = np.unravel_index(int(sizes.argmax()), sizes.shape)
    title = f"No residual correlation reaches {_NOTABLE:.2f}"
    if sizes.max() >= _NOTABLE:
        value = float(table.to_numpy()[first, second])
        title = f"Largest residual correlation {value:.2f}: {names[first]} with {names[second]}"
    subtitle = f"Observed minus implied correlations; printed from {_NOTABLE:.2f}"
    titles = (f"{label}: {title}" if label else title, subtitle)
    return _heatmap(_long(table, "with"), "with", names, names, titles, max(_NOTABLE, sizes.max()), _NOTABLE)


def residual_heatmaps(residuals: Sequence[tuple[str, pd.DataFrame]]) -> Any:
    """One for each group, beside each other."""
    import altair as alt

    return alt.concat(*[residual_heatmap(table, label) for label, table in residuals], columns=2)


def item_curves(curves: Mapping[Hashable, pd.DataFrame], information: pd.DataFrame) -> Any:
    """For each item the probability of every answer over the levels; below, information of items and test."""
    import altair as alt

    names = dict(zip(curves, _labels(pd.Index(list(curves), tupleize_cols=False)), strict=True))
    parts = []
    for item, frame in curves.items():
        part = frame.set_axis([f"{value:g}" for value in frame.columns], axis=1)
        long = part.rename_axis("theta").reset_index().melt("theta", var_name="category", value_name="probability")
        parts.append(long.assign(item=names[item]))
    categories = sorted({value for frame in curves.values() for value in frame.columns})
    answers_in_order = [f"{value:g}" for value in categories]
    answers = (
        alt.Chart(_rows(pd.concat(parts, ignore_index=True)))
        .mark_line()
        .encode(
            x=alt.X("theta:Q", title="Level (standard deviations)"),
            y=alt.Y("probability:Q", title="Probability"),
            color=alt.Color("category:O", title="Answer", sort=answers_in_order, scale=alt.Scale(scheme="viridis")),
            tooltip=["item:N", "category:O", "theta:Q", alt.Tooltip("probability:Q", format=".2f")],
        )
        .properties(width=170, height=120)
        .facet(facet=alt.Facet("item:N", title=None, sort=list(names.values())), columns=4)
    )
    wide = information.set_axis([names[item] for item in information.columns], axis=1)
    wide = wide.assign(**{"whole test": information.sum(axis=1)})
    long = wide.rename_axis("theta").reset_index().melt("theta", var_name="curve", value_name="information")
    domain = alt.Scale(domain=["whole test", *names.values()])
    amounts = (
        alt.Chart(_rows(long))
        .mark_line()
        .encode(
            x=alt.X("theta:Q", title="Level (standard deviations)"),
            y=alt.Y("information:Q", title="Information"),
            color=alt.Color("curve:N", title="Information of", scale=domain),
            strokeDash=alt.StrokeDash("curve:N", title="Information of", scale=domain),
            strokeWidth=alt.condition("datum.curve == 'whole test'", alt.value(3), alt.value(1.5)),
            tooltip=["curve:N", "theta:Q", alt.Tooltip("information:Q", format=".2f")],
        )
        .properties(width=420, height=240)
    )
    total = information.sum(axis=1)
    best = float(total.index[int(total.to_numpy().argmax())])
    most, title = float(total.max()), "The items say nothing about these levels"
    if most > 0:
        title = f"Scores are most precise around level {best:.1f}, with a standard error of {most**-0.5:.2f}"
    both = alt.vconcat(answers, amounts).resolve_scale(color="independent", strokeDash="independent")
    return both.properties(title=alt.TitleParams(title, subtitle="Graded response model"))


def _rows(table: pd.DataFrame) -> Any:
    """The rows of a table as they are: altair refuses tables of more than 5000, which many items soon have."""
    import altair as alt

    rows: list[dict[str, Any]] = [
        dict(zip(table.columns, row, strict=True)) for row in table.dropna().to_numpy().tolist()
    ]
    return alt.InlineData(values=rows)


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


def _heatmap(
    data: pd.DataFrame,
    column: str,
    columns: list[str],
    items: list[str],
    titles: tuple[str, str],
    largest: float,
    printed: float = 0.0,
) -> Any:
    import altair as alt

    base = alt.Chart(_rows(data)).encode(
        x=alt.X(f"{column}:N", title=None, sort=columns, axis=alt.Axis(orient="top", labelAngle=-40)),
        y=alt.Y("item:N", title=None, sort=items),
    )
    cells = base.mark_rect().encode(
        color=alt.Color(
            "value:Q",
            title=None,
            scale=alt.Scale(domain=[-largest, 0, largest], range=[_RED, "#ffffff", _BLUE], interpolate="rgb"),
        ),
        tooltip=["item:N", f"{column}:N", alt.Tooltip("value:Q", format=".3f")],
    )
    shown = base.transform_filter(f"abs(datum.value) >= {printed}")
    numbers = shown.mark_text(fontSize=10).encode(
        text=alt.Text("value:Q", format=".2f"),
        color=alt.condition(f"abs(datum.value) > {0.6 * largest}", alt.value("white"), alt.value("black")),
    )
    return alt.layer(cells, numbers).properties(
        title=alt.TitleParams(titles[0], subtitle=titles[1], anchor="start"),
        width=max(60, (30 if printed else 46) * len(columns)),
        height=max(60, 20 * len(items)),
    )
