"""What was typed, and what a run then works on."""

import os
from pathlib import Path

import pytest

from aucli.errors import InputNotFoundError, UsageError
from aucli.media import discover
from aucli.media.names import cut_name


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(*inputs):
    return [source.name for source in discover(inputs).sources]


def rejected(*inputs):
    return {each.name: each.reason for each in discover(inputs).rejected}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_folder_is_searched_recursively_in_natural_order(here):
    touch(here, "v/clip10.mp4", "v/clip2.MP4", "v/b/z.mkv", "v/b/deep/er/y.webm", "v/Clip1.mov", "v/c/x.avi")
    touch(here, "v/notes.txt", "v/table.csv", "v/clip2.srt", "v/out.parquet", "v/README")
    touch(here, "v/.hidden.mp4", "v/.git/x.mp4", "v/out.parquet.parts/x.mp4")
    wanted = ["b/deep/er/y.webm", "b/z.mkv", "c/x.avi", "Clip1.mov", "clip2.MP4", "clip10.mp4"]
    assert names("v") == names(Path("v")) == names(here / "v") == names("v/") == wanted
    assert names(".") == [f"v/{name}" for name in wanted]
    [first, *_] = discover(["v"]).sources
    assert first.path == Path("v/b/deep/er/y.webm")
    assert first.kind == "video"


def test_inputs_keep_their_order_and_come_once(here):
    touch(here, "v/a.mp4", "v/b.mp4", "w/c.mp4")
    assert names("w/c.mp4", "v", "v/a.mp4", "v", "w") == ["c.mp4", "a.mp4", "b.mp4"]
    assert names("v/b.mp4", "v") == ["b.mp4", "a.mp4"]
    Path("v/link.mp4").symlink_to("b.mp4")
    assert names("v") == ["a.mp4", "b.mp4"]


def test_same_names_get_a_longer_part_of_their_path(here):
    touch(here, "s1/take/a.mp4", "s2/take/a.mp4", "s2/b.mp4", "s3/take/a.mp4")
    assert names("s1/take/a.mp4", "s2/b.mp4") == ["a.mp4", "b.mp4"]
    assert names("s1/take/a.mp4", "s2/take/a.mp4", "s2/b.mp4") == ["s1/take/a.mp4", "s2/take/a.mp4", "b.mp4"]
    assert names("s1", "s2", "s3/take") == ["s1/take/a.mp4", "b.mp4", "s2/take/a.mp4", "a.mp4"]
    assert names("s1/take", "s3/take") == ["s1/take/a.mp4", "s3/take/a.mp4"]


def test_globs(here):
    touch(
        here,
        "v/a1.mp4",
        "v/a10.mp4",
        "v/a2.mp4",
        "v/b/a3.mp4",
        "v/b/c/a4.mkv",
        "v/b/notes.txt",
        "v/.h/a5.mp4",
    )
    assert names("v/*.mp4") == ["a1.mp4", "a2.mp4", "a10.mp4"]
    assert names("v/**/*.mp4") == ["a1.mp4", "a2.mp4", "a10.mp4", "b/a3.mp4"]
    assert names("v/**/*.m*") == names("v/**") == names("v/*") == names("v")
    assert names("*/b/c/a[0-9].mk?") == ["v/b/c/a4.mkv"]
    assert names(f"{here}/**/a3.mp4") == ["v/b/a3.mp4"]
    with pytest.raises(InputNotFoundError, match=r"v/\*\.avi matches no video"):
        discover(["v/*.avi"])
    with pytest.raises(InputNotFoundError, match="matches no video"):
        discover(["v/b/*.txt"])


def test_tilde(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here / "home"))
    touch(here, "home/v/a.mp4", "~draft.mp4")
    assert names("~/v", "~draft.mp4") == ["a.mp4", "~draft.mp4"]


def test_brackets_in_names_that_exist_are_no_pattern(here):
    touch(here, "take[1]/a[2].mp4", "take[1]/b.mp4")
    assert names("take[1]/a[2].mp4") == ["a[2].mp4"]
    assert names("take[1]/*.mp4") == ["a[2].mp4", "b.mp4"]
    with pytest.raises(InputNotFoundError):
        discover(["take[1]/c.mp4"])


def test_link_loops_end(here):
    touch(here, "v/a.mp4", "w/b.mp4")
    Path("v/up").symlink_to("..")
    Path("v/self").symlink_to(".")
    Path("v/again").symlink_to("../v")
    Path("v/loop.mp4").symlink_to("loop.mp4")
    Path("v/lost.mp4").symlink_to("gone.mp4")
    Path("v/up2").symlink_to("../../w")
    Path("v/other").symlink_to("../w")
    assert names("v") == ["a.mp4", "other/b.mp4"]
    assert names("v/**/*.mp4") == ["a.mp4", "other/b.mp4"]
    assert rejected("v") == dict.fromkeys(["loop.mp4", "lost.mp4"], "is a link that leads to no file")


