"""Rated collections on disk."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from apmlib import ratings
from apmlib.errors import InputError


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("APM_HOME", str(tmp_path / "home"))


def photograph(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def votes(count: int, bins: int = 10) -> pd.DataFrame:
    """Random votes on images "100", "101", ...; some bins are empty, no row is."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        rng.poisson(3, (count, bins)), columns=[f"n{k}" for k in range(1, bins + 1)]
    )
    table["n3"] += 1
    table.index = pd.Index([str(100 + row) for row in range(count)], name="image")
    return table


@pytest.fixture
def ava(tmp_path):
    """Twelve photographs in AVA's layout; 102 and 105 are the test split."""
    table = votes(12).assign(category=["landscape", "animal", ""] * 4)
    root = tmp_path / "ava"
    ratings.write_ava(root, table, test=["105", "102"])
    for name in table.index:
        photograph(root / "images" / f"{name}.jpg", int(name))
    return root


@pytest.fixture
def own(tmp_path):
    """Eight photographs with a ratings.csv of seven scores."""
    table = votes(8, bins=7).assign(category="bird", split=["train", "val"] * 3 + ["test"] * 2)
    table.index = [f"{name}.jpg" for name in table.index]
    root = tmp_path / "own"
    for name in table.index:
        photograph(root / "images" / name, int(name[:3]))
    table.to_csv(root / "ratings.csv", index_label="image")
    return root


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def rewrite(path: Path, rows: list[str], end: str = "\n") -> None:
    path.write_text("".join(f"{row}{end}" for row in rows), newline="")


def refused(root: Path) -> str:
    with pytest.raises(InputError) as caught:
        ratings.read(root)
    line = str(caught.value)
    assert "\n" not in line and line.startswith(str(root)) and "; " in line
    return line[len(str(root)) + 1 :]


# --- AVA's files ------------------------------------------------------------------------------


def test_write_ava_is_avas_format(tmp_path):
    table = pd.DataFrame(
        [[0, 1, 5, 17, 38, 36, 15, 6, 5, 1], [10, 7, 15, 26, 26, 21, 10, 8, 1, 2]],
        columns=[f"n{k}" for k in range(1, 11)],
        index=["953619", "953958"],
    )
    table["category"], table["challenge"] = ["landscape", "abstract"], [1396, 7]
    ratings.write_ava(tmp_path, table, ["953958"], {"landscape_train": ["953619"]})
    assert (tmp_path / "AVA.txt").read_bytes() == (
        b"1 953619 0 1 5 17 38 36 15 6 5 1 2 0 1396\n2 953958 10 7 15 26 26 21 10 8 1 2 1 0 7\n"
    )
    assert (tmp_path / "tags.txt").read_bytes() == b"1 abstract\n2 landscape\n"
    lists = tmp_path / "aesthetics_image_lists"
    assert (lists / "generic_test.jpgl").read_bytes() == b"953958\n"
    assert (lists / "landscape_train.jpgl").read_bytes() == b"953619\n"
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"AVA.txt", "tags.txt", "generic_test.jpgl", "landscape_train.jpgl"}


def test_write_ava_refuses_other_ids(tmp_path):
    with pytest.raises(InputError, match="'cat.jpg' is no id"):
        ratings.write_ava(tmp_path, votes(1).rename(index={"100": "cat.jpg"}), [])


def test_what_was_written_is_read(ava):
    collection = ratings.read(ava)
    table = votes(12)
    assert collection.table.index.tolist() == table.index.tolist()
    assert np.array_equal(collection.counts, table.to_numpy())
    assert collection.counts.dtype == np.int64 and collection.bins == 10
    assert np.allclose(collection.distributions.sum(axis=1), 1)
    by_hand = [np.repeat(np.arange(1, 11), row).mean() for row in table.to_numpy()]
    assert collection.means == pytest.approx(by_hand)
    assert collection.table["category"].tolist() == ["landscape", "animal", ""] * 4
    assert all(Path(path).stem == name for name, path in collection.table["path"].items())
    assert collection.split("test").table.index.tolist() == ["102", "105"]
    assert [len(collection.split(name)) for name in ratings.SPLITS] == [8, 2, 2]
    assert collection.absent == ()
    with pytest.raises(InputError, match="'all' is no split"):
        collection.split("all")


