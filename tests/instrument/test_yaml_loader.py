"""Strict YAML: what it accepts, what it refuses, and where it says the fault is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, Strict

from servicediag.errors import InstrumentError, Issue
from servicediag.instrument import yaml_loader
from servicediag.instrument.yaml_loader import (
    MAXIMUM_BYTES,
    MAXIMUM_DEPTH,
    LoadedYaml,
    check_document,
    did_you_mean,
    load_yaml,
    peek_text,
    validate_document,
)

PARSERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if hasattr(yaml, "CSafeLoader") else [])]


@pytest.fixture(params=PARSERS, ids=lambda parser: parser.__name__, autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs with the pure Python parser and, where it is built, with the C parser."""
    monkeypatch.setattr(yaml_loader, "_PARSER", request.param)


def issues_of(text: str | bytes) -> tuple[Issue, ...]:
    with pytest.raises(InstrumentError) as caught:
        load_yaml(text, "x.yaml")
    return caught.value.issues


def codes_and_places(text: str | bytes) -> list[tuple[str, str]]:
    return [(issue.code, issue.where) for issue in issues_of(text)]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0", 0),
        ("-7", -7),
        ("1500", 1500),
        ("0.5", 0.5),
        ("-12.25", -12.25),
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
    ],
)
def test_plain_scalars_that_are_values(written: str, value: object) -> None:
    loaded = load_yaml(f"key: {written}\n").data["key"]
    assert loaded == value
    assert type(loaded) is type(value)


@pytest.mark.parametrize(
    "written",
    [
        *["no", "No", "yes", "on", "off", "y", "n", "~", "True", "TRUE", "FALSE", "Null", "<<"],
        *["12:30", "2024-01-01", "1.0.0", "012", "-01", "00", "+1", "1_000", "0x1F", "0o17"],
        *["1e3", "1.5e3", ".5", "1.", ".inf", "-.inf", ".nan", "१२", "１２"],
    ],
)
def test_every_other_plain_scalar_stays_text(written: str) -> None:
    assert load_yaml(f"key: {written}\n").data == {"key": written}


def test_quoted_scalars_are_always_text() -> None:
    assert load_yaml("""a: "1"\nb: 'true'\nc: ""\nd: "null"\n""").data == {"a": "1", "b": "true", "c": "", "d": "null"}


def test_keys_are_whole_numbers_or_text() -> None:
    data = load_yaml('1: a\n-2: b\n"3": c\n1.5: d\ntrue: e\nno: f\n012: g\nnull-ish: h\n').data
    assert data == {1: "a", -2: "b", "3": "c", "1.5": "d", "true": "e", "no": "f", "012": "g", "null-ish": "h"}
    assert [type(key) for key in data][:5] == [int, int, str, str, str]


def test_merge_key_is_an_ordinary_key() -> None:
    assert load_yaml("<<: {a: 1}\nb: 2\n").data == {"<<": {"a": 1}, "b": 2}


