import hashlib
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from apmlib import cli, importing, ratings
from apmlib.errors import InputError

THEMES = ["Acorns 1", "Acorns 2", "Animal carcass 1", "Bar 1", "Cat 10", "Lake 3"]
CATEGORIES = ["Object", "Object", "Animal", "Scenery", "Animal", "Scenery"]
SPLITS = {"bar-1.jpg": "train", "acorns-1.jpg": "val", "animal-carcass-1.jpg": "test"}
OASIS_HEADER = ",Theme,Category,Source,Valence_mean,Valence_SD,Valence_N"
# By item: the beauty that raters 1, 2, 3 and so on saw in it.
BEAUTY = {1: [7, 6, 6], 2: [1], 3: [2, 2, 1, 7], 4: [4, 5], 5: [6, 7], 6: [7]}


@pytest.fixture(autouse=True)
def no_home(tmp_path, monkeypatch):
    monkeypatch.setenv("APM_HOME", str(tmp_path / "home"))


def photograph(path, shade=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 16), (shade, 100, 50)).save(path)


def content(folder):
    """Every file below ``folder`` with the hash of what it holds."""
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def message(function, *arguments, **options):
    with pytest.raises(InputError) as error:
        function(*arguments, **options)
    text = str(error.value)
    assert "\n" not in text and ": " in text and "; " in text
    return text


