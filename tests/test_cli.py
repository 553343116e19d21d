import csv
import io
import json

import pytest
from PIL import Image

from apmlib import cli, rating, training, variants
from tests import tiny

SET = [part for key, value in tiny.SMALL.items() for part in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tiny.rated(tmp_path_factory.mktemp("rated") / "root")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    task = training.read_objects(tiny.objects(tmp_path_factory.mktemp("task") / "objects"))
    out = tmp_path_factory.mktemp("runs") / "objects-resnet"
    return training.train("objects-resnet", task, out, "smoke", overrides=tiny.SMALL)


@pytest.fixture(scope="module")
def run(root, weights, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    assert train(root, weights, out) == 0
    return out


def train(root, weights, out, *more, variant="resnet-imn-dist"):
    given = ["train", variant, "--data", root, "--out", out, "--profile", "smoke"]
    return cli.main([str(part) for part in (*given, "--init", weights, *SET, *more)])


def fails(capsys, *arguments):
    """The one line on standard error of a call that ends with status 2."""
    assert cli.main([str(part) for part in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("apm: ") and captured.err.count("\n") == 1
    return captured.err


def test_help_names_every_command(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "2000")  # no name is broken at its hyphens
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("data", "train", "evaluate", "table", "predict"))
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert all(name in text for name in (*variants.VARIANTS, *variants.PROFILES))


def test_training_twice_reuses_the_run_and_prints_the_same(root, weights, run, capsys):
    assert train(root, weights, run) == 0
    first = capsys.readouterr().out
    assert "split test, 8 photographs" in first and "constant" in first
    assert train(root, weights, run) == 0
    assert capsys.readouterr().out == first


def test_a_predecessor_is_found_beside_the_run(root, tmp_path, monkeypatch):
    from apmlib import runs

    task = tiny.objects(tmp_path / "task")
    monkeypatch.setattr(runs, "objects", lambda profile, seed=0: task)
    given = ["train", "resnet-imn-dist", "--data", root, "--out", tmp_path / "run"]
    given += ["--profile", "smoke", *SET]
    assert cli.main([str(part) for part in given]) == 0
    assert (tmp_path / "objects-resnet" / "weights.safetensors").is_file()


def test_all_of_table_1_is_trained_and_printed(root, tmp_path, monkeypatch, capsys):
    from apmlib import runs

    task = tiny.objects(tmp_path / "task")
    monkeypatch.setattr(runs, "objects", lambda profile, seed=0: task)
    out = tmp_path / "out"
    given = ["train", "all", "--data", root, "--out", out, "--profile", "smoke", *SET]
    assert cli.main([str(part) for part in given]) == 0
    first = capsys.readouterr().out
    assert all(f"{name} ({out / name})" in first for name in variants.TABLE)
    assert "same class as its teacher" in first
    made = {path.name for path in out.iterdir()}
    assert made == {"objects-vgg", "objects-resnet", *variants.TABLE}
    monkeypatch.setattr(training, "fit", None)  # would fail if it were called
    assert cli.main([str(part) for part in given]) == 0
    assert capsys.readouterr().out == first


def test_a_teacher_that_is_not_one_is_one_line(root, weights, tmp_path, capsys):
    given = ["--data", root, "--out", tmp_path / "out", "--profile", "smoke"]
    given += ["--init", weights, "--teacher", tmp_path / "none.npz"]
    assert "none.npz: no such" in fails(capsys, "train", "resnet-ava-semantic", *given)
    assert "no teacher" in fails(capsys, "train", "resnet-imn-dist", *given)


def test_bad_input_is_one_line_and_status_2(root, weights, run, tmp_path, capsys):
    out = tmp_path / "out"
    assert "resnet-imn-dist" in fails(capsys, "train", "resnet", "--data", root, "--out", out)
    missing = tmp_path / "nothing"
    assert "nothing" in fails(capsys, "train", "vgg-imn-dist", "--data", missing, "--out", out)
    line = fails(
        capsys, "train", "vgg-imn-dist", "--data", root, "--out", out, "--profile", "huge"
    )
    assert "smoke" in line
    line = fails(capsys, "train", "vgg-imn-dist", "--data", root, "--out", out, "--set", "side")
    assert "KEY=VALUE" in line
    assert "config.json" in fails(capsys, "evaluate", missing, "--data", root)
    other = tiny.rated(tmp_path / "other", images=20, bins=7)
    assert "scale of 7" in fails(capsys, "evaluate", run, "--data", other)
    assert "latex" in fails(capsys, "table", run, "--format", "html")
    means = tiny.rated(tmp_path / "means", images=20, means=True)
    given = ["--data", means, "--out", out, "--profile", "smoke", "--init", weights]
    assert "mean scores only" in fails(capsys, "train", "resnet-imn-dist", *given)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    given = ["--data", root, "--out", out, "--profile", "smoke", "--init", broken]
    assert "broken.safetensors" in fails(capsys, "train", "resnet-imn-dist", *given)
    assert not out.exists()


def test_evaluate_prints_json(run, root, capsys):
    assert cli.main(["evaluate", str(run), "--data", str(root), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["variant"] == "resnet-imn-dist" and result["split"] == "test"
    assert set(result["mse"]) == {"value", "low", "high"}


def test_table_prints_the_run(run, capsys):
    assert cli.main(["table", str(run), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["method"] for row in rows] == ["constant", "resnet-imn-dist"]


def test_table_leaves_out_what_a_row_only_starts_from(run, weights, capsys):
    assert cli.main(["table", str(run), "--format", "csv"]) == 0
    alone = capsys.readouterr().out
    assert cli.main(["table", str(weights), str(run), "--format", "csv"]) == 0
    assert capsys.readouterr().out == alone
    assert cli.main(["table", str(weights)]) == 2
    assert "no row of the table" in capsys.readouterr().err


def test_predict_scores_a_folder_and_counts_what_it_cannot(run, root, tmp_path, capsys):
    folder = tmp_path / "mine"
    (folder / "inner").mkdir(parents=True)
    for i, name in enumerate(("a.PNG", "inner/b.webp", "c.jpeg")):
        Image.new("RGB", (90, 70), (60 + 60 * i, 100, 90)).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    given = ["predict", str(run), str(folder), str(tmp_path / "gone.jpg")]
    assert cli.main([*given, "--json"]) == 1
    captured = capsys.readouterr()
    records = [json.loads(line) for line in captured.out.splitlines()]
    assert len(records) == 3
    assert list(records[0]) == ["image", "mean", "std", "p1", "p2", "p3", "p4", "p5"]
    assert sum(records[0][f"p{k}"] for k in range(1, 6)) == pytest.approx(1)
    lines = captured.err.splitlines()
    assert len(lines) == 3
    assert any("notes.txt" in line for line in lines)
    assert any("gone.jpg" in line for line in lines)
    assert "3 scored" in lines[-1] and "2 could not be scored" in lines[-1]
    assert "images a second" in lines[-1]
    assert cli.main([*given[:3], "--csv"]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["image"] for row in rows] == [record["image"] for record in records]
    (folder / "notes.txt").unlink()
    rating.start(folder)
    rating.vote(folder, "anna", "c.jpeg", 7)
    assert cli.main(["predict", str(run), str(folder)]) == 0
    head, *lines, foot = capsys.readouterr().out.splitlines()
    assert "photograph" in head and "lower mean score" in foot
    ranked = sorted(records, key=lambda record: -record["mean"])
    assert [line.split()[-1] for line in lines] == [record["image"] for record in ranked]


@pytest.mark.parametrize("command, end", [("explain", "explained"), ("improve", "improved")])
def test_explain_and_improve_use_what_is_a_photograph(run, tmp_path, capsys, command, end):
    folder, out = tmp_path / "mine", tmp_path / "out"
    folder.mkdir()
    for name, size in (("a.PNG", (90, 70)), ("b.webp", (70, 90))):
        Image.new("RGB", size, (60, 100, 90)).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    kept = {path: path.read_bytes() for path in folder.iterdir()}
    given = [command, str(run), str(folder), str(tmp_path / "gone.jpg"), "--out", str(out)]
    assert cli.main(given) == 1
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert len(lines) == 2 and "a.PNG" in lines[0] and "b.webp" in lines[1]
    assert captured.err.count("\n") == 2
    assert "notes.txt: is not an image" in captured.err and "gone.jpg: no such" in captured.err
    for name in "ab":
        assert json.loads((out / f"{name}-{end}.json").read_text())["command"] == command
    assert {path: path.read_bytes() for path in folder.iterdir()} == kept
    assert cli.main(given) == 1
    assert capsys.readouterr().out == captured.out


def test_explain_goes_one_way_where_asked(run, tmp_path):
    photo = tmp_path / "a.png"
    Image.new("RGB", (90, 70), (60, 100, 90)).save(photo)
    given = ["explain", str(run), str(photo), "--out", str(tmp_path / "out")]
    assert cli.main([*given, "--direction", "down"]) == 0
    record = json.loads((tmp_path / "out" / "a-explained.json").read_text())
    assert "down" in record and "up" not in record


@pytest.mark.parametrize("command", ["explain", "improve"])
def test_what_cannot_be_explained_or_improved_is_one_line(
    run, weights, tmp_path, capsys, command
):
    photo, out = tmp_path / "a.png", tmp_path / "out"
    Image.new("RGB", (90, 70), (60, 100, 90)).save(photo)
    bad = {"text.jpg": b"no picture", "cut.png": photo.read_bytes()[:60]}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    Image.new("RGB", (1, 1)).save(tmp_path / "pixel.png")
    frames = [Image.new("RGB", (80, 80), (i, i, i)) for i in (0, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    for name in (*bad, "pixel.png", "moving.gif", "gone.jpg"):
        assert f"{name}: " in fails(capsys, command, run, tmp_path / name, "--out", out)
    assert "gives no scores" in fails(capsys, command, weights, photo, "--out", out)
    assert "config.json" in fails(capsys, command, tmp_path / "none", photo, "--out", out)
    assert not out.exists()
    out.write_text("a file")
    assert str(out) in fails(capsys, command, run, photo, "--out", out)


def test_a_direction_that_is_none_is_one_line(run, tmp_path, capsys):
    photo = tmp_path / "a.png"
    Image.new("RGB", (90, 70), (60, 100, 90)).save(photo)
    line = fails(capsys, "explain", run, photo, "--out", tmp_path, "--direction", "left")
    assert "up, down or both" in line


def test_an_interruption_says_how_to_go_on(root, tmp_path, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    given = ["train", "resnet-imn-dist", "--data", root, "--out", tmp_path, "--profile", "full"]
    assert cli.main([str(part) for part in given]) == 130
    assert "same command" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_line(root, weights, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "run"
    given = ["--data", root, "--out", out, "--profile", "smoke", "--init", weights]
    assert str(tmp_path / "file") in fails(capsys, "train", "resnet-imn-dist", *given, *SET)


def test_check_says_what_is_there(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("APM_HOME", str(tmp_path / "home"))
    assert cli.main(["data", "check", str(root)]) == 0
    assert "usable" in capsys.readouterr().out
    assert "nowhere" in fails(capsys, "data", "check", tmp_path / "nowhere")


def test_simulate_writes_a_collection(tmp_path, capsys):
    root = tmp_path / "world"
    given = ["data", "simulate", str(root), "--images", "12", "--side", "48", "--seed", "3"]
    assert cli.main(given) == 0
    assert (root / "AVA.txt").is_file()
    assert len(list((root / "images").iterdir())) == 12
