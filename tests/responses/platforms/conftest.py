"""Ways to write synthetic exports of every platform's shape, with answers to the harbour instrument."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

LABELS = ("Never", "Rarely", "Sometimes", "Often", "Almost always")


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as delimited text: ``export(rows, delimiter=";", encoding="utf-8-sig")``."""

    def write(
        rows: Sequence[Sequence[object]], name: str = "export.csv", delimiter: str = ",", encoding: str = "utf-8"
    ) -> Path:
        path = tmp_path / name
        with path.open("w", encoding=encoding, newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows(rows)
        return path

    return write


@pytest.fixture
def questions(harbour) -> list[str]:
    """The six questions of the form guest."""
    return [harbour.text(item.code, "guest") for item in harbour.items]


@pytest.fixture
def labels() -> Callable[[int], list[str]]:
    """Six answers as labels; respondent ``i`` answers the first question with the code ``i % 5 + 1``."""
    return lambda i: [LABELS[(i + j) % 5] for j in range(6)]


@pytest.fixture
def numbers() -> Callable[[int], list[int]]:
    """The same answers as codes."""
    return lambda i: [(i + j) % 5 + 1 for j in range(6)]


@pytest.fixture
def check() -> Callable[..., None]:
    """Assert that responses are of a platform and hold the answers that ``labels`` and ``numbers`` make."""

    def test(responses, platform: str, n_rows: int, respondents: Sequence[int], method: str = "text") -> None:
        intake = responses.intake
        assert (intake.platform, intake.n_rows, intake.n_kept) == (platform, n_rows, len(respondents))
        assert set(intake.matches["method"]) == {method}
        assert len(responses.answers.columns) == 6
        for j, code in enumerate(responses.answers):
            assert responses.answers[code].tolist() == [(i + j) % 5 + 1 for i in respondents]

    return test
