"""Runs a job in a process of its own that may use only so much memory and processor time, and says what became of it.

The jobs are forks of one process in which everything is imported already, so that what is measured is the job.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Confinement", "Outcome"]

_DATA = 3_000_000_000
"""Above this a job is stopped at once, whatever it was allowed, so that it cannot harm the machine."""
_PATIENCE = 300
"""Seconds after which a job that waits for something is stopped; on a busy machine a job may take long."""
_WATCHED = (
    "socket.", "urllib.", "http.", "ftplib.", "smtplib.", "webbrowser.", "subprocess.", "pickle.", "os.system",
    "os.exec", "os.posix_spawn", "os.fork",
)  # fmt: skip
_TYPED = ("ServicediagError", "ValueError", "TypeError", "OSError")


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes
    ----------
    kind : {"done", "refused", "failed", "killed"}
        Refused: an error of the documented kinds, or exit code 1 or 2 of the command line.
    codes : tuple of str
        Codes of the issues of an error or of what was read.
    error : str
        Type of the error.
    text : str
        The error's message, or everything that the command printed.
    value : Any
        What the job gave back.
    seconds : float
        Processor time, that of its own child processes included.
    megabytes : float
        Peak of the memory held, everything that is imported included.
    events : tuple of str
        Connections, processes and pickles that were begun, as Python's audit events name them.
    """

    kind: str
    codes: tuple[str, ...]
    error: str
    text: str
    value: Any
    seconds: float
    megabytes: float
    events: tuple[str, ...]


class Confinement:
    """The process that the jobs are forked from."""

    def __init__(self) -> None:
        one_thread = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **one_thread, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            text=True,
            start_new_session=True,
        )

    def run(
        self, job: str, *, seconds: float = 20, largest_file: int | None = None, break_at: str = "", **arguments: Any
    ) -> Outcome:
        """Do one of the jobs below; more processor time than ``seconds`` kills it.

        ``largest_file`` is the size at which files cease to grow, as on a full disk; ``break_at`` names what breaks
        and how: ``"xlsxwriter.workbook.Workbook.close: KeyboardInterrupt"``.
        """
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        request = {"job": job, "seconds": seconds, "arguments": arguments}
        request |= {"largest_file": largest_file, "break_at": break_at}
        self._server.stdin.write(json.dumps(request, default=str) + "\n")
        self._server.stdin.flush()
        reply = json.loads(self._server.stdout.readline())
        return Outcome(**{**reply, "codes": tuple(reply["codes"]), "events": tuple(reply["events"])})

    def close(self) -> None:
        """End the process."""
        if self._server.stdin is not None:
            self._server.stdin.close()
        try:
            self._server.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._server.pid, 9)
            self._server.wait()
        if self._server.stdout is not None:
            self._server.stdout.close()


def _read(path: str, instrument: Any = "seven-sins", annotate: str | None = None, **keywords: Any) -> dict[str, Any]:
    """Read an export; the answers are given back by item, blank as None."""
    from servicediag.responses import read_responses

    responses = read_responses(path, instrument, **keywords)
    if annotate is not None:
        responses.intake.annotate(annotate)
    units = responses.respondents["unit"].tolist() if "unit" in responses.respondents else []
    # a table of all answers would be larger than all that reading takes
    head = responses.answers.head(50) if len(responses) <= 100_000 else {}
    return {
        "n": len(responses),
        "platform": responses.intake.platform,
        "units": sorted({str(unit) for unit in units})[:1_000],
        "columns": [str(name) for name in responses.respondents.columns],
        "answers": {code: [None if v != v else float(v) for v in head[code]] for code in head},
        "codes": [issue.code for issue in responses.intake.issues],
    }


def _diagnose(path: str, out: list[str], instrument: Any = "seven-sins", **keywords: Any) -> dict[str, Any]:
    """Read an export, diagnose it, and write the reports."""
    from servicediag.diagnosis.engine import diagnose
    from servicediag.responses import read_responses

    diagnosis = diagnose(read_responses(path, instrument, **keywords))
    for target in out:
        getattr(diagnosis, {".xlsx": "to_excel", ".html": "to_html", ".json": "to_json"}[Path(target).suffix])(target)
    shown = diagnosis.evidence
    return {"units": sorted({str(unit) for unit in shown["unit"].dropna()}), "findings": len(diagnosis.findings)}


def _yaml(path: str) -> Any:
    from servicediag.instrument.yaml_loader import load_yaml

    return load_yaml(Path(path)).data


def _instrument(name: str) -> str:
    from servicediag.instrument import load_instrument

    return load_instrument(name).id


def _lint(path: str) -> dict[str, Any]:
    from servicediag.instrument import lint_instrument

    return {"codes": [issue.code for issue in lint_instrument(path)]}


def _command(arguments: list[str]) -> int:
    """The command line, as a person starts it."""
    from servicediag.__main__ import main

    sys.argv = ["servicediag", *arguments]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


_JOBS = {
    "read": _read,
    "diagnose": _diagnose,
    "yaml": _yaml,
    "instrument": _instrument,
    "lint": _lint,
    "command": _command,
}