def test_annotated_videos_in_folders_and_globs_are_skipped_but_taken_when_named(here):
    touch(here, "v/a.mp4", "v/a.annotated.mp4", "v/b/B.Annotated.MKV", "v/annotated.mp4", "v/a.annotated.avi")
    left = ["a.annotated.avi", "a.mp4", "annotated.mp4"]
    skipped = {"a.annotated.mp4", "b/B.Annotated.MKV"}
    for given in (["v"], ["v/**/*"]):
        found = discover(given)
        assert [source.name for source in found.sources] == left
        assert {(each.name, each.status) for each in found.rejected} == {
            (name, "skipped") for name in skipped
        }
        assert all("annotate has drawn on" in each.reason for each in found.rejected)
    assert names("v/a.annotated.mp4") == ["a.annotated.mp4"]
    for given in (["v", "v/a.annotated.mp4"], ["v/a.annotated.mp4", "v"]):
        assert "a.annotated.mp4" in names(*given)
        assert list(rejected(*given)) == ["b/B.Annotated.MKV"]
    (here / "list.txt").write_text("v/a.annotated.mp4\n")
    assert names("list.txt") == ["v/a.annotated.mp4"]


def test_image_folders_and_pictures(here):
    touch(here, "seq/take1/f_1.png", "seq/take1/f_2.png", "seq/take1/f_10.png", "seq/take1/times.txt")
    touch(here, "seq/take2/001.jpg", "seq/take2/002.jpg", "photos/anna.jpg", "photos/bert.png")
    touch(here, "mixed/clip.mp4", "mixed/poster.jpg", "mixed/01.png", "mixed/02.png", "seq/single/7.png")
    found = [
        (source.name, source.kind)
        for source in discover(["seq", "photos", "mixed", "photos/anna.jpg"]).sources
    ]
    assert found == [
        ("single/7.png", "image"),
        ("take1", "image_folder"),
        ("take2", "image_folder"),
        ("anna.jpg", "image"),
        ("bert.png", "image"),
        ("clip.mp4", "video"),
    ]
    assert [(s.name, s.kind) for s in discover(["seq/take1"]).sources] == [("take1", "image_folder")]
    assert [(s.name, s.kind) for s in discover(["mixed/poster.jpg"]).sources] == [("poster.jpg", "image")]
    assert names("photos/*.png") == ["bert.png"]
    # Two series in one folder are no sequence.
    touch(here, "two/a1.png", "two/a2.png", "two/b1.png")
    assert names("two") == ["a1.png", "a2.png", "b1.png"]


def test_what_is_no_source_is_named(here):
    touch(
        here,
        "v/good.mp4",
        "v/x.mp4/inside.mp4",
        "v/seq.mp4/1.png",
        "v/seq.mp4/2.png",
        "out.parquet",
        "README",
    )
    os.mkfifo("v/pipe.mp4")
    assert names("v") == ["good.mp4", "seq.mp4"]
    assert rejected("v") == {
        "pipe.mp4": "is not a regular file",
        "x.mp4": "is a folder, not a video file, in spite of its name",
    }
    assert names("v/x.mp4") == []
    assert "is a folder" in rejected("v/x.mp4")["x.mp4"]
    found = rejected("v/good.mp4", "out.parquet", "README")
    assert "'.parquet' is the name of no kind that is read" in found["out.parquet"]
    assert "a video (.mp4," in found["README"]
    (here / "empty.mp4").mkdir()
    assert list(rejected("empty.mp4")) == ["empty.mp4"]


def test_names_that_are_not_utf8_become_readable_and_stay_apart(here):
    (here / "v").mkdir()
    for name in (b"a\xe9.mp4", b"a\\xe9.mp4", "a\u00e9.mp4".encode(), b"new\nline.mp4"):
        (here / "v" / os.fsdecode(name)).write_bytes(b"x")
    (here / "v" / os.fsdecode(b"d\xff")).mkdir()
    (here / "v" / os.fsdecode(b"d\xff") / "b.mp4").write_bytes(b"x")
    found = {source.name: os.fsencode(source.path) for source in discover(["v"]).sources}
    assert found == {
        "a\\xe9.mp4": b"v/a\\xe9.mp4",  # the file that is called so
        "a\\xe9.mp4~2": b"v/a\xe9.mp4",
        "a\u00e9.mp4": "v/a\u00e9.mp4".encode(),
        "new\nline.mp4": b"v/new\nline.mp4",
        "d\\xff/b.mp4": b"v/d\xff/b.mp4",
    }


def test_a_name_is_cut_between_characters():
    assert cut_name("\u00e9" * 50, 100) == "\u00e9" * 50
    assert cut_name("\u00e9" * 127, 100) == "\u00e9" * 77
    assert len(cut_name("x" * 255, 30)) == 225


def test_a_link_that_leads_nowhere_is_called_so(here):
    Path("loop.mp4").symlink_to("loop.mp4")
    Path("lost.mp4").symlink_to("gone.mp4")
    for name in ("loop.mp4", "lost.mp4"):
        with pytest.raises(InputNotFoundError, match=f"{name} is a link that leads to no file"):
            discover([name])


