"""What a browser says of a page: python benchmarks/look.py REPORT.html... [--axe axe.min.js] [--pictures FOLDER]

For every page: console messages, requests to anything outside the file, faults of the markup (html5lib, where it is
installed), violations that axe-core finds (``npm pack axe-core`` fetches it; it is no part of servicediag), and
pictures at 1440 and 390 pixels. Ends with exit code 1 where anything was found. Needs Chromium.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

WIDTHS = {1440: 5000, 390: 5000}
GRAVE = ("serious", "critical")
_RUN_AXE = (
    "axe.run({runOnly:['wcag2a','wcag2aa','wcag21aa','wcag22aa','best-practice']}).then(r=>{"
    "const p=document.createElement('script');p.type='application/json';p.id='axe-result';"
    "p.textContent=JSON.stringify(r.violations.map(v=>({id:v.id,impact:v.impact,help:v.help,nodes:v.nodes.length,"
    "first:v.nodes[0].html.slice(0,160)})));document.body.appendChild(p)})"
)


def chromium(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-extensions", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)


def console_messages(page: Path) -> list[str]:
    """What the page writes to the browser's console, refusals of its own policy among it."""
    told = chromium("--enable-logging=stderr", "--v=0", "--dump-dom", page.as_uri()).stderr
    return [line for line in told.splitlines() if ":CONSOLE" in line]


def outside_requests(page: Path, folder: Path) -> list[str]:
    """Addresses other than the page itself that it asks for."""
    log = folder / "net.json"
    chromium(f"--log-net-log={log}", "--dump-dom", page.as_uri())
    # the browser itself asks for updates; those name the page nowhere as their origin
    initiators = re.findall(r'"initiator":"([^"]*)"[^{}]*"url":"([^"]+)"', log.read_text(errors="replace"))
    own = [url for origin, url in initiators if origin not in ("not an origin", "null")]
    referred = re.findall(r'(?:src|href)="((?!#|data:)[^"]+)"', page.read_text(encoding="utf-8"))
    return own + [address for address in referred if re.match(r"(?:[a-z]+:)?//", address)]


def markup_faults(page: Path) -> list[str]:
    """Parse errors of HTML5; empty with a note where the parser is missing."""
    try:
        import html5lib
    except ImportError:
        print("  html5lib is not installed: markup not parsed")
        return []
    parser = html5lib.HTMLParser(strict=False)
    parser.parse(page.read_bytes(), transport_encoding="utf-8")
    return [f"{place}: {code}" for place, code, _ in parser.errors]


def axe_violations(page: Path, axe: Path, folder: Path) -> list[dict[str, object]]:
    """What axe-core finds in a copy of the page whose policy lets it run."""
    source = page.read_text(encoding="utf-8")
    source = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source)
    # closed parts are only looked at when they are open
    source = re.sub(r"<details(?! open)", "<details open", source)
    script = axe.read_text(encoding="utf-8").replace("</script", "<\\/script")
    copy = folder / page.name
    copy.write_text(source.replace("</body>", f"<script>{script}</script><script>{_RUN_AXE}</script></body>"),
                    encoding="utf-8")  # fmt: skip
    told = chromium("--virtual-time-budget=120000", "--dump-dom", "--window-size=1440,1000", copy.as_uri()).stdout
    found = re.search(r'<script type="application/json" id="axe-result">(.*?)</script>', told, re.DOTALL)
    if found is None:
        raise RuntimeError(f"axe-core gave no result for {page}")
    return list(json.loads(html.unescape(found[1])))


def pictures(page: Path, folder: Path) -> None:
    for width, height in WIDTHS.items():
        target = folder / f"{page.parent.name}-{page.stem}-{width}.png"
        chromium("--hide-scrollbars", f"--window-size={width},{height}", f"--screenshot={target}", page.as_uri())
        print(f"  {target}")


def looked_at(page: Path, axe: Path | None, folder: Path) -> Iterator[str]:
    yield from (f"console: {line}" for line in console_messages(page))
    yield from (f"asks for {address}" for address in outside_requests(page, folder))
    yield from (f"markup: {fault}" for fault in markup_faults(page))
    if axe is not None:
        for violation in axe_violations(page, axe, folder):
            line = "axe {id} ({impact}), {nodes} places: {help}; first {first}".format(**violation)
            print(f"  {line}")
            if violation["impact"] in GRAVE:
                yield line


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--axe", type=Path, help="axe.min.js of the package axe-core")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the pages")
    arguments = parser.parse_args()
    grave = 0
    for page in arguments.pages:
        print(page)
        with tempfile.TemporaryDirectory() as folder:
            found = list(looked_at(page.resolve(), arguments.axe, Path(folder)))
        for fault in found:
            print(f"  {fault}")
        print(f"  {len(found)} faults")
        grave += len(found)
        if arguments.pictures:
            arguments.pictures.mkdir(parents=True, exist_ok=True)
            pictures(page.resolve(), arguments.pictures)
    return 1 if grave else 0


if __name__ == "__main__":
    sys.exit(main())
