"""Make the book: execute every chapter, then build the pages.

    python ci/book.py [--profile smoke|laptop] [--chapters NAME ...]

What is up to date is not done again. The pages are built from executed copies under
``_build/<profile>/``; the notebooks in ``book/`` stay without outputs.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import argparse
import functools
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

import chapters
import needs
import pages
from environment import ROOT
from jobs import in_order

CONFIG = ROOT / "_config.yml"
SIDE_BY_SIDE = 2  # chapters; more would need more memory than a laptop with many cores may have


def main() -> int:
    """Do what the top of this file says, and return the exit status."""
    options = _arguments()
    started = time.monotonic()
    out = (options.out or ROOT / "_build" / options.profile).resolve()
    chapters.prepare_environment(ROOT / "data" / "work", out / "ipython")
    wanted = options.chapters or chapters.names()
    try:
        # Measured alone, a chapter trains what it shows. All together find it in the store.
        if options.chapters or options.record:
            seconds = {name: make(name, options.profile, out) for name in wanted}
        else:
            train(wanted, options.profile, out)
            seconds = make_all(wanted, options.profile, out)
        build(out, wanted, strict=not options.chapters)
    except chapters.ChapterError as error:
        print(f"\n{error}", file=sys.stderr)
        print("\nThe book was not built: see above.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: call again to go on; what is finished is kept.", file=sys.stderr)
        return 130
    if options.record:
        record(options.profile, seconds)
    print("\nSeconds per chapter" + " " * 13 + f"at the {options.profile} profile")
    for name, took in seconds.items():
        print(f"  {name:28}{took:7.1f}")
    minutes = (time.monotonic() - started) / 60
    print(f"\n{minutes:.1f} minutes, what was up to date not counted")
    print(f"\nThe book: {out / 'html' / 'index.html'}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=("smoke", "laptop"), default="laptop")
    parser.add_argument("--chapters", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--out", type=Path, help="folder (default: _build/PROFILE)")
    parser.add_argument(
        "--record",
        action="store_true",
        help="keep the seconds as those that the chapters' opening boxes show",
    )
    parser.add_argument(
        "--no-install", action="store_true", help="use the running Python as it is"
    )
    return parser.parse_args()


def train(wanted: list[str], profile: str, out: Path) -> None:
    """Train the networks of Table 1 side by side, one a core, where a chapter needs them.

    Networks of this size keep two cores busier by twos than one does alone.
    """
    if None not in [up_to_date(name, profile, out) for name in wanted]:
        return
    print("training the networks of the chapters ...", flush=True)
    command = [sys.executable, str(ROOT / "ci" / "ablation.py"), "--no-install", "--train-only"]
    if subprocess.run([*command, "--profile", profile, "--seeds", "1"]).returncode:
        raise chapters.ChapterError("The networks could not be trained: see above.")


def up_to_date(name: str, profile: str, out: Path) -> float | None:
    """The seconds that an executed copy took, None where there is none of today's chapter."""
    source = chapters.BOOK / f"{name}.ipynb"
    target = out / "executed" / f"{name}.ipynb"
    note = target.with_suffix(".json")
    if not source.exists():
        raise chapters.ChapterError(f"{source.name} is not in book/")
    if not target.exists() or not note.exists():
        return None
    made = json.loads(note.read_text("utf-8"))
    return made["seconds"] if made["key"] == chapters.key(source, profile) else None


def make(name: str, profile: str, out: Path) -> float:
    """Executed copy of one chapter under ``out``, made unless it is there and up to date.

    Returns the seconds that its execution took, now or when it was made.
    """
    source = chapters.BOOK / f"{name}.ipynb"
    target = out / "executed" / f"{name}.ipynb"
    note = target.with_suffix(".json")
    known = up_to_date(name, profile, out)
    if known is not None:
        print(f"{name:28} is up to date", flush=True)
        return known
    key = chapters.key(source, profile)
    print(f"{name:28} ...", flush=True)
    note.unlink(missing_ok=True)
    seconds = chapters.execute(source, target, profile)
    write(note, json.dumps({"key": key, "seconds": round(seconds, 1)}))
    print(f"{name:28} executed in {seconds:.1f} s", flush=True)
    return seconds