def test_joined_by_id_whatever_the_order(ava):
    before = ratings.read(ava, seed=3)
    rewrite(ava / "AVA.txt", sorted(lines(ava / "AVA.txt"), key=lambda row: row[::-1]))
    rewrite(ava / ratings.LISTS / "generic_test.jpgl", ["102", "999999", "105"])
    after = ratings.read(ava, seed=3)
    assert after.table.index.tolist() != before.table.index.tolist()
    pd.testing.assert_frame_equal(after.table.loc[before.table.index], before.table)


@pytest.mark.parametrize("change", ["crlf", "bom", "blank", "spaces", "unended"])
def test_forms_of_a_text_file_that_do_not_matter(ava, change):
    before = ratings.read(ava)
    for path in (ava / "AVA.txt", ava / "tags.txt", ava / ratings.LISTS / "generic_test.jpgl"):
        text = path.read_text()
        text = {
            "crlf": text.replace("\n", "\r\n"),
            "bom": "\ufeff" + text,
            "blank": text + "\n\n  \n",
            "spaces": text.replace("\n", "  \n"),
            "unended": text.rstrip("\n"),
        }[change]
        path.write_bytes(text.encode())
    pd.testing.assert_frame_equal(ratings.read(ava).table, before.table)


def test_any_suffix_in_any_case_and_folder(ava):
    (ava / "images" / "100.jpg").rename(ava / "images" / "100.JPG")
    (ava / "images" / "101.jpg").rename(ava / "images" / "101.webp")
    (ava / "images" / "more").mkdir()
    (ava / "images" / "102.jpg").rename(ava / "images" / "more" / "102.jpg")
    (ava / "images" / "._103.jpg").write_bytes(b"left by an archive program")
    table = ratings.read(ava).table
    assert [Path(table["path"][name]).name for name in ("100", "101")] == [
        "100.JPG",
        "101.webp",
    ]
    assert Path(table["path"]["102"]).parent.name == "more"
    (ava / "images" / "again").mkdir()
    shutil.copy(ava / "images" / "more" / "102.jpg", ava / "images" / "again" / "102.jpg")
    assert ratings.read(ava).absent == ("102",), "which of the two is it?"


def test_absentees_are_counted(ava):
    for name in ("100", "102"):
        (ava / "images" / f"{name}.jpg").unlink()
    collection = ratings.read(ava)
    assert collection.absent == ("100", "102") and len(collection) == 10


def test_no_tags_no_categories(ava):
    (ava / "tags.txt").unlink()
    assert set(ratings.read(ava).table["category"]) == {""}


@pytest.mark.parametrize(
    "row, said",
    [
        ("5 104 1 2 x 4 5 6 7 8 9 10 1 0 0", "line 5: the count of score 3 is 'x'"),
        ("5 104 1 2 3 4 5 6 7 8 9 -1 1 0 0", "line 5: the count of score 10 is '-1'"),
        ("5 104 1.5 2 3 4 5 6 7 8 9 1 1 0 0", "line 5: the count of score 1 is '1.5'"),
        ("5 104 1 2 3 4 5 6 7 8 9 1 1 0 ?", "line 5: the challenge is '?'"),
        ("5 photo 1 2 3 4 5 6 7 8 9 1 1 0 0", "line 5: the id is 'photo'"),
        ("5 104 1 2 3 4", "line 5: 6 fields where AVA has 15"),
        ("5 104 1 2 3 4 5 6 7 8 9 10 1 0 0 0", "line 5: 16 fields where AVA has 15"),
        ("5 104 1 2 3 4 5 6 7 8 9 10 1 0 0 0 0 0", "line 5: 18 fields where AVA has 15"),
        ("5 104 0 0 0 0 0 0 0 0 0 0 1 0 0", "line 5: image 104 has no votes"),
        ("5 100 1 2 3 4 5 6 7 8 9 10 1 0 0", "line 5: image 100 stands here a second time"),
        ("5 104 99999999999999999999 2 3 4 5 6 7 8 9 1 1 0 0", "line 5: the count of score 1"),
        ("5 104 nan 2 3 4 5 6 7 8 9 1 1 0 0", "line 5: the count of score 1 is 'nan'"),
        ("5 104 inf 2 3 4 5 6 7 8 9 1 1 0 0", "line 5: the count of score 1 is 'inf'"),
    ],
)
@pytest.mark.parametrize("place", [4, 0])
def test_bad_line_of_ava(ava, row, said, place):
    rows = lines(ava / "AVA.txt")
    del rows[4]
    rows.insert(place, row)
    if place == 0:
        if "second" in said:
            said = "line 2: image 100 stands here a second time"
        said = said.replace("line 5", "line 1")
    rewrite(ava / "AVA.txt", rows)
    assert f"AVA.txt, {said}" in refused(ava)