# --- OASIS -----------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """What osf.io and GitHub give, with six of the 900 photographs: lines end in CR, a theme in
    a blank, ratings that were not asked for are NaN."""
    source = tmp_path / "download"
    rows = [
        f"I{number},{theme}{' ' * (number == 4)},{category},Pixabay,4.6,0.9,102"
        for number, (theme, category) in enumerate(zip(THEMES, CATEGORIES, strict=True), 1)
    ]
    for shade, theme in enumerate(THEMES):
        photograph(source / "OASIS" / "images" / f"{theme}.jpg", 40 * shade)
    (source / "OASIS" / "OASIS.csv").write_bytes("\r".join([OASIS_HEADER, *rows]).encode())
    long = ["subjID,item,beauty,age"]
    for item, scores in BEAUTY.items():
        scores = [*scores, "NaN", "NA", ""]
        long += [f"{rater},{item},{score},30" for rater, score in enumerate(scores, 1)]
    (source / "depthDat.csv").write_text("\ufeff" + "\n".join(long) + "\n", "utf-8")
    splits = tmp_path / "splits.txt"
    lines = [f"{image} {split}" for image, split in SPLITS.items()]
    splits.write_text("# which\n" + "\n".join(lines) + "\n")
    monkeypatch.setattr(importing, "OASIS_SPLITS", splits)
    return source


def test_oasis_gives_the_listed_photographs_with_votes_category_and_split(archive, tmp_path):
    before = content(archive)
    done = importing.oasis(archive, tmp_path / "root")
    assert (tmp_path / "root" / "ratings.csv").read_text() == (
        "image,n1,n2,n3,n4,n5,n6,n7,category,split\n"
        "bar-1.jpg,0,0,0,1,1,0,0,scenery,train\n"
        "acorns-1.jpg,0,0,0,0,0,2,1,object,val\n"
        "animal-carcass-1.jpg,1,2,0,0,0,0,1,animal,test\n"
    )
    assert done.without_photograph == done.without_ratings == () and done.blank == 18
    read = ratings.read(tmp_path / "root")
    assert len(read) == 3 and read.bins == 7 and read.absent == ()
    report = ratings.check(tmp_path / "root")
    assert report.usable == 3 and not report.unlisted and not report.error
    theme = archive / "OASIS" / "images" / "Animal carcass 1.jpg"
    assert os.path.samefile(tmp_path / "root" / "images" / "animal-carcass-1.jpg", theme)
    assert content(archive) == before


def test_all_of_oasis_keeps_the_test_split(archive, tmp_path):
    importing.oasis(archive, tmp_path / "root", everything=True)
    table = ratings.read(tmp_path / "root").table
    assert len(table) == 6 and list(table.index[:3]) == list(SPLITS)
    assert list(table.index[table["split"] == "test"]) == ["animal-carcass-1.jpg"]
    assert table["n7"]["cat-10.jpg"] == 1


def test_the_committed_list_is_of_400_photographs():
    splits = importing._splits()
    assert pd.Series(splits).value_counts().to_dict() == {"train": 300, "val": 40, "test": 60}
    assert all(name == importing._dashed(name[:-4]) + ".jpg" for name in splits)


@pytest.mark.skipif("APM_OASIS_ROOT" not in os.environ, reason="APM_OASIS_ROOT is not set")
def test_the_real_photographs_and_splits_come_back(tmp_path):
    real = ratings.read(os.environ["APM_OASIS_ROOT"])
    source, rows, long = tmp_path / "download", [OASIS_HEADER], ["subjID,item,beauty"]
    (source / "images").mkdir(parents=True)
    order = random.Random(0).sample(range(len(real)), len(real))
    for number, place in enumerate(order, 1):
        row = real.table.iloc[place]
        words, _, last = row.name[:-4].rpartition("-")
        theme = f"{words.replace('-', ' ').capitalize()} {last}"
        (source / "images" / f"{theme}.jpg").symlink_to(row["path"])
        rows.append(f"I{number},{theme},{row['category'].capitalize()},Pixabay,4,1,100")
        scores = np.repeat(range(1, 8), real.counts[place])
        long += [f"{rater},{number},{score}" for rater, score in enumerate(scores)]
    (source / "OASIS.csv").write_bytes("\r".join(rows).encode())
    (source / "depthDat.csv").write_text("\n".join(long) + "\n")
    importing.oasis(source, tmp_path / "root")
    made = ratings.read(tmp_path / "root")
    assert made.fingerprint == real.fingerprint and len(made) == 400
    assert made.table["category"].equals(real.table["category"])
    first = real.table["path"].iloc[0]
    assert Path(made.table["path"].iloc[0]).read_bytes() == Path(first).read_bytes()


def test_listed_photograph_that_nobody_rated_is_named(archive, tmp_path):
    table = archive / "depthDat.csv"
    kept = [line for line in table.read_text("utf-8").splitlines() if ",4," not in line]
    table.write_text("\n".join(kept), "utf-8")
    done = importing.oasis(archive, tmp_path / "root")
    assert done.without_ratings[0] == "bar-1.jpg"
    assert list(done.table["image"]) == ["acorns-1.jpg", "animal-carcass-1.jpg"]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda s: shutil.rmtree(s), "no such folder"),
        (
            lambda s: (s / "OASIS" / "OASIS.csv").unlink(),
            "holds no OASIS.csv; unpack OASIS.zip",
        ),
        (lambda s: (s / "depthDat.csv").unlink(), "holds no depthDat.csv; get it from github"),
        (lambda s: (s / "depthDat.csv").write_text(""), "is empty"),
        (lambda s: (s / "depthDat.csv").write_text("item,beauty\n"), "a header and no rows"),
        (
            lambda s: (s / "depthDat.csv").write_text("item,pleasure\n1,2\n"),
            "line 1: no column 'beauty' among 'item,pleasure'; get it from github",
        ),
        (
            lambda s: (s / "depthDat.csv").write_text("item,beauty\n1,2\n1,8\n2,0\n"),
            "line 3 (2 such lines): score is '8', not a whole number from 1 to 7",
        ),
        (
            lambda s: (s / "depthDat.csv").write_text("item,beauty\n1,2\n7,2\n"),
            "item 7 is not in",
        ),
        (
            lambda s: (s / "depthDat.csv").write_text("item,beauty\n1,NaN\n"),
            "no row has a score",
        ),
        (
            lambda s: (s / "OASIS" / "OASIS.csv").write_text(
                f"{OASIS_HEADER}\nx,Bar 1,Object\n"
            ),
            "line 2: item is 'x', not I1",
        ),
        (
            lambda s: (s / "OASIS" / "OASIS.csv").write_text(
                f"{OASIS_HEADER}\nI1,Bar 1,Object\nI2,bar-1,Object\n"
            ),
            "line 3: name is 'bar-1', which stands there twice",
        ),
        (
            lambda s: shutil.copytree(s / "OASIS", s / "again"),
            "OASIS.csv stands there 2 times",
        ),
        (
            lambda s: shutil.rmtree(s / "OASIS" / "images"),
            "none of the 3 rated photographs is there, such as Bar 1; name their folder",
        ),
    ],
)
def test_what_cannot_be_imported_is_one_line_and_leaves_nothing(
    archive, tmp_path, spoil, complaint
):
    spoil(archive)
    assert complaint in message(importing.oasis, archive, tmp_path / "root")
    assert not (tmp_path / "root").exists()


# --- KonIQ-10k -------------------------------------------------------------------------------

VOTES = {"826373.jpg": [0, 0, 25, 73, 7], "10004473376.jpg": [45, 48, 7, 0, 0]}


@pytest.fixture
def koniq(tmp_path):
    source = tmp_path / "koniq"
    for name in (*VOTES, "nobody.jpg"):
        photograph(source / "1024x768" / name)
    return source


def koniq_line(name, counts, shares, more):
    total = sum(counts)
    written = [f"{count / total:.12g}" if shares else str(count) for count in counts]
    return ",".join([name, *written, str(total), "3.1", "0.5", more])


def write_koniq(source, shares, name="koniq10k_scores_and_distributions.csv"):
    last, more = ("set", ["training", "test"]) if shares else ("MOS_zscore", ["70", "30"])
    lines = [f'"image_name",c1,c2,c3,c4,c5,c_total,MOS,SD,{last}']
    lines += [koniq_line(*item, shares, m) for item, m in zip(VOTES.items(), more, strict=True)]
    (source / name).write_text("\r\n".join(lines) + "\r\n")


@pytest.mark.parametrize("shares", [False, True])
def test_koniq_votes_are_counts_whichever_way_they_are_written(koniq, tmp_path, shares):
    name = "koniq10k_distributions_sets.csv" if shares else importing.KONIQ_TABLES[1]
    write_koniq(koniq, shares, name)
    done = importing.koniq(koniq, tmp_path / "root")
    read = ratings.read(tmp_path / "root")
    assert read.counts.tolist() == list(VOTES.values()) and list(read.table.index) == [*VOTES]
    assert ("split" in done.table) == shares
    if shares:
        assert list(done.table["split"]) == ["train", "test"]
    assert done.without_ratings == ("1024x768/nobody.jpg",)
    assert ratings.check(tmp_path / "root").usable == 2


def test_the_authors_split_is_taken_where_it_is_there(koniq, tmp_path):
    write_koniq(koniq, shares=False)
    write_koniq(koniq, True, "koniq10k_distributions_sets.csv")
    assert "split" in importing.koniq(koniq, tmp_path / "root").table


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=5, max_size=5).filter(any), st.booleans())
def test_shares_and_counts_give_the_votes_back(counts, shares):
    names = ["c1", "c2", "c3", "c4", "c5"]
    cells = koniq_line("a", counts, shares, "").split(",")[1:7]
    frame = pd.DataFrame([cells], columns=[*names, "c_total"])
    assert importing._koniq_counts(Path("k.csv"), frame, names).tolist() == [counts]


def test_both_sizes_need_a_choice(koniq, tmp_path):
    write_koniq(koniq, shares=False)
    for name in VOTES:
        photograph(koniq / "512x384" / name, 9)
    text = message(importing.koniq, koniq, tmp_path / "root")
    assert "826373.jpg may be 1024x768/826373.jpg or 512x384/826373.jpg" in text
    done = importing.koniq(koniq, tmp_path / "root", photographs=koniq / "512x384")
    assert list(done.table["image"]) == [*VOTES] and done.without_ratings == ()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a.jpg,1,2,3,4,5,16,3,1,50", "line 2: c_total is '16', and c1 to c5 are neither"),
        ("a.jpg,0.2,0.2,0.2,0.2,0.2,7,3,1,50", "line 2: c_total is '7', and c1"),
        ("a.jpg,1,x,3,4,5,13,3,1,50", "line 2: c_total is '13', and c1"),
        ("a.jpg,0,0,0,0,0,0,3,1,50", "line 2: c_total is '0', and c1"),
        ("a.jpg,-1,1,3,4,5,12,3,1,50", "line 2: c_total is '12', and c1"),
        ("a.jpg,inf,0,0,0,0,inf,3,1,50", "line 2: c_total is 'inf', and c1"),
        ("a.jpg,1", "line 2: c_total is '', and c1"),
        ("a.jpg,1,0,0,0,0,1,3,1,50\na.jpg,1,0,0,0,0,1,3,1,50", "line 3: image_name is 'a.jpg'"),
    ],
)
def test_koniq_lines_that_do_not_add_up_are_named(koniq, tmp_path, line, complaint):
    header = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,MOS_zscore"
    (koniq / importing.KONIQ_TABLES[1]).write_text(f"{header}\n{line}\n")
    assert complaint in message(importing.koniq, koniq, tmp_path / "root")


def test_koniq_without_its_table_or_columns(koniq, tmp_path):
    text = message(importing.koniq, koniq, tmp_path / "root")
    assert "holds no koniq10k_scores_and_distributions.csv; unpack" in text
    (koniq / importing.KONIQ_TABLES[1]).write_text("image_name,MOS\na.jpg,3\n")
    assert "no column 'c1'" in message(importing.koniq, koniq, tmp_path / "root")


# --- Any table -------------------------------------------------------------------------------


@pytest.fixture
def rated(tmp_path):
    """Three photographs, one of them unrated, and a rating of one that is not there."""
    for shade, name in enumerate(("a.jpg", "holiday/B.JPG", "nobody.png")):
        photograph(tmp_path / "mine" / "photos" / name, 60 * shade)
    path = tmp_path / "mine" / "table.csv"
    path.write_text(
        "Rater,File name,Score\nx,a,3\ny,a.jpg,\ny,b.jpg,1\n\nx,b.jpg,4\nx,c.jpg,2\n"
    )
    return path


def test_table_with_recognised_columns(rated, tmp_path):
    done = importing.table(rated, tmp_path / "root")
    assert (tmp_path / "root" / "ratings.csv").read_text() == (
        "image,n1,n2,n3,n4\na.jpg,0,0,1,0\nB.JPG,1,0,0,1\n"
    )
    assert done.without_photograph == ("c.jpg",) and done.blank == 1
    assert done.without_ratings == ("photos/nobody.png",)
    assert ratings.read(tmp_path / "root").bins == 4
    text = str(done)
    assert "2 photographs, 3 ratings from 1 to 4" in text and "without a score: 1" in text


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=6),
    st.sampled_from(",;\t"),
    st.randoms(use_true_random=False),
)
def test_ratings_in_any_order_are_counted(tmp_path_factory, histograms, separator, rng):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    rows = [
        (f"{image}.jpg", f"r{score}-{vote}", str(score + 1))
        for image, histogram in enumerate(histograms)
        for score, votes in enumerate(histogram)
        for vote in range(votes)
    ]
    if not rows:
        return
    rng.shuffle(rows)
    lines = [("picture", "worker id", "rating"), *rows]
    path.write_text("".join(separator.join(line) + "\n" for line in lines))
    frame = importing._read(path, importing._recognised(path), "")
    counts, blank = importing._counted(path, frame, 3)
    expected = {f"{i}.jpg": votes for i, votes in enumerate(histograms) if any(votes)}
    assert {
        name: row.tolist() for name, row in zip(counts.index, counts.to_numpy(), strict=True)
    } == expected
    assert list(counts.index) == list(dict.fromkeys(row[0] for row in rows)) and blank == 0


def test_columns_scale_and_folder_can_be_named(rated, tmp_path):
    rated.write_text("what;who;how much;item\na.jpg;x;2;9\n")
    done = importing.table(
        rated,
        tmp_path / "root",
        columns=("what", "who", "How much"),
        bins=5,
        photographs=rated.parent / "photos",
    )
    assert done.table.to_dict("list")["n2"] == [1] and "n5" in done.table


def test_photographs_of_one_name_are_told_apart_by_their_folder(rated, tmp_path):
    photograph(rated.parent / "photos" / "2020" / "a.jpg", 7)
    rated.write_text("image,rater,score\na.jpg,x,2\n")
    assert "a.jpg may be" in message(importing.table, rated, tmp_path / "root")
    rated.write_text("image,rater,score\n2020/a.jpg,x,2\n2020\\A.jpg,y,1\n")
    assert "is both 2020/a.jpg and" in message(importing.table, rated, tmp_path / "root")
    rated.write_text("image,rater,score\n2020/a.jpg,x,2\nphotos/a.jpg,x,1\n../a.jpg,y,1\n")
    done = importing.table(rated, tmp_path / "root")
    assert list(done.table["image"]) == ["2020/a.jpg", "photos/a.jpg"]
    assert done.without_photograph == ("../a.jpg",)
    assert len(ratings.read(tmp_path / "root")) == 2


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("image,rater,score\na,x,5\na,y,5.5\n", "line 3: score is '5.5', not a whole number"),
        ("image,rater,score\na,x,0\n", "line 2: score is '0', not a whole number"),
        ("image,rater,score\na,x,fine\n", "line 2: score is 'fine', not"),
        ("image,rater,score\na,x,1e9\n", "line 2: score is '1e9', not"),
        ("image,rater,score\na,x,1\n", "every score is 1; give the scale by --scores"),
        ("image,rater,score\na,x,1\n\na,x,2\n", "line 4: rater is 'x', who rated a before"),
        ("image,rater,score\n,x,1\n", "line 2: image is '', with a score"),
        ("image,rater,score\na,,1\n", "line 2: rater is '', with a score"),
        ('image,rater,score\na,x,2,3\n"', "cannot be read"),
        ("image,score\na,1\n", "none may be the rater; name the three by --columns"),
        ("image,file,rater,score\na,a,x,1\n", "'image' and 'file' may be the image"),
        ("image,rater,score,score\na,x,1,1\n", "'score' and 'score' may be the score"),
        ("\nimage,rater,score\n", "is empty, or its first line is"),
    ],
)
def test_tables_that_cannot_be_used(rated, tmp_path, text, complaint):
    rated.write_text(text)
    assert complaint in message(importing.table, rated, tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_missing_table_wrong_column_and_scale(rated, tmp_path):
    root = tmp_path / "root"
    assert "no such file" in message(importing.table, tmp_path / "none.csv", root)
    text = message(importing.table, rated, root, columns=("image", "rater", "score"))
    assert "no column 'image' among 'rater,file name,score'" in text
    assert "no scale" in message(importing.table, rated, root, bins=1)
    assert "from 1 to 3" in message(importing.table, rated, root, bins=3)


# --- What is written -------------------------------------------------------------------------


def test_an_interrupted_import_goes_on(archive, tmp_path, monkeypatch):
    root, link, calls = tmp_path / "root", importing._link, []

    def interrupted(path, target):
        calls.append(target)
        if len(calls) == 3:
            raise KeyboardInterrupt
        link(path, target)

    monkeypatch.setattr(importing, "_link", interrupted)
    arguments = ["data", "import", "oasis", str(archive), str(root)]
    assert cli.main(arguments) == 130
    assert len(content(root)) == 2 and not (root / "ratings.csv").exists()
    monkeypatch.undo()
    monkeypatch.setattr(importing, "OASIS_SPLITS", tmp_path / "splits.txt")
    monkeypatch.setenv("APM_HOME", str(tmp_path / "home"))
    assert cli.main(arguments) == 0
    made = content(root)
    assert cli.main(arguments) == 0 and content(root) == made and len(made) == 4


def test_copies_where_the_file_system_has_no_links(archive, tmp_path, monkeypatch):
    def refused(*_):
        raise OSError("no links here")

    monkeypatch.setattr(importing.os, "link", refused)
    root = tmp_path / "root"
    importing.oasis(archive, root)
    copy, theme = root / "images" / "bar-1.jpg", archive / "OASIS" / "images" / "Bar 1.jpg"
    assert copy.read_bytes() == theme.read_bytes() and not os.path.samefile(copy, theme)
    made = content(root)
    importing.oasis(archive, root)
    assert content(root) == made

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(importing.shutil, "copy2", full)
    with pytest.raises(OSError, match="disk full"):
        importing.oasis(archive, tmp_path / "other")
    assert content(tmp_path / "other") == {}


def test_nothing_that_is_there_is_written_over(archive, tmp_path):
    root = tmp_path / "root"
    (root / "images").mkdir(parents=True)
    (root / "images" / "bar-1.jpg").write_text("mine")
    assert "is another file than" in message(importing.oasis, archive, root)
    assert (root / "images" / "bar-1.jpg").read_text() == "mine"
    (root / "images" / "bar-1.jpg").unlink()
    (root / "ratings.csv").write_text("image,n1,n2\nmine.jpg,1,2\n")
    before = content(root)
    assert "ratings.csv: other ratings are there" in message(importing.oasis, archive, root)
    assert content(root) == before
    (root / "ratings.csv").rename(root / "AVA.txt")
    assert "AVA.txt: other ratings are there" in message(importing.oasis, archive, root)
    assert "is what you downloaded" in message(importing.oasis, archive, archive)


def test_root_may_be_inside_the_source_or_hold_the_photographs(archive, rated):
    root = archive / "root"
    importing.oasis(archive, root)
    assert importing.oasis(archive, root).without_ratings == ()
    root = rated.parent
    os.rename(root / "photos", root / "images")
    made = content(root / "images")
    for _ in range(2):
        done = importing.table(rated, root)
        assert list(done.table["image"]) == ["a.jpg", "holiday/B.JPG"]
        assert content(root / "images") == made


# --- The command -----------------------------------------------------------------------------


def test_command_counts_and_lists_what_has_no_partner(rated, tmp_path, capsys):
    root = tmp_path / "root"
    assert cli.main(["data", "import", "table", str(rated), str(root)]) == 1
    captured = capsys.readouterr()
    assert "2 photographs, 3 ratings" in captured.out and str(root) in captured.out
    assert "photographs without ratings: 1" in captured.out
    assert captured.err.splitlines() == [
        "apm: photos/nobody.png: nobody rated it",
        "apm: c.jpg: is rated, but not there",
    ]
    assert cli.main(["data", "check", str(root)]) == 0


def test_command_takes_the_options_of_each_collection(archive, rated, tmp_path, capsys):
    def run(*arguments):
        return cli.main(["data", "import", *map(str, arguments)])

    assert run("oasis", archive, tmp_path / "all", "--all") == 0
    assert len(pd.read_csv(tmp_path / "all" / "ratings.csv")) == 6
    columns = ("--columns", "File name,Rater,Score", "--scores", 9)
    assert run("table", rated, tmp_path / "own", *columns) == 1
    assert "from 1 to 9" in capsys.readouterr().out
    for arguments, complaint in (
        (("oasis", archive, tmp_path / "x", "--scores", 9), "--scores: does not fit oasis"),
        (("koniq", archive, tmp_path / "x", "--all"), "--all: does not fit koniq"),
        (("table", rated, tmp_path / "x", "--columns", "a,b"), "--columns a,b: not three"),
        (("koniq", archive, tmp_path / "x"), "holds no koniq10k"),
    ):
        assert run(*arguments) == 2
        captured = capsys.readouterr()
        assert complaint in captured.err and captured.err.count("\n") == 1