def _import_everything() -> None:
    import fastexcel  # noqa: F401
    import openpyxl  # noqa: F401
    import xlsxwriter  # noqa: F401

    import servicediag.cli
    import servicediag.diagnosis.engine
    import servicediag.report
    import servicediag.responses
    import servicediag.terminal  # noqa: F401


def _warm_up() -> None:
    """Do the main job once, so that what is loaded on first use is loaded in every job.

    Nothing is drawn: the drawing library starts threads, of which a fork would have none.
    """
    import pandas as pd

    from servicediag.diagnosis.engine import diagnose
    from servicediag.instrument import load_instrument
    from servicediag.report import print_diagnosis
    from servicediag.responses import read_responses, screen
    from servicediag.terminal import console

    form = "customer-short"
    items = [item.code for item in load_instrument("seven-sins").form_items(form)]
    frame = pd.DataFrame({item: [f"{row % 3 + 1}" for row in range(24)] for item in items})
    frame["unit"] = ["North", "South"] * 12
    responses = read_responses(frame, "seven-sins", form=form, unit="unit", columns={item: item for item in items})
    screen(responses)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        print_diagnosis(diagnose(responses, by="unit"), console())


def _serve() -> None:
    _import_everything()
    _warm_up()
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile("w+b") as reply, tempfile.TemporaryFile("w+b") as printed:
            found = _fork(request, reply, printed)
        print(json.dumps(found), flush=True)


def _fork(request: dict[str, Any], reply: Any, printed: Any) -> dict[str, Any]:
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            _do(request, reply, printed)
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    scale = 1 if sys.platform == "darwin" else 1024
    measured = {"seconds": usage.ru_utime + usage.ru_stime, "megabytes": usage.ru_maxrss * scale / 1e6}
    reply.seek(0)
    said = reply.read()
    if os.WIFSIGNALED(status) or not said:
        signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        killed = {"kind": "killed", "codes": [], "error": f"signal {signal}", "text": "", "value": None, "events": []}
        said = json.dumps(killed)
    return {**json.loads(said), **measured}


def _do(request: dict[str, Any], reply: Any, printed: Any) -> None:
    """In the fork: limit it, keep what it prints, and write down what came of it."""
    import resource
    import signal

    as_json = json.dumps  # the job may break it
    seconds = int(request["seconds"])
    _limit(resource.RLIMIT_CPU, seconds)
    _limit(resource.RLIMIT_DATA, _DATA)  # of addresses there is no end where charts are drawn
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_PATIENCE)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(printed.fileno(), 1)
    os.dup2(printed.fileno(), 2)
    if request["break_at"]:
        _sabotage(*request["break_at"].split(": "))
    if request["largest_file"]:
        _limit(resource.RLIMIT_FSIZE, request["largest_file"])
    result: dict[str, Any] = {"kind": "done", "codes": [], "error": "", "text": "", "value": None, "events": []}
    sys.addaudithook(lambda event, _: result["events"].append(event) if event.startswith(_WATCHED) else None)
    try:
        value = _JOBS[request["job"]](**request["arguments"])
        result["value"] = value
        if isinstance(value, dict):
            result["codes"] = value.pop("codes", [])
    except BaseException as error:
        names = {kind.__name__ for kind in type(error).__mro__}
        result["kind"] = "refused" if names & set(_TYPED) else "failed"
        result["codes"] = [issue.code for issue in getattr(error, "issues", ())]
        result["error"], result["text"] = type(error).__name__, str(error)
    _limit(resource.RLIMIT_FSIZE, None)
    if request["job"] == "command":
        sys.stdout.flush()
        sys.stderr.flush()
        os.lseek(1, 0, os.SEEK_SET)
        result["text"] += os.fdopen(os.dup(1), "rb").read().decode("utf-8", "replace")
        result["kind"] = {0: "done", 1: "refused", 2: "refused"}.get(result["value"], result["kind"])
    reply.write(as_json(result).encode("ascii"))
    reply.flush()


def _limit(kind: int, most: int | None) -> None:
    """Set a limit of this process, or take it back; that of the account stays as it is."""
    import resource

    _, allowed = resource.getrlimit(kind)
    if most is None:
        most = allowed
    elif allowed != resource.RLIM_INFINITY:
        most = min(most, allowed)
    resource.setrlimit(kind, (most, allowed))


def _sabotage(place: str, error: str) -> None:
    """Let a function, or the method of a class, raise an error in place of its work."""
    import builtins
    import importlib

    names = place.split(".")
    for split in range(len(names) - 1, 0, -1):
        with contextlib.suppress(ModuleNotFoundError):
            holder: Any = importlib.import_module(".".join(names[:split]))
            break
    for name in names[split:-1]:
        holder = getattr(holder, name)

    def broken(*_: Any, **__: Any) -> None:
        raise getattr(builtins, error)(5, "Input/output error") if error == "OSError" else getattr(builtins, error)

    setattr(holder, names[-1], broken)


if __name__ == "__main__":
    _serve()
