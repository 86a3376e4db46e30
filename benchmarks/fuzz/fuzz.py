"""Coverage-guided fuzzing of the doors through which foreign data comes in; needs ``pip install atheris``.

``python benchmarks/fuzz/fuzz.py TARGET -max_total_time=300`` runs one of the targets yaml, headers, labels, csv and
comments from the seeds beside this file, with the options of libFuzzer. Whatever ends in anything but a right result or
an error of the documented kind stops the run, and the input is written down. ``fuzz.py TARGET FILE`` tries one such
input again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["servicediag"]):
    import servicediag as sd
    from servicediag.diagnosis.comment_screening import LONGEST, screened
    from servicediag.diagnosis.themes import load_themes
    from servicediag.errors import InstrumentError, ResponsesError
    from servicediag.instrument.documents import InstrumentDocument, LocaleDocument, ScaleDocument
    from servicediag.instrument.yaml_loader import check_document, load_yaml
    from servicediag.responses import read_responses, text_files
    from servicediag.responses.coding import Conventions, ScaleLabels, code_texts
    from servicediag.responses.model import MISSING_REASONS, missing_code

import pandas as pd
import pyarrow as pa

SEEDS = Path(__file__).parent / "seeds"
INSTRUMENT = sd.load_instrument("seven-sins")
FORM = "customer-short"
ITEMS = [item.code for item in INSTRUMENT.form_items(FORM)]
LABELS = list(INSTRUMENT.options(ITEMS[0], form=FORM).values())
INVISIBLE = {chr(code) for code in (*range(32), 0x7F, 0x200B, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)}
MISSING = {missing_code(reason) for reason in MISSING_REASONS}
WORDS = [
    *ITEMS, *(INSTRUMENT.text(code, form=FORM) for code in ITEMS[:4]), *LABELS, "1", "5", "-99", "", "Branch", "unit",
    "StartDate", "ResponseId", "Q1", "Q1_1", '{"ImportId":"QID1"}', "Respondent ID", "Open-Ended Response", "Timestamp",
    "Marca temporal", "ID", "Start time", "_uuid", "_index", "redcap_event_name", "record_id", "序号", "提交答卷时间",
    "Submission Date", "Network ID", "#", "Response", "lastpage", "submitdate", "startlanguage", "[Other]", "CASE",
]  # fmt: skip


def yaml(data: bytes) -> None:
    """A file of an instrument is plain data, or an error that lists at most 200 faults with their lines."""
    try:
        loaded = load_yaml(data, "x.yaml")
    except InstrumentError as error:
        _check(1 <= len(error.issues) <= 200 and all(issue.where.startswith("x.yaml") for issue in error.issues))
        return
    _assert_plain(loaded.data)
    for document in (InstrumentDocument, LocaleDocument, ScaleDocument):
        _, issues = check_document(loaded, document)
        assert all(len(str(issue)) < 5_000 for issue in issues)


def _check(law: bool) -> None:
    if not law:
        raise AssertionError


def _assert_plain(value: Any) -> None:
    if isinstance(value, dict):
        assert all(type(key) in (str, int) for key in value)
        for entry in value.values():
            _assert_plain(entry)
    elif isinstance(value, list):
        for entry in value:
            _assert_plain(entry)
    else:
        assert value is None or type(value) in (str, int, float, bool)


def headers(data: bytes) -> None:
    """Rows of any words end in answers within the scale or in listed faults, whatever platform they look like."""
    provider = atheris.FuzzedDataProvider(data)
    width = provider.ConsumeIntInRange(1, 18)
    rows = [[_word(provider) for _ in range(width)] for _ in range(provider.ConsumeIntInRange(1, 8))]
    frame = pd.DataFrame(rows[1:], columns=pd.Index(rows[0], dtype=object), dtype=object)
    _read(frame, accept_suggestions=provider.ConsumeBool(), minimum_completed=provider.PickValueInList([0, 0.5]))


def _word(provider: Any) -> str:
    if provider.ConsumeIntInRange(0, 3):
        word = provider.PickValueInList(WORDS)
        return word[: provider.ConsumeIntInRange(0, len(word))] if not provider.ConsumeIntInRange(0, 7) else word
    return provider.ConsumeUnicode(provider.ConsumeIntInRange(0, 12))


def labels(data: bytes) -> None:
    """Texts are codes of the scale, missing answers or refusals, and nothing else."""
    provider = atheris.FuzzedDataProvider(data)
    scale = INSTRUMENT.scale(ITEMS[0], FORM)
    known = ScaleLabels.of(scale)
    texts = [_word(provider) for _ in range(provider.ConsumeIntInRange(1, 12))]
    conventions = Conventions(option_letters=provider.PickValueInList(["", "a", "ao"]))
    coding = code_texts(texts, known, ("en", "es"), ("en",) if provider.ConsumeBool() else (), (), conventions)
    assert len(coding.codes) == len(texts) + 1
    assert set(coding.codes.tolist()) <= set(scale.codes) | MISSING
    refused = {refusal.index for refusal in coding.refusals}
    assert refused <= set(range(len(texts)))
    assert all(coding.codes[index] in MISSING for index in refused)
    for index in coding.numbers:
        assert any(character in "0123456789" for character in _ascii_digits(texts[index]))


def _ascii_digits(text: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFKC", text)


def csv(data: bytes) -> None:
    """Any bytes as a text file, cut into parts, end in answers within the scale or in listed faults."""
    with tempfile.NamedTemporaryFile(suffix=".csv", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as file:
        file.write(data)
        file.flush()
        _read(file.name, unit="Branch")
        _read(file.name)


def comments(data: bytes) -> None:
    """A comment as it is listed has one line of bounded length without anything that cannot be seen."""
    text = atheris.FuzzedDataProvider(data).ConsumeUnicodeNoSurrogates(40_000)
    found = screened(text)
    _check(len(found.text) <= LONGEST + 1)
    _check(found.text == " ".join(found.text.split()))
    _check(not INVISIBLE.intersection(found.text))
    _check(set(load_themes().of(found.text)) <= set(load_themes().themes))


def _read(source: Any, **keywords: Any) -> None:
    try:
        responses = read_responses(source, INSTRUMENT, form=FORM, **keywords)
    except ResponsesError as error:
        _check(bool(error.issues) and all(issue.code and issue.where for issue in error.issues))
        return
    answers = responses.answers
    for code in answers:
        low, high = responses.parts[0].bounds(code)
        assert answers[code].dropna().between(low, high).all()


TARGETS = {"yaml": yaml, "headers": headers, "labels": labels, "csv": csv, "comments": comments}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--corpus", type=Path, help="folder of inputs found before, to which new ones are added")
    arguments, further = parser.parse_known_args()
    warnings.simplefilter("error")
    # inputs are small, and shall be cut all the same
    text_files._LEAST_PART, text_files._PIECE = 200, 31
    pa.set_cpu_count(3)
    single = [Path(option) for option in further if not option.startswith("-")]
    with tempfile.TemporaryDirectory() as new:
        folders = [] if single else [str(arguments.corpus or new), str(SEEDS / arguments.target)]
        limits = ["-timeout=20", "-rss_limit_mb=2500", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *limits, *further, *folders], TARGETS[arguments.target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
