"""问卷网 (wenjuan.com): headings are ``Q2_question`` and, for a row of a matrix, ``Q2_question_row``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Platform, column_of, fold, marks, tidy

__all__ = ["WENJUAN"]

_OWN = frozenset(
    fold(name)
    for name in (
        "答卷编号", "IP地址", "来源", "昵称(微信)", "性别(微信)", "城市(微信)", "开始时间", "结束时间", "浏览器",
        "操作系统", "答题时长", "状态", "证件号", "用户名", "姓名", "用户类别", "单位", "邮件",
    )
)  # fmt: skip
_QUESTION = re.compile(r"Q[0-9]{1,3}_(.+)", re.DOTALL)


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    names = {fold(cell) for cell in rows[0]}
    if "答卷编号" in names and len(names & _OWN) >= 4:
        return "the heading 答卷编号 and those beside it are those of 问卷网"
    return ""


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    headings = tidy(rows[position])
    submission = column_of(headings, "答卷编号")
    return Layout(
        "wenjuan",
        headings,
        position + 1,
        questions=tuple(_questions(heading) for heading in headings),
        no_items=frozenset(i for i, name in enumerate(headings) if fold(name) in _OWN),
        doubtful=marks(headings, "状态", ("未完成",), "not finished"),
        submission=() if submission is None else (submission,),
        positional=True,
    )


def _questions(heading: str) -> tuple[str, ...]:
    """The row of a matrix, which follows the last underscore; then the whole question."""
    match = _QUESTION.fullmatch(heading)
    if not match:
        return ()
    return tuple(dict.fromkeys(text.strip() for text in (match[1].rpartition("_")[2], match[1]) if text.strip()))


WENJUAN = Platform("wenjuan", _fingerprint, _layout)