def test_nothing_there(here):
    (here / "empty").mkdir()
    touch(here, "texts/notes.txt")
    for given, message in {
        "missing.mp4": r"missing\.mp4 does not exist: check the path",
        "missing/": "does not exist",
        "empty": "the folder empty holds no video and no picture",
        "texts": "holds no video",
        "a\0b.mp4": "does not exist",
    }.items():
        with pytest.raises(InputNotFoundError, match=message):
            discover([given])
    with pytest.raises(UsageError, match="no input"):
        discover([])
    with pytest.raises(UsageError, match="an empty path"):
        discover([""])


def test_list_txt(here):
    touch(here, "data/a.mp4", "data/sub/b.mp4", "data/seq/1.png", "data/seq/2.png", "other/c.mp4")
    (here / "data/list.txt").write_text(
        "\ufeff# my clips\n\nsub/b.mp4\r\n  a.mp4  \n# a folder and a glob\nseq\n*.mp4\n"
        f"{here}/other/c.mp4\n../other/c.mp4\n",
        "utf-8",
    )
    found = discover(["data/list.txt"]).sources
    assert [source.name for source in found] == ["sub/b.mp4", "a.mp4", "seq", "c.mp4"]
    assert found[2].kind == "image_folder"
    assert all(source.path.exists() for source in found)
    (here / "data/bad.txt").write_text("a.mp4\n\ngone.mp4\n")
    with pytest.raises(InputNotFoundError, match=r"bad\.txt, line 3: .*gone\.mp4 does not exist"):
        discover(["data/bad.txt"])
    (here / "data/none.txt").write_text("# nothing\n")
    with pytest.raises(UsageError, match="names no path"):
        discover(["data/none.txt"])
    (here / "data/self.txt").write_text("self.txt\n")
    with pytest.raises(UsageError, match=r"line 1: .* is a list inside a list"):
        discover(["data/self.txt"])
    (here / "data/latin.txt").write_bytes("a.mp4\nfrühling.mp4\n".encode("latin-1"))
    with pytest.raises(UsageError, match="line 2: is not UTF-8"):
        discover(["data/latin.txt"])


def test_list_csv(here):
    touch(here, "a.mp4", "b, c.mp4", "d.mp4")
    (here / "list.csv").write_text(
        'Path, subject ,start,end,remark\na.mp4,S01,0,12.5,x\n\n"b, c.mp4",,,,\n'
        "a.mp4,S01,20,,\nd.mp4, S02,,3\n"
    )
    found = discover(["list.csv"]).sources
    rows = [(s.path.name, s.name, s.subject, s.start_seconds, s.end_seconds) for s in found]
    assert rows == [
        ("a.mp4", "a.mp4#0-12.5s", "S01", 0.0, 12.5),
        ("b, c.mp4", "b, c.mp4", None, None, None),
        ("a.mp4", "a.mp4#20-s", "S01", 20.0, None),
        ("d.mp4", "d.mp4", "S02", None, 3.0),
    ]


def test_list_csv_and_the_same_file_elsewhere(here):
    touch(here, "v/a.mp4", "v/b.mp4")
    (here / "list.csv").write_text("path,subject\nv/b.mp4,S01\n")
    found = discover(["v", "list.csv"]).sources
    assert [(source.name, source.subject) for source in found] == [("a.mp4", None), ("b.mp4", "S01")]
    (here / "list.csv").write_text("path,subject\nv/b.mp4,S01\nv/b.mp4,S02\n")
    with pytest.raises(UsageError, match="'S01' and 'S02'"):
        discover(["list.csv"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column `path` among none"),
        ("file,start\na.mp4,1\n", "line 1: no column `path` among file, start"),
        ("path;start\na.mp4;1\n", "line 1: no column `path`"),
        ("path,start\na.mp4,soon\n", "line 2: start 'soon' is not a number of seconds"),
        ("path,start\na.mp4,-1\n", "line 2: start '-1' is not"),
        ("path,start\na.mp4,nan\n", "line 2: start 'nan' is not"),
        ("path,start,end\na.mp4,,\na.mp4,5,5\n", "line 3: end 5 is not after start 5"),
        ("path,subject\n,S01\n", "line 2: the path is empty"),
        ("path\na.mp4,b.mp4\n", "line 2: more cells than"),
        ('path\n"a.mp4\n', "line 2: is not valid CSV"),
        ("path,subject\n", "names no path"),
        ("path\ngone.mp4\n", "line 2: .*gone.mp4 does not exist"),
    ],
)
def test_list_csv_that_cannot_be_understood(here, text, message):
    touch(here, "a.mp4")
    (here / "list.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        discover(["list.csv"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_folder_is_named(here):
    touch(here, "v/a.mp4", "v/closed/b.mp4")
    (here / "v/closed").chmod(0)
    assert names("v") == ["a.mp4"]
    assert "cannot be read" in rejected("v")["closed"]


def test_many_files_take_little_time(here):
    touch(here, *(f"v/s{number % 50}/clip{number}.mp4" for number in range(3000)))
    assert len(names("v", "v")) == 3000
