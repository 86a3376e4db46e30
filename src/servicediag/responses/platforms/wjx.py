"""问卷星 (wjx.cn): numbered headings, the stem of a matrix on its first row only; numbers are the order of options."""

from __future__ import annotations

import re
from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Platform, column_of, fold, tidy

__all__ = ["WJX"]

_METADATA = frozenset(("提交答卷时间", "所用时间", "来源", "来源详情", "来自ip", "总分"))
_NUMBERED = re.compile(r"\s*[0-9]{1,3}\s*[、．]\s*(.*)", re.DOTALL)
_KIND = re.compile(r"[\[(（【](?:单选题|多选题|填空题|量表题|打分题|矩阵[^\])）】]{0,8}题?)[\])）】]")
_ANCHORS = re.compile(r"[(（]\s*[0-9]{1,2}\s*[=＝][^()（）]{1,200}[)）]\s*$")


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    names = [cell.strip() for cell in rows[0]]
    folded = {fold(name) for name in names}
    found = folded & _METADATA
    if found and ("序号" in folded or len(found) >= 2):
        return f"the headings {', '.join(sorted(found))} are those of 问卷星"
    numbered = [name for name in names if _NUMBERED.fullmatch(name) and "、" in name[:6]]
    if len(numbered) >= 3 and 2 * len(numbered) >= sum(map(bool, names)):
        return f"headings are numbered as in {numbered[0][:12]!r}"
    return ""


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    headings = tidy(rows[position])
    submission = column_of(headings, "序号")
    return Layout(
        "wjx",
        headings,
        position + 1,
        questions=tuple(_questions(heading) for heading in headings),
        no_items=frozenset(i for i, name in enumerate(headings) if fold(name) in _METADATA | {"序号"}),
        submission=() if submission is None else (submission,),
        missing=dict.fromkeys(("(跳过)", "(空)", "-2", "-3"), "blank"),
        positional=True,
    )


def _questions(heading: str) -> tuple[str, ...]:
    """The text without number, kind and anchors; then the row of a matrix, which follows a dash."""
    match = _NUMBERED.fullmatch(heading)
    text = _ANCHORS.sub("", _KIND.sub("", match[1] if match else heading)).strip().lstrip("*").strip()
    row = text.rpartition("—")[2].strip()
    return tuple(dict.fromkeys(part for part in (row, text) if part))


WJX = Platform("wjx", _fingerprint, _layout)
