"""Zip files from outside: unpacked one checkpoint at a time, and refused when they are odd."""

import stat
import zipfile
import zlib

import pytest

from aucli.errors import CheckpointError
from aucli.zoo import archive
from aucli.zoo.archive import fold_in, is_archive, unpack


@pytest.fixture
def made(tmp_path):
    """Writes a zip of (name or ZipInfo, content) and says where it is."""

    def make(*members, compression=zipfile.ZIP_DEFLATED):
        path = tmp_path / "m.zip"
        with zipfile.ZipFile(path, "w", compression) as file:
            for name, content in members:
                file.writestr(name, content)
        return path

    return make


def contents(path, folder):
    folder.mkdir()
    return {name: file.read_bytes() for name, file in unpack(path, folder)}


def test_checkpoints_come_one_by_one_and_go_again(made, tmp_path):
    path = made(
        ("ME/", b""),
        ("ME/a_fold1.pth", b"one"),
        ("ME/readme.txt", b"text"),
        ("__MACOSX/ME/._a_fold1.pth", b"shadow"),
        ("ME/a_fold2.pt", b"two"),
    )
    folder = tmp_path / "out"
    folder.mkdir()
    seen = []
    for name, file in unpack(path, folder):
        assert [file] == list(folder.iterdir())
        seen.append((name, fold_in(name), file.read_bytes()))
    assert seen == [("ME/a_fold1.pth", 1, b"one"), ("ME/a_fold2.pt", 2, b"two")]
    assert list(folder.iterdir()) == []
    assert is_archive(path)


@pytest.mark.parametrize(
    ("name", "fold"),
    [
        ("MEFARG_resnet50_BP4D_fold1.pth", 1),
        ("x/fold2/Fold-3.pth", 3),
        ("fold2/best.pth", 2),
        ("model.pth", None),
        ("fold.pth", None),
    ],
)
def test_folds_in_names(name, fold):
    assert fold_in(name) == fold


def test_a_checkpoint_is_no_archive(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.ones(2)}, tmp_path / "m.pth")
    assert zipfile.is_zipfile(tmp_path / "m.pth")
    assert not is_archive(tmp_path / "m.pth")
    (tmp_path / "n.zip").write_bytes(b"nothing")
    assert not is_archive(tmp_path / "n.zip")


@pytest.mark.parametrize(
    "name", ["../out.pth", "a/../../out.pth", "/tmp/out.pth", "C:/out.pth", "..\\out.pth"]
)
def test_names_that_lead_out_are_refused(made, tmp_path, name):
    with pytest.raises(CheckpointError, match="leads out"):
        contents(made(("fine_fold1.pth", b"x"), (name, b"x")), tmp_path / "inner")
    assert list((tmp_path / "inner").iterdir()) == []
    assert not (tmp_path / "out.pth").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(made, tmp_path, kind):
    member = zipfile.ZipInfo("a_fold1.pth")
    member.external_attr = (kind | 0o777) << 16
    with pytest.raises(CheckpointError, match="link or a device"):
        contents(made((member, b"/etc/passwd")), tmp_path / "out")


def test_a_size_bomb_is_stopped_on_the_way(made, tmp_path, monkeypatch):
    path = made(("a_fold1.pth", bytes(2**26)))
    assert path.stat().st_size < 2**17
    folder = tmp_path / "out"
    with pytest.raises(CheckpointError, match="unpacks to more than"):
        contents(path, folder)
    assert list(folder.iterdir()) == []
    # Many members that are each small enough count together.
    monkeypatch.setattr(archive, "MOST_BYTES", 2**20)
    path = made(*((f"a_fold{n}.pth", bytes(2**18)) for n in range(5)), compression=zipfile.ZIP_STORED)
    with pytest.raises(CheckpointError, match="unpacks to more than"):
        contents(path, tmp_path / "more")


def test_the_header_is_not_believed(made, tmp_path):
    """The directory claims 10 bytes for a member that unpacks to 64 MB: no more than that is written."""
    path = made(("a_fold1.pth", bytes(2**26)))
    content = bytearray(path.read_bytes())
    directory = content.find(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    content[directory + 16 : directory + 20] = zlib.crc32(bytes(10)).to_bytes(4, "little")
    path.write_bytes(content)
    assert contents(path, tmp_path / "out") == {"a_fold1.pth": bytes(10)}


def test_too_many_none_or_damaged_members(made, tmp_path):
    with pytest.raises(CheckpointError, match="101 files"):
        contents(made(*((f"{n}.pth", b"") for n in range(101))), tmp_path / "a")
    with pytest.raises(CheckpointError, match=r"no \.pth file"):
        contents(made(("readme.txt", b"x")), tmp_path / "b")
    path = made(("a_fold1.pth", bytes(range(256)) * 50), compression=zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        contents(path, tmp_path / "c")
    path.write_bytes(content[:500])
    with pytest.raises(CheckpointError, match="damaged"):
        contents(path, tmp_path / "d")
