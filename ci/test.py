"""Run every check: ``python ci/test.py``. Ends with a summary; status 0 when all is well.

Style, unit tests, and beside them every chapter at the smoke profile: executed by papermill,
executed again by nbval, each alone from an empty work folder, every output compared, and built
into pages with warnings as errors, which a browser opens.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

import book
import browser
import chapters
from environment import ROOT

OUT = ROOT / "_build" / "test"
# Pictures are the same to the pixel only where the same number of threads drew and learned
# them: both executions get this one, whatever the machine has. One thread leaves the second
# core to the unit tests.
THREADS = "1"


def main() -> int:
    """Do what the top of this file says, and return the exit status."""
    started = time.perf_counter()
    shutil.rmtree(OUT, ignore_errors=True)
    os.environ["OMP_NUM_THREADS"] = THREADS
    os.environ["APM_HOME"] = str(OUT / "work")
    chapters.prepare_environment(OUT / "work", OUT / "ipython")
    python, brief = [sys.executable, "-m"], ["--output-format", "concise"]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    report = []

    def step(what: str, check) -> None:
        print(f"\n=== {what}", flush=True)
        begun = time.perf_counter()
        passed, failed, skipped = check()
        for name, number in (("passed", passed), ("failed", failed), ("skipped", skipped)):
            counts[name] += number
        verdict = "FAILED" if failed else "ok"
        report.append(
            f"{what:42}{verdict:8}{time.perf_counter() - begun:6.0f} s   "
            f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")
        )

    step("style (ruff check)", lambda: _status([*python, "ruff", "check", *brief, "."]))
    step(
        "format (ruff format)",
        lambda: _status([*python, "ruff", "format", "--check", *brief, "."]),
    )
    unit = _begin("unit", "tests")
    for name in chapters.names():
        step(f"papermill {name}", lambda name=name: _execute(name))
    executed = sorted(str(path) for path in (OUT / "executed").glob("*.ipynb"))
    nbval = ["-p", "compare_figures", "-o", "addopts=", "--nbval", "--nbval-current-env"]
    nbval += ["--nbval-sanitize-with", str(ROOT / "ci" / "sanitize.cfg"), "--tb=short", "-q"]
    # Without a notebook, pytest would look for tests by itself.
    nbval += executed or [str(OUT / "executed")]
    step("nbval, every output compared", lambda: _end("nbval", _begin("nbval", *nbval)))
    step("pages, a warning is an error", _build)
    step("pages in a browser", _browse)
    step("unit tests, begun before the chapters", lambda: _end("unit", unit))

    print("\n" + "\n".join(report))
    seconds = time.perf_counter() - started
    print(
        f"\n{counts['failed']} failed, {counts['passed']} passed, {counts['skipped']} skipped "
        f"in {seconds:.0f}s"
    )
    return 1 if counts["failed"] else 0


def _status(command: list[str]) -> tuple[int, int, int]:
    failed = subprocess.run(command, cwd=ROOT).returncode != 0
    return int(not failed), int(failed), 0


def _begin(name: str, *arguments: str) -> subprocess.Popen:
    """Begin pytest, with its output in a file."""
    command = [sys.executable, "-m", "pytest", f"--junitxml={OUT / name}.xml", *arguments]
    environ = os.environ | {"APM_HOME": str(OUT / name)}
    with (OUT / f"{name}.log").open("w") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)


def _end(name: str, begun: subprocess.Popen) -> tuple[int, int, int]:
    """Wait for pytest, show its output, and count what passed, failed and was skipped."""
    status = begun.wait()
    print((OUT / f"{name}.log").read_text("utf-8"))
    report = OUT / f"{name}.xml"
    if not report.exists():
        return 0, 1, 0
    suites = xml.parse(report).getroot().iter("testsuite")
    total = failed = skipped = 0
    for suite in suites:
        total += int(suite.get("tests"))
        failed += int(suite.get("failures")) + int(suite.get("errors"))
        skipped += int(suite.get("skipped"))
    # No test at all, or a crash that no report shows, is a failure too.
    failed = max(failed, int(status != 0))
    return max(total - failed - skipped, 0), failed, skipped


def _execute(name: str) -> tuple[int, int, int]:
    try:
        source = chapters.BOOK / f"{name}.ipynb"
        if not source.exists():
            raise chapters.ChapterError(f"{source.name} is not in book/")
        seconds = chapters.execute(source, OUT / "executed" / source.name, "smoke")
    except chapters.ChapterError as error:
        print(error)
        return 0, 1, 0
    print(f"executed in {seconds:.1f} s")
    return 1, 0, 0


def _build() -> tuple[int, int, int]:
    missing = [n for n in chapters.names() if not (OUT / "executed" / f"{n}.ipynb").exists()]
    if missing:
        print("not built: without " + ", ".join(missing))
        return 0, 1, 0
    try:
        book.build(OUT, chapters.names())
    except chapters.ChapterError as error:
        print(error)
        return 0, 1, 0
    return 1, 0, 0


def _browse() -> tuple[int, int, int]:
    chromium = browser.find()
    if chromium is None:
        print(f"skipped: {browser.ABSENT}")
        return 0, 0, 1
    if not (OUT / "html").exists():
        print("not opened: there are no pages")
        return 0, 1, 0
    found = browser.problems(OUT / "html", chromium)
    print(browser.report(found))
    bad = sum(map(bool, found.values()))
    return len(found) - bad, bad, 0


if __name__ == "__main__":
    sys.exit(main())
