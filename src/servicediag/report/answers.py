"""The answers to each item as rows of shares, from the least to the most favourable answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from servicediag.diagnosis.model import Diagnosis
from servicediag.report.publication import blank_to_none

__all__ = ["Bar", "Block", "Questionnaire", "answer_rows", "questionnaires", "turned_items"]

_PLACE = ("instrument", "form", "rater", "wave")
_ROW = ("by", "unit", "rater", "form", "wave", "instrument", "dimension", "item")

_TIE = 0.1
"""Points of health, summed over the units, that rounding alone can make."""


@dataclass(frozen=True)
class Bar:
    """One item; ``shares`` are those of the block's options, in their order."""

    dimension: str
    item: str
    text: str
    n: int
    shares: tuple[float, ...]

    @property
    def unfavourable(self) -> float:
        """Share of the answers below the middle of the scale."""
        return sum(self.shares[: len(self.shares) // 2])


@dataclass(frozen=True)
class Block:
    """Items that share a response scale and its direction; ``options`` run from the least favourable answer."""

    options: tuple[str, ...]
    bars: tuple[Bar, ...]

    @property
    def has_middle(self) -> bool:
        return len(self.options) % 2 == 1


@dataclass(frozen=True)
class Questionnaire:
    """The answers of the whole organisation to one questionnaire in one form."""

    instrument: str
    form: str | None
    rater: str | None
    wave: str | None
    blocks: tuple[Block, ...]

    @property
    def bars(self) -> tuple[Bar, ...]:
        return tuple(bar for block in self.blocks for bar in block.bars)


def questionnaires(diagnosis: Diagnosis) -> list[Questionnaire]:
    """The answers of the whole organisation, each questionnaire at the last wave that it has."""
    whole = diagnosis.answers[diagnosis.answers["unit"].isna()]
    newest: dict[tuple[Any, ...], pd.DataFrame] = {}
    for key, inside in whole.groupby(list(_PLACE), sort=False, dropna=False):
        instrument, form, rater, wave = (blank_to_none(part) for part in key)
        last = newest.get((instrument, form, rater))
        if last is None or str(wave) > str(blank_to_none(last["wave"].iloc[0])):
            newest[instrument, form, rater] = inside
    turned = turned_items(diagnosis)
    texts = _texts(diagnosis)
    return [
        Questionnaire(
            instrument,
            form,
            rater,
            wave=blank_to_none(inside["wave"].iloc[0]),
            blocks=tuple(_blocks(inside, turned, texts)),
        )
        for (instrument, form, rater), inside in newest.items()
    ]


def answer_rows(answers: pd.DataFrame) -> Iterable[dict[str, Any]]:
    """A row a unit and item: its place, its answers in words, ``n``, and ``share_<code>`` for each code."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    places = zip(*(map(blank_to_none, answers[name].tolist()) for name in _ROW), strict=True)
    cells = zip(*(answers[name].tolist() for name in ("n", "code", "label", "share")), strict=True)
    for place, (n, code, label, share) in zip(places, cells, strict=True):
        row = rows.get(place)
        if row is None:
            row = rows[place] = {**dict(zip(_ROW, place, strict=True)), "n": n, "options": []}
        row[f"share_{code}"] = share
        row["options"].append(f"{code} {label}")
    for row in rows.values():
        row["options"] = ", ".join(row["options"])
    return rows.values()


def _blocks(inside: pd.DataFrame, turned: frozenset[tuple[Any, ...]], texts: Mapping[Any, str]) -> Iterable[Block]:
    found: dict[tuple[str, ...], list[Bar]] = {}
    for (dimension, item), rows in inside.groupby(["dimension", "item"], sort=False, dropna=False):
        ordered = rows.sort_values("code", kind="stable")
        first = ordered.iloc[0]
        options, shares = [str(label) for label in ordered["label"]], [float(share) for share in ordered["share"]]
        if (first["instrument"], first["form"], item) in turned:
            options, shares = options[::-1], shares[::-1]
        bar = Bar(str(dimension), str(item), texts.get((first["form"], item), str(item)), int(first["n"]),
                  tuple(shares))  # fmt: skip
        found.setdefault(tuple(options), []).append(bar)
    return [Block(options, tuple(bars)) for options, bars in found.items()]


def _texts(diagnosis: Diagnosis) -> dict[tuple[Any, Any], str]:
    items = diagnosis.items.dropna(subset=["text"])
    return dict(zip(zip(items["form"], items["item"], strict=True), items["text"], strict=True))


def turned_items(diagnosis: Diagnosis) -> frozenset[tuple[Any, ...]]:
    """Items (instrument, form, item) whose high codes are the unfavourable ones.

    Told by the published health, which lies at the mean code or at its mirror image; where the two cannot be told
    apart, by the direction of the dimension.
    """
    health = {_item_place(row): row["health"] for row in diagnosis.items.to_dict("records")}
    evidence = diagnosis.evidence
    weak = evidence[evidence["direction_of_scale"] == "weakness"]
    weaknesses = set(zip(weak["instrument"], weak["dimension"], strict=True))
    misfit: dict[tuple[Any, ...], float] = {}
    for row in _mean_codes(diagnosis.answers):
        item = (row["instrument"], row["form"], row["item"])
        known = blank_to_none(health.get(_item_place(row)))
        # a tie goes to the dimension's direction
        own = misfit.setdefault(item, -_TIE if (row["instrument"], row["dimension"]) in weaknesses else _TIE)
        if known is not None:
            misfit[item] = own + abs(100 - row["mean"] - known) - abs(row["mean"] - known)
    return frozenset(item for item, difference in misfit.items() if difference < 0)


def _mean_codes(answers: pd.DataFrame) -> list[dict[str, Any]]:
    """The mean answer of each row of shares, 0 to 100, in the direction of the codes."""
    if answers.empty:
        return []
    codes, shares = answers["code"].astype(float), answers["share"].astype(float)
    keys = list(_ROW)
    table = answers[keys].assign(code=codes, product=codes * shares, total=shares)
    sums = table.groupby(keys, sort=False, dropna=False).agg(
        low=("code", "min"), high=("code", "max"), product=("product", "sum"), total=("total", "sum")
    )
    span = (sums["high"] - sums["low"]) * sums["total"]
    sums = sums.assign(mean=100 * (sums["product"] - sums["low"] * sums["total"]) / span.where(span > 0))
    known = sums.dropna(subset=["mean"]).reset_index()[[*keys, "mean"]]
    return [{str(k): v for k, v in row.items()} for row in known.to_dict("records")]


def _item_place(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    return tuple(blank_to_none(row[name]) for name in ("by", "unit", "instrument", "form", "wave", "item"))
