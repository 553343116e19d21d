"""What holds the repository together: versions, programs, chapters, pages."""

import ast
import base64
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from nbformat import v4
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ci"))

from bs4 import BeautifulSoup  # noqa: E402

import apmlib  # noqa: E402
import book  # noqa: E402
import chapters  # noqa: E402
import compare_figures  # noqa: E402
import environment  # noqa: E402
import needs  # noqa: E402
import pages  # noqa: E402
import strip  # noqa: E402

NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
every_chapter = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def constraints():
    lines = (ROOT / "ci" / "constraints.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


# Versions


def test_constraints_are_exact_and_inside_the_ranges():
    exact = {}
    for requirement in constraints():
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", requirement
        exact.setdefault(requirement.name, []).append(specifier.version)
    wanted = project()["dependencies"] + sum(project()["optional-dependencies"].values(), [])
    for requirement in map(Requirement, wanted):
        for version in exact[requirement.name]:
            assert requirement.specifier.contains(version), (requirement, version)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "arm64", "AMD64"])
def test_one_torch_on_every_machine(machine):
    for name in ("torch", "torchvision"):
        found = [
            requirement
            for requirement in constraints()
            if requirement.name == name
            and requirement.marker.evaluate({"platform_machine": machine})
        ]
        assert len(found) == 1


def test_conda_gets_the_same_versions():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    python, pip, packages = conda["dependencies"]
    assert pip == "pip"
    extras = ",".join(project()["optional-dependencies"])
    assert packages == {"pip": ["-c ci/constraints.txt", f"-e .[{extras}]"]}
    name, version = python.split("=")
    assert name == "python"
    assert SpecifierSet(project()["requires-python"]).contains(version)


def test_supported_pythons_are_those_of_the_project():
    supported = SpecifierSet(project()["requires-python"])
    for minor in range(6, 20):
        complaint = environment.unsupported((3, minor, 0))
        assert (complaint == "") == supported.contains(f"3.{minor}.0")
        assert "\n" not in complaint
    assert "this is 3.10" in environment.unsupported((3, 10, 2))


def test_environment_is_renewed_when_versions_change(tmp_path, monkeypatch):
    for name in ("constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_text("one", "utf-8")
    files = (tmp_path / "constraints.txt", tmp_path / "pyproject.toml")
    monkeypatch.setattr(environment, "DEPENDS_ON", files)
    before = environment._key()
    files[1].write_text("two", "utf-8")
    assert environment._key() != before


def test_version_is_one():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited["version"] == apmlib.__version__
    assert cited["license"] == project()["license"]


def test_every_module_is_installed():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
        "setuptools"
    ]
    folders = {path.parent for path in (ROOT / "apmlib").rglob("*.py")}
    names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert names == set(setuptools["packages"])


# Commands


def code_lines(path):
    """Lines of code blocks without a language, and whatever stands in backticks."""
    found, fence = [], None
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("```"):
            fence = line if fence is None else None
        elif fence == "```":
            found.append(line.split("#")[0].strip())
        else:
            found += re.findall(r"`([^`]+)`", line)
    return found


def targets():
    return set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))


def commands(document):
    """What a document tells its readers to make, and the programs that it names."""
    lines = code_lines(ROOT / document)
    made = {line.split()[1] for line in lines if re.match(r"make \w", line)}
    return made, {word for line in lines for word in re.findall(r"\bci/\w+\.py", line)}


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", "book/index.md", "book/teaching.md"]
)
def test_commands_of_a_document_exist(document):
    made, programs = commands(document)
    assert {"book"} <= made <= targets()
    assert all((ROOT / program).exists() for program in programs)


@pytest.mark.parametrize("document", ["README.md", "book/index.md"])
def test_two_commands_with_make_and_without(document):
    made, programs = commands(document)
    assert {"book", "test"} <= made and {"ci/book.py", "ci/test.py"} <= programs