def test_every_value_has_its_line() -> None:
    text = """\
# a remark
first: 1
second:

  - a
  - key: >
      folded
      text
    other: [x,
      y]
last: {1: one}
"""
    loaded = load_yaml(text, "x.yaml")
    assert dict(loaded.lines) == {
        (): 2,
        ("first",): 2,
        ("second",): 3,
        ("second", 0): 5,
        ("second", 1): 6,
        ("second", 1, "key"): 6,
        ("second", 1, "other"): 9,
        ("second", 1, "other", 0): 9,
        ("second", 1, "other", 1): 10,
        ("last",): 11,
        ("last", 1): 11,
    }
    assert loaded.where(("second", 1, "other", 1)) == "x.yaml:10"
    assert loaded.where(("second", 1, "absent", "deeper")) == "x.yaml:6"


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**14), 10**14) | st.text(st.characters(exclude_categories=["C"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef", min_size=1), inner, max_size=4),
    max_leaves=20,
)


def test_long_whole_number__error_and_long_decimal_accepted() -> None:
    assert load_yaml("[-123456789012345, 0.6666666666666666]").data == [-123456789012345, 2 / 3]
    assert codes_and_places("a: 1\nb: 1234567890123456\n") == [("invalid_value", "x.yaml:2")]
    assert codes_and_places(f"b: {'9' * 400}.0\n") == [("invalid_value", "x.yaml:1")]


@settings(max_examples=60, deadline=None)
@given(JSON_LIKE)
def test_what_json_writes_is_read_back(data: Any) -> None:
    for chosen in PARSERS:
        loaded = yaml_loader._parse(json.dumps(data, ensure_ascii=False, indent=1), "x", chosen)
        assert loaded.data == data


@settings(max_examples=150, deadline=None)
@given(st.text("ab1:-[]{}&*!,#'\" \n\t%?|>~.", max_size=40))
def test_both_parsers_agree_and_only_raise_our_error(text: str) -> None:
    outcomes = []
    for chosen in PARSERS:
        try:
            loaded = yaml_loader._parse(text, "x", chosen)
            outcomes.append((loaded.data, dict(loaded.lines)))
        except InstrumentError as error:
            outcomes.append(all(issue.where.startswith("x:") for issue in error.issues))
    assert all(outcome is True or isinstance(outcome, tuple) for outcome in outcomes)
    read = [outcome for outcome in outcomes if outcome is not True]
    # The two disagree on exotic syntax; where both read the text, they read the same.
    assert all(outcome == read[0] for outcome in read)


def test_alias_bomb__refused_without_expanding() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{n}: &{n} [*{p}, *{p}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True))
    found = codes_and_places(bomb)
    assert {code for code, _ in found} == {"unsafe_file"}
    assert found[0] == ("unsafe_file", "x.yaml:1")
    assert [place for _, place in found].count("x.yaml:2") == 3  # an anchor and two aliases


def test_alias_as_key__error() -> None:
    assert ("unsafe_file", "x.yaml:2") in codes_and_places("a: &a x\n*a : y\n")


@pytest.mark.parametrize("text", ["[" * 20_000, "- " * 20_000, "{a: " * 20_000], ids=["lists", "dashes", "mappings"])
def test_deep_nesting__error_and_no_recursion(text: str) -> None:
    assert codes_and_places(text) == [("too_large", "x.yaml:1")]


def test_depth_limit_is_inclusive() -> None:
    load_yaml("[" * MAXIMUM_DEPTH + "]" * MAXIMUM_DEPTH)
    assert codes_and_places("[" * (MAXIMUM_DEPTH + 1) + "]" * (MAXIMUM_DEPTH + 1)) == [("too_large", "x.yaml:1")]


def test_size_limit_is_inclusive_and_counts_bytes(tmp_path: Path) -> None:
    text = "a: é #".ljust(MAXIMUM_BYTES - 1, "x")
    assert len(text.encode()) == MAXIMUM_BYTES
    assert load_yaml(text).data == {"a": "é"}
    path = tmp_path / "big.yaml"
    path.write_text(text + "x", encoding="utf-8")
    with pytest.raises(InstrumentError) as caught:
        load_yaml(path)
    assert [issue.code for issue in caught.value.issues] == ["too_large"]


@pytest.mark.parametrize(
    "value",
    ["!!python/object/apply:os.system [echo x]", "!!str 1", "! text", "!local x", "!!binary aGk=", "!!set {a}"],
)
def test_tags__error(value: str) -> None:
    assert codes_and_places(f"a: 1\nb: {value}\n")[0] == ("unsafe_file", "x.yaml:2")


def test_tag_on_a_key__error() -> None:
    assert codes_and_places("a: 1\n!!str b: 2\n") == [("unsafe_file", "x.yaml:2")]


@pytest.mark.parametrize("text", ["%YAML 1.1\n---\na: 1\n", "%TAG ! tag:x,2000:\n---\na: 1\n"])
def test_directives__error(text: str) -> None:
    assert [code for code, _ in codes_and_places(text)] == ["unsafe_file"]


def test_second_document__error() -> None:
    assert codes_and_places("a: 1\n---\nb: 2\n") == [("unsafe_file", "x.yaml:2")]


def test_one_document_with_its_start_mark_is_fine() -> None:
    assert load_yaml("---\na: 1\n").data == {"a": 1}


def test_empty_file_is_none() -> None:
    assert load_yaml("").data is None


@pytest.mark.parametrize("text", ["", "---", "---\n", "--- ", "\n\n--- \n", "# nothing\n---\n# here", "---\n\n  "])
def test_document_without_a_value_stands_in_line_1_with_either_parser(text: str) -> None:
    loaded = load_yaml(text, "x.yaml")
    assert (loaded.data, loaded.lines, loaded.where(("key",))) == (None, {(): 1}, "x.yaml:1")


@pytest.mark.parametrize("text", ["\n\nnull\n", "---\n\ntext\n", "\n\n''\n"])
def test_document_of_a_single_value_has_its_line(text: str) -> None:
    assert load_yaml(text).lines == {(): 3}


def test_duplicate_keys__all_listed_with_both_lines() -> None:
    found = issues_of("a: 1\nb: {c: 1, d: 2, c: 3}\na: 2\n1: x\n1: y\n")
    assert [(issue.code, issue.where) for issue in found] == [
        ("duplicate_key", "x.yaml:2"),
        ("duplicate_key", "x.yaml:3"),
        ("duplicate_key", "x.yaml:5"),
    ]
    assert "first in line 1" in found[1].problem


def test_faults_of_several_kinds_are_listed_at_once() -> None:
    found = codes_and_places('a: &x 1\na: *x\nb: !t 2\nc: "\\u202e"\nd: 12345678901234567890\n')
    assert found == [
        ("unsafe_file", "x.yaml:1"),
        ("duplicate_key", "x.yaml:2"),
        ("unsafe_file", "x.yaml:2"),
        ("unsafe_file", "x.yaml:3"),
        ("unsafe_file", "x.yaml:4"),
        ("invalid_value", "x.yaml:5"),
    ]


def test_the_list_of_faults_is_bounded() -> None:
    assert len(issues_of("a: 1\n" * 10_000)) == yaml_loader.MAXIMUM_ISSUES


@pytest.mark.parametrize("text", ["? [a]\n: b\n", "? {a: 1}\n: b\n"])
def test_a_key_that_is_no_scalar__error(text: str) -> None:
    assert codes_and_places(text) == [("invalid_value", "x.yaml:1")]


def test_empty_key__error() -> None:
    assert codes_and_places("a: 1\n? \n: b\n")[0][0] == "invalid_value"


@pytest.mark.parametrize("character", ["\\0", "\\a", "\\x1b", "\\x7f", "\\u202d", "\\u202e"])
def test_invisible_control_characters__error(character: str) -> None:
    assert codes_and_places(f'a: 1\nb: "x{character}y"\n') == [("unsafe_file", "x.yaml:2")]


def test_raw_control_character__error_with_line() -> None:
    assert codes_and_places("a: 1\nb: é\x07\n") == [("invalid_yaml", "x.yaml:2")]


@pytest.mark.parametrize(
    ("text", "line"), [("a: 1\nb: [1, 2\nc: 3\n", 3), ("a: 1\n\tb: 2\n", 2), ("a: b: c\n", 1), ("a: 'x\n", 2)]
)
def test_syntax_error__one_issue_near_the_fault(text: str, line: int) -> None:
    assert codes_and_places(text) == [("invalid_yaml", f"x.yaml:{line}")]


def test_not_utf8__error_with_line() -> None:
    assert codes_and_places("a: 1\nb: Größe\n".encode("latin-1")) == [("invalid_yaml", "x.yaml:2")]
    assert [code for code, _ in codes_and_places("a: 1".encode("utf-16"))] == ["invalid_yaml"]


def test_byte_order_mark_is_accepted() -> None:
    assert load_yaml("a: 1\n".encode("utf-8-sig")).data == {"a": 1}


def test_missing_file_and_folder__unreadable(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(InstrumentError) as caught:
            load_yaml(path)
        assert [(issue.code, issue.where) for issue in caught.value.issues] == [("unreadable_file", str(path))]


def test_peek_text_finds_only_the_top_level_key() -> None:
    text = "other: {title: inner}\nlist:\n  - title: deeper\ntitle: wanted\n"
    assert peek_text(text, "title") == "wanted"
    assert peek_text("other: title\nx: [title, b]\n", "title") is None
    assert peek_text("title: [a]\n", "title") is None
    assert peek_text("", "title") is None


def test_peek_text_does_not_read_what_follows() -> None:
    assert peek_text("title: wanted\nbroken: [\n", "title") == "wanted"


def test_did_you_mean() -> None:
    assert did_you_mean("revers_keyed", ["code", "reverse_keyed"]) == "Did you mean 'reverse_keyed'?"
    assert did_you_mean("zzz", ["a", "b"]) == "Choose from 'a', 'b'."
    assert did_you_mean("a", []) == "There is none to choose from."


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    weight: Literal["strong", "weak"] = "strong"
    low: str


class Group(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    any_of: Annotated[tuple[Leaf, ...], Strict(False)]


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    name: str
    size: int = 0
    leaves: Annotated[tuple[Leaf, ...], Strict(False), Field(min_length=1)]
    named: dict[str, Leaf] = {}
    either: Leaf | Group | None = None


def tree_issues(text: str) -> list[tuple[str, str, str]]:
    document, issues = check_document(load_yaml(text, "t.yaml"), Tree)
    assert document is None
    return [(issue.code, issue.where, issue.remedy) for issue in issues]


def test_validate_document_gives_the_document() -> None:
    text = "name: x\nleaves: [{low: a}]\neither: {any_of: [{low: b}]}\n"
    document = validate_document(load_yaml(text), Tree)
    assert document == Tree(name="x", leaves=(Leaf(low="a"),), either=Group(any_of=(Leaf(low="b"),)))


def test_document_faults_have_code_line_and_suggestion() -> None:
    text = """\
nam: x
size: "3"
leaves:
  - weight: stron
    low: a
  - lwo: b
    low: 012
  - low: 12
named:
  first: {low: no, wait: weak}
"""
    assert tree_issues(text) == [
        ("missing_key", "t.yaml:1", "Add it."),
        ("unknown_key", "t.yaml:1", "Did you mean 'name'?"),
        ("invalid_value", "t.yaml:2", "Found '3'."),
        ("unknown_value", "t.yaml:4", "Did you mean 'strong'?"),
        ("unknown_key", "t.yaml:6", "Did you mean 'low'?"),
        ("invalid_value", "t.yaml:8", "Put it in quotes."),
        ("unknown_key", "t.yaml:10", "Did you mean 'weight'?"),
    ]


def test_fault_inside_a_union_has_its_line() -> None:
    found = tree_issues("name: x\nleaves: [{low: a}]\neither:\n  any_of:\n    - lo: b\n")
    assert ("unknown_key", "t.yaml:5", "Did you mean 'low'?") in found


@pytest.mark.parametrize("text", ["", "- a\n", "text\n"])
def test_document_that_is_no_mapping__error(text: str) -> None:
    assert [code for code, _, _ in tree_issues(text)] == ["invalid_value"]


def test_list_of_faulty_entries_is_not_called_empty_as_well() -> None:
    assert tree_issues("name: x\nleaves: [{low: 1}]\n") == [("invalid_value", "t.yaml:2", "Put it in quotes.")]
    assert tree_issues("name: x\nleaves: []\n") == [("invalid_value", "t.yaml:2", "Found [].")]


def test_validate_document_raises_every_fault() -> None:
    with pytest.raises(InstrumentError) as caught:
        validate_document(LoadedYaml({"size": "a", "leaves": []}, {(): 1}, "t.yaml"), Tree)
    assert {issue.where for issue in caught.value.issues} == {"t.yaml:1"}
    assert len(caught.value.issues) == 3
