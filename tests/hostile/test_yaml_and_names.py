"""Instrument files and names that try to leave their place: classes 15 and 16 of hostile inputs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import servicediag as sd
from servicediag.errors import InstrumentError

ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(ord('b') + i)}: &{chr(ord('b') + i)} [{','.join(['*' + chr(ord('a') + i)] * 9)}]\n" for i in range(9)
)
YAML = {
    "alias bomb": ALIASES,
    "merge key": "a: &a {x: 1}\nb:\n  <<: *a\n",
    "20,000 lists": "[" * 20_000,
    "20,000 mappings": "{a: " * 20_000,
    "20,000 indents": "".join(" " * min(i, 400) + "a:\n" for i in range(2_000)),
    "question marks": "? " * 20_000,
    "dashes": "- " * 20_000 + "a",
    "python object": '!!python/object/apply:os.system ["touch pwned"]',
    "python name": "a: !!python/name:os.system",
    "python module": "!!python/module:os",
    "binary": "a: !!binary Zm9v",
    "own tag": "!x {a: 1}",
    "tag directive": "%TAG ! tag:yaml.org,2002:\n---\na: 1\n",
    "duplicate keys": "a: 1\na: 2\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "complex key": "? [a, b]\n: 1\n",
    "NUL": "a: \0",
    "bidi": "a: 'x\u202ey'",
    "huge number": f"a: {'9' * 5_000}",
    "not UTF-8": b"a: \xff\xfe",
    "UTF-16": "a: 1".encode("utf-16"),
    "two megabytes": "a: '" + "x" * 2_000_000 + "'",
    "many anchors": "\n".join(f"a{i}: &a{i} x" for i in range(20_000)),
    "many faults": "\n".join("a: 1" for _ in range(60_000)),
    "unclosed": "a: [1, 2",
    "unclosed quote": "a: '" + "x" * 500_000,
    "long key": "a" * 500_000 + ": 1",
}
IDS = (
    "../../etc/passwd", "..", ".", "/etc/passwd", "CON", "nul", "con.yaml", "a/b", "a\\b", "x" * 300, "x" * 5_000,
    "seven-sins/../readiness", "seven-sins\0", "Seven-Sins", "seven_sins ", "~root", "$HOME", "\\\\host\\share",
    "file:///etc/passwd", "http://127.0.0.1:9/x", "_scales", "", " ", "-i", "seven-sins\n", "ｓeven-sins",
)  # fmt: skip


@pytest.mark.parametrize("name", YAML)
def test_hostile_yaml_is_refused(name, tmp_path, confined):
    path = tmp_path / "x.yaml"
    content = YAML[name]
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    outcome = confined("yaml", path=path)
    assert (outcome.kind, outcome.error) == ("refused", "InstrumentError")
    assert 1 <= len(outcome.codes) <= 200
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("name", ["alias bomb", "20,000 lists", "python object", "duplicate keys", "many faults"])
def test_lint_names_what_is_hostile(name, tmp_path, command):
    (tmp_path / "instrument.yaml").write_text(YAML[name])
    assert command("lint", tmp_path).value == 1


def test_scalars_are_never_more_than_they_look(tmp_path, confined):
    path = tmp_path / "x.yaml"
    path.write_text("a: no\nb: 12:30\nc: 012\nd: 1e400\ne: 2024-01-01\nf: .inf\ng: 0x1F\nh: 1_000\ni: ~\nj: ١٢\n")
    assert confined("yaml", path=path).value == {
        "a": "no", "b": "12:30", "c": "012", "d": "1e400", "e": "2024-01-01", "f": ".inf", "g": "0x1F", "h": "1_000",
        "i": "~", "j": "١٢",
    }  # fmt: skip


@pytest.mark.parametrize("name", IDS, ids=lambda name: ascii(name)[:24])
def test_name_that_is_no_id_is_refused(name, confined):
    outcome = confined("instrument", name=name)
    assert outcome.kind == "refused"
    assert outcome.error in ("ValueError", "InstrumentError", "IsADirectoryError")
    assert len(outcome.text) < 2_000
    assert "root:" not in outcome.text


@pytest.mark.parametrize(
    "name", [n for n in IDS[::3] if "\0" not in n and n != "-i"], ids=lambda name: ascii(name)[:24]
)
def test_command_line_refuses_it_too(name, command):
    assert command("answer-sheet", name or " ", "out.xlsx").value in (1, 2)


@pytest.fixture
def own(tmp_path):
    """A copy of an instrument of the catalogue, in a folder."""
    from servicediag.instrument import instruments_root

    folder = tmp_path / "packs" / "seven-sins"
    shutil.copytree(str(instruments_root().joinpath("seven-sins")), folder)
    shutil.copytree(str(instruments_root().joinpath("_scales")), tmp_path / "packs" / "_scales")
    return folder


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
@pytest.mark.parametrize("part", ["instrument.yaml", "locale/en.yaml", "locale"])
def test_link_that_leads_out_of_the_folder_is_refused(part, own, tmp_path):
    assert sd.load_instrument(own).id == "seven-sins"
    outside = tmp_path / "outside"
    shutil.move(own / part, outside)
    (own / part).symlink_to(outside)
    with pytest.raises(InstrumentError) as error:
        sd.load_instrument(own)
    assert "unsafe_file" in {issue.code for issue in error.value.issues}


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_link_to_itself_is_refused(own):
    path = own / "locale" / "en.yaml"
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(InstrumentError) as error:
        sd.load_instrument(own)
    assert {issue.code for issue in error.value.issues} == {"unreadable_file"}


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_link_to_a_scale_outside_is_refused(own, tmp_path):
    scales = own.parent / "_scales"
    outside = tmp_path / "frequency5.yaml"
    shutil.move(scales / "frequency5.yaml", outside)
    (scales / "frequency5.yaml").symlink_to(outside)
    with pytest.raises(InstrumentError) as error:
        sd.load_instrument(own)
    assert "unsafe_file" in {issue.code for issue in error.value.issues}


@pytest.mark.parametrize("scale", ["../../outside", "/etc/passwd", "con", "a/b", "x" * 300])
def test_name_of_a_scale_leads_nowhere_else(scale, own):
    path = own / "instrument.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("frequency5", scale), encoding="utf-8")
    with pytest.raises(InstrumentError):
        sd.load_instrument(own)


@pytest.mark.skipif(os.name == "nt", reason="such files exist on POSIX systems")
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_file_that_never_ends_is_refused(kind, own, confined, command):
    path = own / "instrument.yaml"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    assert confined("instrument", name=own).kind == "refused"
    assert command("lint", own).value == 1


@pytest.mark.skipif(os.name == "nt", reason="such files exist on POSIX systems")
@pytest.mark.parametrize("kind", ["pipe", "device", "full"])
def test_export_that_is_no_file_is_refused(kind, tmp_path, confined, command):
    path = tmp_path / "export.csv"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        device = Path({"device": "/dev/zero", "full": "/dev/full"}[kind])
        if not device.exists():
            pytest.skip(f"the system has no {device}")
        path.symlink_to(device)
    assert confined("read", path=path).codes == ("unreadable_file",)
    assert command("check", path, "-i", "seven-sins").value == 1


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
@pytest.mark.parametrize("exists", [True, False])
def test_output_that_is_a_link_is_refused_even_by_force(exists, tmp_path, workbook, rows, command):
    elsewhere = tmp_path / "elsewhere.xlsx"
    if exists:
        elsewhere.write_text("precious")
    link = tmp_path / "out.xlsx"
    link.symlink_to(elsewhere)
    export = workbook(rows())
    for arguments in (
        ("answer-sheet", "seven-sins", link, "--force"),
        ("score", export, "-i", "seven-sins:customer-short", "-o", link, "--force"),
        ("diagnose", export, "-i", "seven-sins:customer-short", "--unit", "Branch", "-o", link, "--force"),
        ("check", export, "-i", "seven-sins:customer-short", "--annotate", link, "--force"),
    ):
        outcome = command(*arguments)
        assert outcome.value == 1, outcome.text
        assert "link" in outcome.text
    assert link.is_symlink()
    assert elsewhere.exists() == exists
    assert not exists or elsewhere.read_text() == "precious"