def test_apm_commands_of_the_readme_parse():
    from apmlib import cli

    lines = [line for line in code_lines(ROOT / "README.md") if line.startswith("apm ")]
    commands = {line.split()[1] for line in lines if not line.split()[1].startswith("-")}
    assert {"data", "train", "evaluate", "table", "predict"} <= commands
    for command in sorted(commands):
        with pytest.raises(SystemExit) as left:
            cli.main([command, "--help"])
        assert left.value.code in (0, None)


def test_recipes_are_one_line_each_and_call_programs():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for recipe in re.findall(r"^[\w-]+:.*\n((?:\t.*\n)+)", makefile, re.M):
        (program,) = re.findall(r"^\t@\$\(PYTHON\) (ci/\w+\.py)", recipe, re.M)
        assert recipe.count("\n") == 1
        assert (ROOT / program).exists()


def test_make_help_names_every_target():
    shown = subprocess.run(
        [sys.executable, ROOT / "ci" / "help.py"], capture_output=True, text=True, check=True
    )
    for target in ("book", "test", "ablation", "ablation-extra", "lab", "help"):
        assert f"make {target}" in shown.stdout


def test_published_is_what_the_two_commands_make():
    path = ROOT / ".github" / "workflows" / "pages.yml"
    jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    steps = jobs["build"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["make book", "make test"]
    assert {"book", "test"} <= targets()
    (python,) = [
        step["with"]["python-version"] for step in steps if "setup-python" in str(step)
    ]
    assert SpecifierSet(project()["requires-python"]).contains(python)
    (published,) = [step["with"]["path"] for step in steps if "upload-pages" in str(step)]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    profile = re.search(r"^PROFILE \?= (\w+)$", makefile, re.M)[1]
    assert published == f"_build/{profile}/html"
    assert jobs["publish"]["needs"] == "build"


def test_ci_runs_the_tests():
    script = ROOT / ".ci" / "run"
    assert script.read_text("utf-8").splitlines()[-1] == "make test"
    assert os.name == "nt" or os.access(script, os.X_OK)


# Chapters as they are kept in git


def test_table_of_contents_lists_the_chapters():
    assert chapters.names() == [path.stem for path in NOTEBOOKS]


def source(path):
    return nbformat.read(path, as_version=4)


def text(path):
    return "\n".join(cell.source for cell in source(path).cells if cell.cell_type == "markdown")


@every_chapter
def test_notebook_is_clean(path):
    before = json.loads(path.read_text("utf-8"))
    notebook = source(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    strip.strip(notebook)
    after = json.loads(nbformat.writes(notebook))
    assert after == before, "`make strip` removes outputs and what an editor left"


@every_chapter
def test_chapter_has_its_parameters(path):
    tagged = [
        cell for cell in source(path).cells if "parameters" in cell.metadata.get("tags", [])
    ]
    assert [cell.source for cell in tagged] == ['profile = "laptop"\nseed = 0']


@every_chapter
def test_chapter_installs_what_a_bare_kernel_lacks(path):
    (cell,) = [cell for cell in source(path).cells if cell.id == strip.INSTALL]
    assert cell == strip.install_cell(), "`make strip` writes it"
    first = next(cell for cell in source(path).cells if cell.cell_type == "code")
    assert first.id == strip.INSTALL


def test_address_in_the_cell_is_that_of_the_configuration(tmp_path, monkeypatch):
    monkeypatch.setattr(strip, "CONFIG", tmp_path / "_config.yml")
    for address in ("", "https://github.com/someone/a-book"):
        text = yaml.safe_dump({"repository": {"url": address}})
        (tmp_path / "_config.yml").write_text(text, "utf-8")
        assert f'    address = "{address}"\n' in strip.install_cell().source


@pytest.mark.parametrize("address", ["", "nowhere/a-book"])
def test_cell_in_a_kernel_with_the_package_does_nothing(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", None)
    names = {}
    exec(strip.install_cell().source.replace('""', f'"{address}"'), names)
    assert "clone" not in names and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["book", "elsewhere"])
def test_cell_in_a_bare_kernel_installs_the_clone(where, tmp_path, monkeypatch):
    clone = tmp_path if where == "book" else tmp_path / where / "judging-photographs"
    (tmp_path / where).mkdir()
    monkeypatch.chdir(tmp_path / where)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    called = []

    def run(command, check):
        called.append([str(word) for word in command])

    monkeypatch.setattr(subprocess, "run", run)
    if where == "book":
        (tmp_path / "ci").mkdir()
        (tmp_path / "ci" / "constraints.txt").write_text("", "utf-8")
    code = strip.install_cell().source.replace(
        'address = ""', 'address = "https://x.example/y"'
    )
    exec(code, {})
    if where == "elsewhere":
        assert called.pop(0)[-2:] == ["https://x.example/y", str(clone)]
    (command,) = called
    assert command[1:4] == ["-m", "pip", "install"] and "--quiet" in command
    assert command[command.index("-c") + 1] == str(clone / "ci" / "constraints.txt")
    assert command[command.index("-e") + 1] == f"{clone}[book]"
    assert sys.path[0] == str(clone)


def test_cell_with_no_clone_and_no_address_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code = re.sub(r'address = ".*"', 'address = ""', strip.install_cell().source)
    with pytest.raises(ModuleNotFoundError, match="in a clone of the book"):
        exec(code, {})


@every_chapter
def test_chapter_has_what_every_chapter_has(path):
    prose = text(path)
    assert ":::{admonition} Before you begin" in prose
    assert re.search(r"^# ", prose, re.M) and re.search(r"^## Summary", prose, re.M)
    exercises = re.findall(r"\{exercise-start\}.*?:label: ([\w-]+)", prose, re.S)
    solved = re.findall(r"\{solution-start\} ([\w-]+)\s*\n:class: dropdown", prose)
    assert sorted(solved) == sorted(exercises)
    assert prose.count("{solution-end}") == prose.count("{exercise-end}") == len(exercises)
    if path.stem[:2] != "00":
        assert len(exercises) >= 3
        assert re.search(r"^## Further reading", prose, re.M)
        answers = prose.split("## Self-check")[1].count(":::{admonition} Answer")
        assert 3 <= answers <= 5


@every_chapter
def test_figures_have_name_caption_and_alternative_text(path):
    number = path.stem[:2]
    for cell in source(path).cells:
        shown = cell.metadata.get("mystnb", {})
        if "figure" in shown:
            assert shown["figure"]["name"].startswith(f"fig-{number}-")
            assert len(shown["figure"]["caption"]) > 20
            assert len(shown["image"]["alt"]) > 20
            assert shown["image"]["alt"] not in shown["figure"]["caption"]
        else:
            drawn = re.search(r"plt\.(subplots|figure)\(|figures\.sheet\(", cell.source)
            assert not (cell.cell_type == "code" and drawn and "def " not in cell.source), (
                cell.id
            )


@every_chapter
def test_tables_are_shown(path):
    for cell in source(path).cells:
        if cell.cell_type != "code" or "figures.table(" not in cell.source:
            continue
        *before, last = ast.parse(cell.source).body
        calls = [ast.unparse(line) for line in before if isinstance(line, ast.Expr)]
        assert not any(call.startswith("figures.table(") for call in calls), cell.id


def test_labels_are_of_their_chapter_and_unique():
    seen = {}
    for path in NOTEBOOKS:
        prose = text(path)
        labels = re.findall(r"^\$\$ \(([\w-]+)\)", prose, re.M)
        labels += re.findall(r"^\(([\w-]+)\)=$", prose, re.M)
        labels += re.findall(r"^:(?:label|name): ([\w-]+)", prose, re.M)
        labels += [
            cell.metadata["mystnb"]["figure"]["name"]
            for cell in source(path).cells
            if "figure" in cell.metadata.get("mystnb", {})
        ]
        for label in labels:
            assert seen.setdefault(label, path.stem) == path.stem, label
        assert len(set(labels)) == len(labels), path.stem
        assert all(label.split("-")[1] == path.stem[:2] for label in labels), labels


# Execution


def notebook(*sources, parameters='profile = "laptop"\nseed = 0'):
    cells = [v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells += [v4.new_code_cell(code) for code in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    for name in ("APM_HOME", "IPYTHONDIR", "PYTHONHASHSEED", "PYTHONPATH", "PATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setenv("MPLBACKEND", "")
    chapters.prepare_environment(tmp_path / "home", tmp_path / "ipython")
    return tmp_path


def test_executed_chapter_is_ready_for_its_page(kernels):
    given, made = kernels / "01-x.ipynb", kernels / "out" / "01-x.ipynb"
    nbformat.write(notebook("print(profile, seed)\n1;"), given)
    assert chapters.execute(given, made, "smoke") > 0
    result = nbformat.read(made, as_version=4)
    assert result.cells[2].outputs[0].text == "smoke 0\n"
    assert len(result.cells[2].outputs) == 1
    assert "remove-cell" in result.cells[1].metadata.tags
    assert "papermill" not in result.metadata
    assert chapters.problems(result) == []
    assert [path.name for path in made.parent.iterdir()] == ["01-x.ipynb"]


@pytest.mark.parametrize(
    "parameters", ['profile = "laptop"', "seed = 0\nprofile = 0\nextra = 1"]
)
def test_missing_or_unknown_parameter_is_an_error(tmp_path, parameters):
    given = tmp_path / "01-x.ipynb"
    nbformat.write(notebook(parameters=parameters), given)
    with pytest.raises(chapters.ChapterError, match="must set"):
        chapters.execute(given, tmp_path / "out" / "01-x.ipynb", "smoke")
    assert not (tmp_path / "out").exists()


def test_failing_chapter_names_its_cell_and_leaves_nothing(kernels):
    given, made = kernels / "01-x.ipynb", kernels / "out" / "01-x.ipynb"
    nbformat.write(notebook("1 / 0", "2"), given)
    with pytest.raises(chapters.ChapterError, match="(?s)01-x.ipynb, cell 3.*ZeroDivision"):
        chapters.execute(given, made, "smoke")
    assert not made.exists()


@pytest.mark.parametrize(
    "output, complaint",
    [
        (v4.new_output("stream", name="stderr", text="a warning"), "standard error: a warning"),
        (v4.new_output("error", ename="E", evalue="bad", traceback=[]), "raised E: bad"),
        (v4.new_output("stream", name="stdout", text=f"{ROOT}/x"), "path of this machine"),
        (
            v4.new_output(
                "display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
            ),
            "widget",
        ),
    ],
)
def test_what_must_not_be_published_is_found(output, complaint):
    cell = v4.new_code_cell("x", execution_count=1, outputs=[output])
    (problem,) = chapters.problems(v4.new_notebook(cells=[cell]))
    assert complaint in problem


def test_cell_without_an_execution_count_is_found():
    cells = [v4.new_code_cell("x"), v4.new_code_cell("  "), v4.new_markdown_cell("x")]
    assert chapters.problems(v4.new_notebook(cells=cells)) == ["cell 1 was not executed"]


def test_chapter_runs_again_when_it_or_the_profile_changed(tmp_path):
    given = tmp_path / "01-x.ipynb"
    given.write_text("{}", "utf-8")
    first = chapters.key(given, "smoke")
    assert chapters.key(given, "smoke") == first != chapters.key(given, "laptop")
    given.write_text("{ }", "utf-8")
    assert chapters.key(given, "smoke") != first


# Pages


def test_failed_build_never_counts_as_done(tmp_path, monkeypatch):
    source = tmp_path / "book"
    source.mkdir()
    (source / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nparts:\n- chapters:\n  - file: other\n", "utf-8"
    )
    (source / "references.bib").write_text("", "utf-8")
    (source / "logo").mkdir()
    for logo in (ROOT / "book" / "logo").iterdir():
        (source / "logo" / logo.name).write_bytes(logo.read_bytes())
    (source / "index.md").write_text("# One\n\n{ref}`nowhere`\n", "utf-8")
    (source / "other.md").write_text("# Two\n", "utf-8")
    monkeypatch.setattr(chapters, "BOOK", source)
    out = tmp_path / "out"
    for _ in range(2):
        with pytest.raises(chapters.ChapterError, match="nowhere"):
            book.build(out, [])
        assert not (out / "html").exists()
    (source / "index.md").write_text("# One\n", "utf-8")
    book.build(out, [])
    assert (out / "html" / "index.html").exists()
    assert pages.problems(out / "html") == []


def test_choice_of_chapters_leaves_no_part_empty(tmp_path):
    toc = tmp_path / "_toc.yml"
    whole = (ROOT / "book" / "_toc.yml").read_text("utf-8")
    parts = yaml.safe_load(whole)["parts"]
    for wanted in (chapters.names()[-1:], chapters.names()[:1], chapters.names()):
        toc.write_text(whole, "utf-8")
        book.choose(toc, wanted)
        assert chapters.names(toc) == wanted
        left = yaml.safe_load(toc.read_text("utf-8"))
        assert left["format"] == "jb-book" and left["root"] == "index"
        assert all(part["chapters"] for part in left["parts"])
        assert left["parts"][-1] == parts[-1]  # what is no chapter stays
    assert left["parts"] == parts


def test_pages_that_fetch_from_elsewhere_are_found():
    html = (
        '<script src="https://a.example/x.js"></script>'
        '<link rel="stylesheet" href="//b.example">'
        '<link rel="canonical" href="https://c.example"><img src="x.png"><a href="https://d">d</a>'
    )
    found = pages.external(BeautifulSoup(html, "html.parser"))
    assert sorted(found) == ["fetches //b.example", "fetches https://a.example/x.js"]


def test_pictures_without_description_are_found():
    good = (
        '<figure><img src="_images/a.png" alt="Ten bars, five of them high."><figcaption>'
        '<span class="caption-number">Fig. 1</span></figcaption></figure>'
    )
    bare = '<img src="_images/b.png" alt="_images/b.png">'
    assert pages.undescribed(BeautifulSoup(f"<article>{good}</article>", "html.parser")) == []
    assert (
        len(pages.undescribed(BeautifulSoup(f"<article>{bare}</article>", "html.parser"))) == 2
    )


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


def test_pictures_are_compared_by_their_pixels():
    pixels = np.full((8, 9, 3), 100, np.uint8)
    other = pixels.copy()
    other[2, 3, 1] += 1
    assert compare_figures.alike(png(pixels), png(other))
    other[2, 3, 1] += 1
    assert not compare_figures.alike(png(pixels), png(other))
    assert not compare_figures.alike(png(pixels), png(pixels[:-1]))


def test_second_execution_must_give_every_output_again(kernels):
    given, made = kernels / "01-x.ipynb", kernels / "out" / "01-same.ipynb"
    draw = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    nbformat.write(notebook(draw, "1 + 1"), given)
    chapters.execute(given, made, "smoke")
    result = nbformat.read(made, as_version=4)
    result.cells[3].outputs[0].data["text/plain"] = "3"
    nbformat.write(result, made.with_name("02-number.ipynb"))
    result = nbformat.read(made, as_version=4)
    pictures = [out for out in result.cells[2].outputs if "image/png" in out.data]
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(pictures[0].data["image/png"]))))
    pixels[0, 0, :3] = 0
    pictures[0].data["image/png"] = png(pixels)
    nbformat.write(result, made.with_name("03-picture.ipynb"))
    command = [sys.executable, "-m", "pytest", "-p", "compare_figures", "-o", "addopts="]
    command += ["--nbval", "--nbval-current-env", "-q", "--tb=no", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, made.parent], capture_output=True, text=True, cwd=kernels)
    failed = re.findall(r"^FAILED \S*?(\d\d-\w+\.ipynb::Cell \d)", done.stdout, re.M)
    assert failed == ["02-number.ipynb::Cell 3", "03-picture.ipynb::Cell 2"], done.stdout


def small_book(folder, monkeypatch):
    """A book of a front page and one chapter, as a place to build it in."""
    source, out = folder / "book", folder / "out"
    (source / "logo").mkdir(parents=True)
    for logo in (ROOT / "book" / "logo").iterdir():
        (source / "logo" / logo.name).write_bytes(logo.read_bytes())
    toc = "format: jb-book\nroot: index\nparts:\n- chapters:\n  - file: 01-x\n"
    (source / "_toc.yml").write_text(toc, "utf-8")
    (source / "references.bib").write_text("", "utf-8")
    (source / "index.md").write_text("# One\n", "utf-8")
    opening = "# X\n\n**It needs** nothing. **Time** a minute to read; to run none."
    chapter = notebook("1 + 1")
    chapter.cells.insert(0, v4.new_markdown_cell(opening))
    nbformat.write(chapter, source / "01-x.ipynb")
    (out / "executed").mkdir(parents=True)
    chapter.cells[-1].update(execution_count=1, outputs=[v4.new_output("stream", text="2")])
    nbformat.write(chapter, out / "executed" / "01-x.ipynb")
    monkeypatch.setattr(chapters, "BOOK", source)
    return out


def links(page):
    return [a.get("href", "") for a in BeautifulSoup(page, "html.parser").find_all("a")]


@pytest.mark.parametrize("address", ["", "https://github.com/someone/a-book"])
def test_buttons_of_a_chapter_point_at_what_there_is(address, tmp_path, monkeypatch):
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    config["repository"]["url"] = address
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(config), "utf-8")
    monkeypatch.setattr(book, "CONFIG", tmp_path / "_config.yml")
    out = small_book(tmp_path, monkeypatch)
    book.build(out, ["01-x"])
    found = links((out / "html" / "01-x.html").read_text("utf-8"))
    downloaded = out / "html" / "_sources" / "01-x.ipynb"
    assert "_sources/01-x.ipynb" in found
    assert downloaded.read_bytes() == (tmp_path / "book" / "01-x.ipynb").read_bytes()
    elsewhere = [link for link in found if "someone/a-book" in link]
    if address:
        assert sorted(elsewhere) == [
            "https://colab.research.google.com/github/someone/a-book/blob/main/book/01-x.ipynb",
            address,
            "https://mybinder.org/v2/gh/someone/a-book/main?urlpath=lab/tree/book/01-x.ipynb",
        ]
    else:
        assert elsewhere == []
    launched = [link for link in found if "colab" in link or "mybinder" in link]
    assert bool(launched) == bool(address)


def test_page_of_the_package_names_every_module():
    page = (ROOT / "book" / "api.md").read_text("utf-8")
    named = re.findall(r"automodule:: (apmlib[\w.]*)\n   :members:", page)
    assert named == re.findall(r"^### `(apmlib[\w.]*)`$", page, re.M)
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "apmlib").rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "scenes"
    }
    assert set(named) == modules and len(named) == len(modules)


def test_guide_has_a_row_for_every_chapter():
    table = needs.table(chapters.names())
    for name in chapters.names():
        (row,) = [line for line in table.splitlines() if line.startswith(f"| {{doc}}`{name}`")]
        assert row.count("|") == 5
    assert [needs.minutes(s) for s in (3, 91, 360)] == ["1 min", "2 min", "6 min"]


def test_config_keeps_pages_offline_and_sources_unexecuted():
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    assert config["execute"]["execute_notebooks"] == "off"
    assert config["sphinx"]["config"]["nb_ipywidgets_js"] == {}
    assert "sphinx-mathjax-offline" in config["sphinx"]["config"]["extensions"]
    assert config["sphinx"]["config"]["numfig"] is True
