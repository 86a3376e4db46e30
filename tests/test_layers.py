"""Imports point one way only: a layer imports what stands below it."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "servicediag"

LAYERS = (
    "__main__",
    "cli",
    "export_arguments",
    "demo",
    "doubles",
    "tables",
    "operations_file",
    "terminal",
    "report",
    "planning",
    "diagnosis",
    "declared_tables",
    "questionnaire",
    "simulation",
    "reliability_table",
    "structure",
    "scoring",
    "responses",
    "instrument",
    "psychometrics",
    "wording",
    "files",
    "escaping",
    "results",
    "errors",
)
"""From the top to the bottom."""

UPWARD = {
    ("diagnosis.model", "report"): "Diagnosis renders itself: to_excel, to_html, to_slides, to_word, to_json, plot, "
    "_repr_html_",
    ("reliability_table", "report"): "Reliability prints itself: to_markdown, to_latex, to_word",
    ("scoring", "report"): "Scores print themselves: to_markdown, to_latex, to_word",
}
"""The only upward imports, each inside the function that needs it."""


def modules():
    return sorted(SOURCE.rglob("*.py"))


def name_of(path):
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported(tree):
    """(module below servicediag, whether it is imported on loading) for every import."""
    lazy = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    guarded = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and "TYPE_CHECKING" in ast.unparse(test.test)
        for node in ast.walk(test)
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
            if node.module == "servicediag":
                names = [f"servicediag.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("servicediag.") and id(node) not in guarded:
                yield name.removeprefix("servicediag."), id(node) not in lazy


def layer(module):
    return LAYERS.index(module.split(".")[0])


@pytest.mark.parametrize("path", [p for p in modules() if name_of(p)], ids=name_of)
def test_module_imports_only_what_stands_below_it(path):
    module = name_of(path)
    wrong = []
    for target, on_load in imported(ast.parse(path.read_text(encoding="utf-8"))):
        if target.startswith("__"):
            continue
        own = target.split(".")[0] == module.split(".")[0]
        permitted = (module, target.split(".")[0]) in UPWARD and not on_load
        if not own and not permitted and layer(target) <= layer(module):
            wrong.append(target)
    assert wrong == []


def test_no_relative_imports():
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


def test_every_module_has_a_layer():
    assert {name_of(path).split(".")[0] for path in modules() if name_of(path)} <= set(LAYERS)


def test_psychometrics_knows_nothing_of_instruments_or_files():
    allowed = {"psychometrics", "results", "errors"}
    for path in (SOURCE / "psychometrics").rglob("*.py"):
        targets = {target.split(".")[0] for target, _ in imported(ast.parse(path.read_text(encoding="utf-8")))}
        assert targets <= allowed, path