def make_all(wanted: list[str], profile: str, out: Path) -> dict[str, float]:
    """:func:`make` for chapters side by side; their seconds by name, in the order of the book.

    Two chapters must not train the same network: those of Table 1 must be in the store.
    """
    task = functools.partial(_make_or_complain, profile=profile, out=out)
    seconds = {}
    for name, result, error in in_order(task, dict.fromkeys(wanted), SIDE_BY_SIDE):
        if error or isinstance(result, chapters.ChapterError):
            raise chapters.ChapterError(error or str(result))
        seconds[name] = result
    return {name: seconds[name] for name in wanted}


def _make_or_complain(
    name: str, _: None, profile: str, out: Path
) -> float | chapters.ChapterError:
    # Told rather than raised: a complaint about a chapter needs no traceback of this program.
    try:
        return make(name, profile, out)
    except chapters.ChapterError as error:
        return error


def build(out: Path, wanted: list[str], strict: bool = True) -> None:
    """Build the pages of the executed chapters into ``out/html``.

    A warning is an error, and only a build without one becomes ``out/html``. Of a choice of
    chapters (``strict`` false) warnings are shown only: links to the others lead nowhere.
    """
    stage = out / "book"
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree(chapters.BOOK, stage, ignore=shutil.ignore_patterns("*.ipynb", ".*"))
    for name in wanted:
        shutil.copyfile(out / "executed" / f"{name}.ipynb", stage / f"{name}.ipynb")
    write(stage / "chapter-needs.md", needs.table(wanted))
    if not strict:
        choose(stage / "_toc.yml", wanted)
    config = out / "_config.yml"
    write(config, yaml.safe_dump(configuration(), sort_keys=False))
    html, stamp = out / "html", out / "html.key"
    # One page is made of the package's docstrings.
    package = (ROOT / "apmlib").rglob("*.py")
    key = _key([*stage.rglob("*"), config, ROOT / "ci" / "constraints.txt", *package])
    if strict and stamp.exists() and stamp.read_text("utf-8") == key:
        print("pages                        are up to date")
        return
    stamp.unlink(missing_ok=True)
    print("building the pages ...", flush=True)
    site = out / "site"
    shutil.rmtree(site, ignore_errors=True)
    # Jupyter Book has no `python -m`, and its script need not be on the path.
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command += ["build", str(stage), "--path-output", str(site), "--all", "--quiet"]
    command += ["--config", str(config), "--keep-going"] + ["-W"] * strict
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    built = site / "_build" / "html"
    if done.returncode != 0 or not (built / "index.html").exists():
        raise chapters.ChapterError(f"{done.stdout}\nThe pages have errors.")
    for name in wanted:
        # What a page offers to download is the chapter to run, not the copy that was run.
        shutil.copyfile(chapters.BOOK / f"{name}.ipynb", built / "_sources" / f"{name}.ipynb")
    found = pages.problems(built)
    if found and strict:
        raise chapters.ChapterError("\n".join(found))
    print(*found, *(line for line in done.stdout.splitlines() if "WARNING" in line), sep="\n")
    shutil.rmtree(html, ignore_errors=True)
    os.replace(built, html)
    shutil.rmtree(site, ignore_errors=True)
    if strict:
        write(stamp, key)


def configuration() -> dict:
    """Jupyter Book's configuration: ``_config.yml``, less what needs an address it lacks.

    Its paths are absolute, so that the file may lie elsewhere.
    """
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    extensions = config["sphinx"]["local_extensions"]
    extensions.update({name: str(ROOT / path) for name, path in extensions.items()})
    if not config["repository"]["url"]:
        del config["repository"], config["launch_buttons"]
        config["html"]["use_repository_button"] = False
    return config


def choose(toc: Path, wanted: list[str]) -> None:
    """Leave out of a table of contents all other chapters, and the parts that this empties."""
    content = yaml.safe_load(toc.read_text("utf-8"))
    absent = set(chapters.names(toc)) - set(wanted)
    for part in content["parts"]:
        part["chapters"] = [page for page in part["chapters"] if page["file"] not in absent]
    content["parts"] = [part for part in content["parts"] if part["chapters"]]
    toc.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")


def record(profile: str, seconds: dict[str, float]) -> None:
    """Keep measured seconds, with the machine they were measured on, in ``data/results``."""
    path = ROOT / "data" / "results" / "chapter-seconds.json"
    measured = json.loads(path.read_text("utf-8")) if path.exists() else {}
    entry = measured.setdefault(profile, {"seconds": {}})
    entry |= {
        "cores": os.cpu_count(),
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    entry["seconds"] |= {name: round(took, 1) for name, took in seconds.items()}
    write(path, json.dumps(measured, indent=1, sort_keys=True) + "\n")


def write(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def _key(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in files if path.is_file()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
