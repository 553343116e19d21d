import base64
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat import v4

from apmlib import cli, diagnosis, ratings, report, training, wording
from tests import tiny

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ci"))

import pages  # noqa: E402
import strip  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run and what it is reported on: one photograph is missing, one is no photograph."""
    folder = tmp_path_factory.mktemp("report")
    tiny.trained(folder)
    table = pd.read_csv(folder / "root" / "ratings.csv")
    table["category"] = ["<i>sea</i>" if i % 2 else "land & sky" for i in range(len(table))]
    table.to_csv(folder / "root" / "ratings.csv", index=False)
    (folder / "root" / "images" / "004.jpg").write_text("no photograph")
    (folder / "root" / "images" / "001.jpg").unlink()
    return folder


def make(*arguments):
    return cli.main(["report", *map(str, arguments)])


@pytest.fixture(scope="module")
def made(folder):
    """The folder of a report made from beside the collection, and the run's files before."""
    before = contents(folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        status = make("run", "--data", "root", "--out", "out/first", "--explain", 1)
    assert status == 1  # a photograph could not be scored
    return folder / "out" / "first", before


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def soup_of(out):
    return BeautifulSoup((out / "report.html").read_text("utf-8"), "html.parser")


def fails(capsys, *arguments):
    """The one line on standard error of a call that ends with status 2."""
    assert make(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("apm: ") and captured.err.count("\n") == 1
    return captured.err


def notebook(path, code):
    """A report of one cell, for what can go wrong in one."""
    names = 'run = ""\ndata = ""\nsplit = ""\nexplain = 0'
    given = v4.new_code_cell(names, metadata={"tags": ["parameters"]})
    made = v4.new_notebook(cells=[given, v4.new_code_cell(code)])
    made.metadata["language_info"] = {"name": "python"}
    nbformat.write(made, path)
    return path


# The page


def test_page_stands_by_itself(made):
    soup = soup_of(made[0])
    assert pages.external(soup) == []
    assert not soup.find_all(["script", "iframe", "link"])
    images = soup.find_all("img")
    assert len(images) > 20
    for image in images:
        kind, _, data = image["src"].partition(";base64,")
        assert kind in ("data:image/png", "data:image/jpeg") and base64.b64decode(data)


def test_every_figure_is_described_and_every_heading_in_its_place(made):
    soup = soup_of(made[0])
    alts = [image["alt"] for image in soup.find_all("img")]
    assert all(len(alt) > 12 for alt in alts)
    assert all(figure.figcaption.text for figure in soup.find_all("figure"))
    assert all(table.caption.text for table in soup.find_all("table"))
    levels = [int(item.name[1]) for item in soup.find_all(["h1", "h2", "h3", "h4"])]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    chapters = [item["id"] for item in soup.find_all("h2")]
    contents = soup.find("h1").find_next(string="In short").find_parent("p").find_all("a")
    assert [link["href"] for link in contents] == [f"#{name}" for name in chapters]


def test_code_is_in_the_notebook_and_not_on_the_page(made):
    html = (made[0] / "report.html").read_text("utf-8")
    executed = nbformat.read(made[0] / "report.ipynb", as_version=4)
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert any("diagnosis.examine" in cell.source for cell in code)
    assert "diagnosis.examine" not in html
    assert all(cell.execution_count for cell in code)
    outputs = [item for cell in code for item in cell.outputs]
    assert not any("widget" in str(item.get("data", {}).keys()) for item in outputs)


def test_what_is_not_ours_is_text(made):
    soup = soup_of(made[0])
    assert soup.find("i") is None
    assert any("<i>sea</i>" in image["alt"] for image in soup.find_all("img"))


def test_what_is_left_out_is_counted(made):
    text = soup_of(made[0]).text
    assert "1 photograph, rated, but missing or found unreadable before (001.jpg)" in text
    assert "1 photograph, in this split and not readable (004.jpg)" in text


def test_the_run_is_as_it_was(folder, made):
    assert contents(folder / "run") == made[1]


def test_the_same_command_gives_the_same_report(folder, made, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    again = folder / "out" / "second"
    assert make("run", "--data", "root", "--out", "out/second", "--explain", 1) == 1
    captured = capsys.readouterr()
    assert captured.out == f"{Path('out/second/report.html')}\n"
    assert captured.err.startswith("apm: 004.jpg: ") and captured.err.count("\n") == 1
    assert contents(again) == contents(made[0])
    assert set(contents(again)) == {"report.html", "report.ipynb"}
    assert str(folder).encode() not in b"".join(contents(again).values())


def test_mean_scores_alone_make_a_report(folder, tmp_path):
    root = tiny.rated(tmp_path / "means", means=True)
    data, init = ratings.read(root), training_start(tmp_path)
    run = training.train(
        "vgg-imn-mean", data, tmp_path / "run", "smoke", init=init, overrides=tiny.SMALL
    )
    assert make(run, "--data", root, "--out", tmp_path / "out", "--explain", 1) == 0
    soup = soup_of(tmp_path / "out")
    text = soup.text
    assert "Spreads and numbers of votes need votes" in text
    assert "Errors by number of votes need votes" in text
    assert "Heat map" in str(soup.find_all("img"))
    assert not re.search(r"\b(nan|None)\b", text)


def training_start(folder):
    task = training.read_objects(tiny.objects(folder / "task"))
    out = folder / "objects-vgg"
    return training.train("objects-vgg", task, out, "smoke", overrides=tiny.SMALL)


# Words


def test_photographs_of_the_training_set_are_a_warning(folder):
    found = diagnosis.examine(folder / "run", folder / "root", "train")
    assert found.seen.all()
    (first, *_) = wording.warnings(found, "train")
    assert f"trained on {len(found.p)} of these {len(found.p)}" in first
    fair = diagnosis.examine(folder / "run", folder / "root", "test")
    assert not any("trained on" in text for text in wording.warnings(fair, "test"))


def test_a_collapsed_run_is_a_warning(folder):
    found = diagnosis.examine(folder / "run", folder / "root")
    flat = replace(found, p=np.tile(found.p[:1], (len(found.p), 1)))
    assert any("has collapsed" in text for text in wording.warnings(flat, "test"))
    result, known = diagnosis.measured(flat.p, flat.part), diagnosis.marks(flat)
    told = wording.in_short(flat, result, known)
    assert "cannot tell" in told[0] and not any("ρ" in text for text in told)
    assert "nothing to calibrate" in wording.boldness("mean score", flat.predicted, flat.true)


@pytest.mark.parametrize(
    "times, words", [(3.0, "too bold"), (0.3, "too timid"), (1.0, "taken at its word")]
)
def test_boldness_is_told_by_an_interval(times, words):
    rng = np.random.default_rng(0)
    true = rng.normal(5, 1, 400)
    predicted = 5 + times * (true - 5)
    assert words in wording.boldness("mean score", predicted, true + rng.normal(0, 0.2, 400))


# What can go wrong


def test_what_goes_wrong_in_the_notebook_is_one_line(tmp_path, monkeypatch, capsys):
    out, bad = tmp_path / "out", tmp_path / "bad.ipynb"
    monkeypatch.setattr(report, "NOTEBOOK", bad)
    given = (tmp_path, "--data", tmp_path, "--out", out)
    notebook(
        bad, 'from apmlib.errors import InputError\nraise InputError("x: is bad; mend it")'
    )
    assert fails(capsys, *given) == "apm: x: is bad; mend it\n"
    notebook(bad, "1 / 0")
    assert "cell 3: ZeroDivisionError" in fails(capsys, *given)
    notebook(bad, "import os\nos._exit(1)")
    assert "process died" in fails(capsys, *given)
    assert not out.exists()


def test_an_old_report_outlives_a_failure(folder, made, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    out.mkdir()
    for name, content in contents(made[0]).items():
        (out / name).write_bytes(content)
    monkeypatch.setattr(report, "NOTEBOOK", notebook(tmp_path / "bad.ipynb", "1 / 0"))
    fails(capsys, folder / "run", "--data", folder / "root", "--out", out)
    assert contents(out) == contents(made[0])


def test_an_interruption_ends_it_and_leaves_nothing(tmp_path):
    code = "import os, signal\nos.kill(os.getppid(), signal.SIGINT)\nsignal.pause()"
    bad = notebook(tmp_path / "bad.ipynb", code)
    program = (
        "import sys\nfrom pathlib import Path\nfrom apmlib import cli, report\n"
        f"report.NOTEBOOK = Path({str(bad)!r})\nsys.exit(cli.main(sys.argv[1:]))"
    )
    given = ["report", "run", "--data", "root", "--out", str(tmp_path / "out")]
    command = [sys.executable, "-c", program, *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 130
    assert done.stderr.strip() == "apm: interrupted; what is in --out is as it was"
    assert not (tmp_path / "out").exists()


def test_files_of_others_are_not_written_over(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report, "_execute", None)  # would fail if it were called
    given = (folder / "run", "--data", folder / "root", "--out")
    mine = tmp_path / "report.html"
    mine.write_text("my own page")
    assert str(mine) in fails(capsys, *given, tmp_path)
    assert mine.read_text() == "my own page"
    assert "no folder" in fails(capsys, *given, mine)


def test_what_is_not_installed_is_named(folder, tmp_path, monkeypatch, capsys):
    there = report.find_spec
    monkeypatch.setattr(
        report, "find_spec", lambda name: None if name == "papermill" else there(name)
    )
    line = fails(capsys, folder / "run", "--data", folder / "root", "--out", tmp_path / "out")
    assert "needs papermill" in line and "pip install" in line


# The notebook as it is kept in git


def test_template_is_clean():
    before = nbformat.read(report.NOTEBOOK, as_version=4)
    after = nbformat.read(report.NOTEBOOK, as_version=4)
    strip.strip(after)
    assert after == before
    nbformat.validate(before)


def test_the_command_is_as_given():
    assert (
        report.command("my run", "root", "test", 3)
        == "apm report 'my run' --data root --out DIR"
    )
    line = report.command("run", "root", "val", 0)
    assert line == "apm report run --data root --split val --explain 0 --out DIR"