def test_line_numbers_count_blank_lines(ava):
    rows = lines(ava / "AVA.txt")
    rewrite(ava / "AVA.txt", ["", *rows[:2], "", "", "3 102" + " 0" * 13, *rows[3:]])
    assert refused(ava).startswith("AVA.txt, line 6: image 102 has no votes")


@pytest.mark.parametrize("keep", [0.999, 0.7, 0.2, 0.05])
def test_truncated_ava(ava, keep):
    text = (ava / "AVA.txt").read_bytes()
    (ava / "AVA.txt").write_bytes(text[: int(keep * len(text)) - 3].rstrip())
    assert "cut off" in refused(ava)


def test_files_that_are_missing_or_empty(ava, tmp_path):
    assert "no such folder" in refused(tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    assert "neither AVA.txt nor ratings.csv" in refused(tmp_path / "bare")
    (ava / "ratings.csv").touch()
    assert "both AVA.txt and ratings.csv" in refused(ava)
    (ava / "ratings.csv").unlink()
    (ava / "images").rename(ava / "elsewhere")
    assert refused(ava).startswith("images: no such folder")
    (ava / "images").mkdir()
    assert "none of the 12 rated photographs" in refused(ava)
    shutil.rmtree(ava / "images")
    (ava / "elsewhere").rename(ava / "images")
    (ava / ratings.LISTS / "generic_test.jpgl").write_text("102\n10x\n")
    assert "generic_test.jpgl, line 2: '10x' is no id" in refused(ava)
    (ava / ratings.LISTS / "generic_test.jpgl").unlink()
    assert "generic_test.jpgl: no such list" in refused(ava)
    for empty in (b"", b"\n\n", b"\xef\xbb\xbf"):
        (ava / "AVA.txt").write_bytes(empty)
        assert refused(ava).startswith("AVA.txt: is empty")
    (ava / "AVA.txt").write_bytes(bytes(range(256)) * 20)
    assert refused(ava).startswith("AVA.txt, line 1: ")


# --- ratings.csv ------------------------------------------------------------------------------


def test_own_table(own):
    collection = ratings.read(own)
    assert collection.bins == 7 and len(collection) == 8
    assert np.array_equal(collection.counts, votes(8, bins=7).to_numpy())
    assert collection.table["split"].tolist() == ["train", "val"] * 3 + ["test"] * 2
    assert set(collection.table["category"]) == {"bird"}
    assert ratings.read(own, seed=1).fingerprint == collection.fingerprint


@pytest.mark.parametrize(
    "change", ["crlf", "bom", "blank", "quoted", "header", "case", "float"]
)
def test_forms_of_a_table_that_do_not_matter(own, change):
    before = ratings.read(own)
    path = own / "ratings.csv"
    text = path.read_text()
    text = {
        "crlf": text.replace("\n", "\r\n"),
        "bom": "\ufeff" + text,
        "blank": text.replace("\n", "\n\n") + ",,,,,,,,,\n",
        "quoted": text.replace("bird", '"bird"').replace("100.jpg", '" 100.jpg"'),
        "header": text.replace("image,n1", " Image , N1"),
        "case": text.replace("100.jpg", "100.JPG"),
        "float": pd.read_csv(path).astype({"n1": float}).to_csv(index=False),
    }[change]
    path.write_bytes(text.encode())
    after = ratings.read(own).table.rename(index={"100.JPG": "100.jpg"})
    pd.testing.assert_frame_equal(after, before.table)


def test_columns_in_any_order_and_more_of_them(own):
    before = ratings.read(own)
    table = pd.read_csv(own / "ratings.csv").assign(mean=3.0, who="me")
    table[list(table.columns[::-1])].to_csv(own / "ratings.csv", index=False)
    pd.testing.assert_frame_equal(ratings.read(own).table, before.table)
    assert np.array_equal(ratings.read(own).means, before.means)


def test_means_only(own):
    pd.DataFrame({"image": ["100.jpg", "101"], "mean": [4.25, 3]}).to_csv(
        own / "ratings.csv", index=False
    )
    collection = ratings.read(own)
    assert collection.means.tolist() == [4.25, 3.0]
    assert len(collection.fingerprint) == 16
    for wish in ("counts", "bins", "distributions"):
        with pytest.raises(InputError, match="holds mean scores only"):
            getattr(collection, wish)


@pytest.mark.parametrize(
    "header, said",
    [
        ("image;n1;n2", "no column 'image'"),
        ("photo,n1,n2", "no column 'image'"),
        ("image,n1,n2,n4", "the counts are n1,n2,n4"),
        ("image,n0,n1,n2", "the counts are n0,n1,n2"),
        ("image,n1", "the counts are n1"),
        ("image,category", "no votes"),
        ("image,n1,n2,n2", "column 'n2' stands 2 times"),
    ],
)
def test_bad_header(own, header, said):
    (own / "ratings.csv").write_text(f"{header}\n100.jpg,1,2\n")
    assert f"ratings.csv, line 1: {said}" in refused(own)


@pytest.mark.parametrize(
    "row, said",
    [
        ("104.jpg,1,a,3,4,5,6,7,bird,test", "n2 is 'a', not a whole number"),
        ("104.jpg,1,-2,3,4,5,6,7,bird,test", "n2 is '-2', not a whole number"),
        ("104.jpg,1,2.5,3,4,5,6,7,bird,test", "n2 is '2.5', not a whole number"),
        ("104.jpg,1,,3,4,5,6,7,bird,test", "n2 is '', not a whole number"),
        ("104.jpg,1,inf,3,4,5,6,7,bird,test", "n2 is 'inf', not a whole number"),
        ("104.jpg,1,2,3,4,5,6,7,bird,dev", "split is 'dev', no split"),
        ("104.jpg,1,2,3,4,5,6,7,bird,", "split is '', no split"),
        (",1,2,3,4,5,6,7,bird,test", "image is '', where a file name belongs"),
        ("104.jpg,1,2,3,4,5", "6 fields where the header has 10"),
        ("104.jpg,1,2,3,4,5,6,7,bird,test,x", "11 fields where the header has 10"),
        ("104.jpg,0,0,0,0,0,0,0,bird,test", "image 104.jpg has no votes"),
        ("100.jpg,1,2,3,4,5,6,7,bird,test", "image 100.jpg stands here a second time"),
    ],
)
def test_bad_row(own, row, said):
    rows = lines(own / "ratings.csv")
    rewrite(own / "ratings.csv", [*rows[:5], row, *rows[6:]])
    assert f"ratings.csv, line 6: {said}" in refused(own)


def test_first_bad_row_is_named_and_quoted_newlines_are_lines(own):
    rows = lines(own / "ratings.csv")
    rows[1] = rows[1].replace("bird", '"a\nb"')
    rows[4] = rows[4].replace("103.jpg,", "103.jpg,-")
    rows[3] = rows[3].rsplit(",", 3)[0] + ",?,bird,test"
    rewrite(own / "ratings.csv", rows)
    assert refused(own).startswith("ratings.csv, line 5: n7 is '?'")


def test_empty_tables(own):
    (own / "ratings.csv").write_text("")
    assert refused(own).startswith("ratings.csv: is empty")
    (own / "ratings.csv").write_text("image,n1,n2\n")
    assert "no rows" in refused(own)


# --- splits -----------------------------------------------------------------------------------


def empty_files(root: Path, table: pd.DataFrame) -> None:
    (root / "images").mkdir(parents=True)
    for name in table.index:
        (root / "images" / f"{name}.jpg").touch()
    table.to_csv(root / "ratings.csv", index_label="image")


@pytest.mark.parametrize("count, validation", [(4000, 400), (2000, 300), (400, 100), (3, 0)])
def test_size_of_the_validation_split(tmp_path, count, validation):
    table = votes(count).assign(split="train")
    empty_files(tmp_path / "own", table)
    assert len(ratings.read(tmp_path / "own").split("val")) == validation
    assert len(ratings.read(tmp_path / "own", validation=7).split("val")) == min(7, count // 4)
    assert len(ratings.read(tmp_path / "own", validation=0).split("val")) == 0


def test_two_thousand_of_a_large_collection(tmp_path, monkeypatch):
    table = votes(20001).assign(split="train")
    empty_files(tmp_path / "own", table[:0])
    table.to_csv(tmp_path / "own" / "ratings.csv", index_label="image")
    monkeypatch.setattr(ratings, "_paths", lambda root, names: ["x"] * len(names))
    assert len(ratings.read(tmp_path / "own").split("val")) == 2000


def test_validation_is_drawn_by_seed_from_training_alone(tmp_path):
    table = votes(400)
    empty_files(tmp_path / "own", table)
    drawn = [
        set(ratings.read(tmp_path / "own", seed=s).split("val").table.index) for s in (0, 1)
    ]
    tests = [
        set(ratings.read(tmp_path / "own", seed=s).split("test").table.index) for s in (0, 1)
    ]
    assert tests[0] == tests[1] and len(tests[0]) == 80
    assert len(drawn[0]) == 80 and drawn[0] != drawn[1]
    assert not drawn[0] & tests[0]
    assert drawn[0] == set(ratings.read(tmp_path / "own", seed=0).split("val").table.index)
    # Another order, and one photograph less, leave the draw as it is.
    gone = next(iter(set(table.index) - drawn[0] - tests[0]))
    (tmp_path / "own" / "images" / f"{gone}.jpg").unlink()
    table[::-1].to_csv(tmp_path / "own" / "ratings.csv", index_label="image")
    again = set(ratings.read(tmp_path / "own", seed=0).split("val").table.index)
    assert again <= drawn[0] and len(again) >= len(drawn[0]) - 1


@settings(deadline=None)
@given(st.lists(st.text("abc.1", max_size=4), max_size=8))
def test_split_hash_is_of_the_set(names):
    assert ratings.split_hash(names) == ratings.split_hash(reversed(names))
    assert ratings.split_hash(names) != ratings.split_hash([*names, "another image"])


def test_fingerprint_is_of_images_votes_and_splits(ava):
    before = ratings.read(ava)
    other = before.table.copy()
    other.iloc[0, 0] += 1
    assert ratings.Collection(ava, other).fingerprint != before.fingerprint
    other = before.table.assign(split="train")
    assert ratings.Collection(ava, other).fingerprint != before.fingerprint
    moved = before.table.assign(path="elsewhere", category="")
    assert ratings.Collection(ava / "moved", moved).fingerprint == before.fingerprint


# --- check ------------------------------------------------------------------------------------


def test_check_of_a_whole_collection(ava, tmp_path):
    report = ratings.check(ava)
    assert (report.listed, report.present, report.usable) == (12, 12, 12)
    assert report.error == "" and not report.missing and not report.unreadable
    collection = ratings.read(ava)
    for name, (count, digest) in report.splits.items():
        part = collection.split(name).table
        assert (count, digest) == (len(part), ratings.split_hash(part.index))
        assert digest in str(report)
    assert str(report.list) in str(report)
    used = pd.read_csv(report.list, dtype={"image": str})
    assert used["image"].tolist() == collection.table.index.tolist()
    assert used["split"].tolist() == collection.table["split"].tolist()


def test_check_of_a_broken_download(ava):
    photos = ava / "images"
    (photos / "100.jpg").unlink()
    whole = (photos / "101.jpg").read_bytes()
    (photos / "101.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "103.jpg").write_text("<html>404 not found</html>")
    shutil.copy(photos / "102.jpg", photos / "104.jpg")  # 102 is of the test split
    shutil.copy(photos / "106.jpg", photos / "107.jpg")
    photograph(photos / "777.jpg", 777)
    (ava / ratings.LISTS / "generic_test.jpgl").write_text("102\n105\n888\n")
    report = ratings.check(ava)
    assert (report.listed, report.present, report.usable) == (12, 11, 9)
    assert report.missing == ("100",)
    assert list(report.unreadable) == ["101", "103"]
    assert "103.jpg: is not an image" in report.unreadable["103"]
    assert report.duplicates == (("102", "104"), ("106", "107"))
    assert report.shared == (("102", "104"),)
    assert report.unlisted == ("777.jpg",)
    assert report.unrated == 1
    assert "101.jpg: cannot be decoded" in str(report)

    collection = ratings.read(ava)
    assert "101" not in collection.table.index and "103" not in collection.table.index
    assert collection.absent == ("100", "101", "103")
    assert report.splits["test"] == (2, ratings.split_hash(["102", "105"]))
    (photos / "101.jpg").write_bytes(whole)
    assert "101" in ratings.read(ava).table.index


def test_check_reports_every_row_without_votes_and_every_repeated_id(ava):
    rows = lines(ava / "AVA.txt")
    rows[3] = "4 103" + " 0" * 13
    rows[5] = "6 105" + " 0" * 13
    rewrite(ava / "AVA.txt", [*rows, rows[0]])
    report = ratings.check(ava)
    assert report.voteless == ("103", "105") and report.duplicated_ids == ("100",)
    assert report.listed == 13 and report.list is None
    assert report.error.startswith(f"{ava / 'AVA.txt'}, line 4: image 103 has no votes")
    assert "3 such lines" in report.error and "\n" not in report.error
    assert all(f"line {number}:" in str(report) for number in (4, 6, 13))
    assert not (Path(os.environ["APM_HOME"]) / "checked").exists()


def test_check_decodes_only_what_changed(ava, monkeypatch):
    decoded = []
    true_read = ratings.images.read
    monkeypatch.setattr(
        ratings.images, "read", lambda path: (decoded.append(Path(path).name), true_read(path))
    )
    first = ratings.check(ava)
    assert len(decoded) == 12
    decoded.clear()
    photograph(ava / "images" / "103.jpg", 4)
    os.utime(ava / "images" / "103.jpg", ns=(1, 1))
    second = ratings.check(ava)
    assert decoded == ["103.jpg"]
    assert str(second) == str(first)


def test_check_without_a_photograph(ava):
    for path in (ava / "images").iterdir():
        path.unlink()
    report = ratings.check(ava)
    assert report.usable == 0 and "no photograph can be used" in report.error


def test_check_leaves_the_collection_alone(own):
    before = {path: path.stat().st_mtime_ns for path in own.rglob("*")}
    ratings.check(own)
    assert {path: path.stat().st_mtime_ns for path in own.rglob("*")} == before


# --- real collections -------------------------------------------------------------------------


def real(name: str) -> str:
    if name not in os.environ:
        pytest.skip(f"{name} is not set: no real collection to read")
    return os.environ[name]


def test_real_ava():
    root = real("APM_AVA_ROOT")
    report = ratings.check(root)
    assert (report.listed, report.usable, len(report.missing)) == (167375, 5, 167370)
    assert not report.unreadable and not report.error
    collection = ratings.read(root)
    assert collection.table.index.tolist() == ["42039", "42040", "42041", "42042", "42044"]
    assert len(collection.absent) == 167370
    table, problems = ratings._votes(Path(root))
    counts = table[[f"n{k}" for k in range(1, 11)]].to_numpy()
    total = counts.sum(axis=1)
    means = counts @ np.arange(1, 11) / total
    assert not problems and total.min() == 78 and total.max() == 549
    assert total.mean() == pytest.approx(210.3, abs=0.05)
    assert means.mean() == pytest.approx(5.383, abs=0.0005)
    assert means.std() == pytest.approx(0.731, abs=0.0005)
    assert (table["split"] == "test").sum() == 12921


def test_real_ava_is_written_back_byte_for_byte(tmp_path):
    root = Path(real("APM_AVA_ROOT"))
    rows = [line for line in lines(root / "AVA.txt") if line.split()[-3:-1] == ["0", "0"]][:200]
    fields = [row.split() for row in rows]
    table = pd.DataFrame(
        [list(map(int, row[2:12])) for row in fields],
        columns=[f"n{k}" for k in range(1, 11)],
        index=[row[1] for row in fields],
    ).assign(challenge=[int(row[14]) for row in fields])
    ratings.write_ava(tmp_path, table, [])
    expected = [" ".join([str(i), *row[1:]]) for i, row in enumerate(fields, 1)]
    assert lines(tmp_path / "AVA.txt") == expected


def test_real_oasis():
    report = ratings.check(real("APM_OASIS_ROOT"))
    assert (report.listed, report.usable) == (400, 400)
    collection = ratings.read(os.environ["APM_OASIS_ROOT"])
    assert collection.bins == 7
    assert [len(collection.split(name)) for name in ratings.SPLITS] == [300, 40, 60]
