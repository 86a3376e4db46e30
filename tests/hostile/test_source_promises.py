"""What the source must not hold, read from its syntax: promises S1 and S7 of SECURITY.md.

No code from data, no network, no process but the one that parses SPSS files, YAML through the strict loader only, and
regular expressions that take time in proportion to the text.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "servicediag"
FILES = sorted(SOURCE.rglob("*.py"))
CODE_FROM_DATA = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "code", "codeop", "runpy",
                  "ctypes", "cffi", "dbm", "imp", "pkgutil"}  # fmt: skip
NETWORK = {"socket", "ssl", "http", "ftplib", "smtplib", "poplib", "imaplib", "telnetlib", "xmlrpc", "socketserver",
           "asyncio", "webbrowser", "requests", "httpx", "aiohttp", "urllib3", "websockets", "wsgiref",
           "urllib.request", "urllib.robotparser", "antigravity"}  # fmt: skip
PROCESSES = {"subprocess", "multiprocessing", "pty", "concurrent.futures.process"}
MAY_START_A_PROCESS = {"responses/spss_file.py"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "breakpoint", "input"}
FORBIDDEN_ATTRIBUTES = {
    "system", "popen", "execv", "execve", "execvp", "spawnl", "spawnv", "startfile", "fork", "read_pickle", "to_pickle",
    "read_html", "read_sql", "read_clipboard", "read_hdf", "from_string", "entry_points", "eval", "query", "full_load",
    "unsafe_load", "load_all", "Markup", "chmod", "chown", "rmtree", "extractall", "mktemp", "urlopen",
}  # fmt: skip
YAML = {"parse", "safe_dump", "Event", "ScalarEvent", "MappingStartEvent", "MappingEndEvent", "SequenceStartEvent",
        "SequenceEndEvent", "AliasEvent", "DocumentStartEvent", "MarkedYAMLError", "SafeLoader", "reader",
        "representer", "YAMLError", "CSafeLoader"}  # fmt: skip
IMPORTS_BY_NAME = {"__init__.py", "psychometrics/__init__.py", "report/__init__.py", "responses/__init__.py",
                   "instrument/__init__.py", "diagnosis/__init__.py", "questionnaire/__init__.py"}  # fmt: skip
"""Where names are loaded when they are first used; the modules are constants of the same file."""


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@functools.cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imported(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MAY_CALL = {
    *((f"report/{name}.py", "from_string") for name in ("native_charts", "slides", "word_parts")),
    ("report/unit_files.py", "rmtree"),
}
"""Reviewed: colours by name in Office files, and the folder of unit pages that the library itself wrote."""


def holds(names: set[str], module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def test_no_module_imports_what_runs_data_or_reaches_the_network():
    assert len(FILES) > 50
    found = {(name_of(path), module) for path in FILES for module in imported(path)}
    assert {(name, module) for name, module in found if holds(CODE_FROM_DATA | NETWORK, module)} == set()
    processes = {(name, module) for name, module in found if holds(PROCESSES, module)}
    assert {name for name, module in processes if module != "subprocess.TimeoutExpired"} <= MAY_START_A_PROCESS


def test_no_module_calls_what_runs_data():
    found = set()
    for path in FILES:
        for node in nodes_of(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
                found.add((name_of(path), node.func.id))
            if isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_ATTRIBUTES:
                found.add((name_of(path), node.attr))
            if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
                found.add((name_of(path), node.arg))
    assert found == MAY_CALL


def test_yaml_is_read_by_the_strict_loader_only():
    """The texts of servicediag itself are read by another one, which knows where each of them stands."""
    for path in FILES:
        name = name_of(path)
        used = {
            node.attr
            for node in nodes_of(path)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "yaml"
        }
        if name == "wording/catalogue.py":
            assert used <= YAML | {"load", "MappingNode"}, name
            continue
        allowed = YAML if name == "instrument/yaml_loader.py" else {"safe_dump", "YAMLError", "representer"}
        assert used <= allowed, name
        assert not any(module.startswith("yaml.") for module in imported(path)), name


def test_modules_are_loaded_by_name_only_where_public_names_are_loaded_lazily():
    users = {name_of(path) for path in FILES if "import_module" in path.read_text(encoding="utf-8")}
    assert users <= IMPORTS_BY_NAME


def test_templates_escape_everything_but_the_drawings_and_the_fonts_made_here():
    for path in (SOURCE / "report" / "templates").iterdir():
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"[\w.]+\s*\|\s*safe", text)) <= {"figure.svg|safe", "font|safe"}
        assert "autoescape" not in text
        assert "<script" not in text
    makers = [path for path in FILES if "jinja2.Environment(" in path.read_text(encoding="utf-8")]
    assert makers
    assert all("autoescape=True" in path.read_text(encoding="utf-8") for path in makers)


def test_terminal_parses_no_markup():
    """Every console is made without markup, and no text from data is given to rich as a plain string of a table."""
    for path in FILES:
        for node in nodes_of(path):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Console", "_Console"):
                settings = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
                assert settings.get("markup") is False, name_of(path)
            if isinstance(node, ast.Attribute) and node.attr in ("from_markup", "render_markup"):
                pytest.fail(f"{name_of(path)} parses markup")


# --- regular expressions ----------------------------------------------------------------------------------------------

MANY = 300
"""A quantifier with a higher bound counts as unbounded."""
FUNCTIONS = {"compile", "match", "fullmatch", "search", "sub", "findall", "finditer", "split", "subn"}
SEPARATED = {
    r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\.yaml": "each round begins with a hyphen, which no round holds",
    r"[^\W_]+(?:['’\-][^\W_]+)*": "each round begins with an apostrophe or hyphen, which no round holds",
    r"\ufffd|\?{3,}|^\s*\?{2,}(?:\s+\?+)*\s*$": "each round begins with spaces, which no question mark is",
}
"""Nested quantifiers that were looked at: why only one way of reading a text exists."""
PUT_TOGETHER = {"responses/file_names.py", "responses/multiple_choice.py", "responses/remarks.py",
                "instrument/lint_texts.py"}  # fmt: skip
"""Files with regular expressions that are no constants."""


@functools.cache
def patterns() -> tuple[tuple[str, str | bytes], ...]:
    """File and pattern of every regular expression that is a constant."""
    found = []
    for path in FILES:
        for node in nodes_of(path):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if node.func.attr in FUNCTIONS and isinstance(node.func.value, ast.Name) and node.func.value.id == "re":
                try:
                    found.append((name_of(path), ast.literal_eval(node.args[0])))
                except ValueError:
                    found.append((name_of(path), f"(?#dynamic){ast.unparse(node.args[0])}"))
    return tuple(found)


def _repeats(parsed, outer=()):
    """(quantifier, those around it) for every quantifier that takes a varying number."""
    for operation, argument in parsed:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, body = argument
            inner = (*outer, (low, high)) if high > 1 else outer
            if low != high:
                yield (low, high), outer
            yield from _repeats(body, inner)
        else:
            for part in argument if isinstance(argument, (tuple, list)) else ():
                if hasattr(part, "data"):
                    yield from _repeats(part, outer)
                elif isinstance(part, list):
                    for branch in part:
                        if hasattr(branch, "data"):
                            yield from _repeats(branch, outer)


@functools.cache
def compiled() -> frozenset[tuple[str, str | bytes]]:
    """File and pattern of every regular expression that a module keeps, however it was put together."""
    found = set()
    for path in FILES:
        if path.name in ("__main__.py", "spss_worker.py"):
            continue
        name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
        kept = list(vars(importlib.import_module(name)).values())
        found |= {(name_of(path), pattern) for pattern in _inside(kept)}
    return frozenset(found)


def _inside(value: object) -> Iterator[str | bytes]:
    if isinstance(value, re.Pattern):
        yield value.pattern
    elif isinstance(value, Mapping):
        yield from _inside(list(value.values()))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for entry in value:
            yield from _inside(entry)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from _inside([getattr(value, field.name) for field in dataclasses.fields(value)])


def ambiguous(pattern: str | bytes) -> bool:
    """Whether one quantifier lies in another so that a text could be read in very many ways."""
    from re import _parser

    return any(
        high > 1 and any(min(int(around), MANY) * min(int(high), MANY) > MANY for _, around in outer)
        for (_, high), outer in _repeats(_parser.parse(pattern))
    )


@pytest.mark.parametrize(("pattern", "verdict"), [
    (r"(a+)+$", True), (r"(a|aa)*b+", False), (r"([a-z]+)*!", True), (r"(?:x{1,3}\.){3}", False), (r"a+b+c*", False),
    (r"((ab)*c)*", True), (r"(\s?-\s?)+", False), (rb"(a{1,200})+", True), (r"(?=(a+)+)", True), (r"(?:a|(b+))*", True),
])  # fmt: skip
def test_the_scan_finds_nested_quantifiers(pattern, verdict):
    assert ambiguous(pattern) == verdict


def test_no_regular_expression_has_nested_quantifiers():
    found = {(path, pattern) for path, pattern in patterns() if not str(pattern).startswith("(?#dynamic)")}
    found |= compiled()
    assert len(found) > 50
    assert [entry for entry in found if ambiguous(entry[1]) and entry[1] not in SEPARATED] == []


def test_reviewed_expressions_still_exist():
    assert set(SEPARATED) <= {pattern for _, pattern in patterns()}


def test_no_regular_expression_is_made_of_data():
    """What is no constant is put together from constants when the module is loaded, or holds the data escaped."""
    dynamic = {(path, str(pattern)) for path, pattern in patterns() if str(pattern).startswith("(?#dynamic)")}
    kept = {path for path, _ in compiled()}
    assert {path for path, pattern in dynamic if "re.escape(" not in pattern} <= kept
    assert {path for path, _ in dynamic} <= PUT_TOGETHER
