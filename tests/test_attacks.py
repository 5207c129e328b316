"""Files from outside that mean harm: each is refused in one line, and nothing outside is read or written.

More attacks stand beside what they aim at: archives and pickles in tests/zoo (test_archive,
test_import_official, test_download), pages in tests/viewer (test_report, test_page, test_server), damaged
media in tests/media.
"""

import json
import os
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

import aucli
from aucli.cli.main import app
from aucli.errors import CheckpointError, UsageError
from aucli.media import discover
from aucli.media.attachment import attached
from aucli.sinks.metadata import METADATA_KEY, read_metadata
from aucli.sinks.place import OutputPlace
from aucli.sinks.run_folder import PlannedInput, RunFolder
from aucli.training.checkpoint import load_checkpoint
from aucli.viewer.listing import list_videos
from aucli.zoo import load
from aucli.zoo.default import default_model

DEEP = "[" * 200_000
EXAMPLES = Path(aucli.__file__).parent / "examples"


def one_line(*arguments, **environ):
    """The single line that a refused command says, and its exit code."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], env=environ)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.output
    assert "this is a bug" not in lines[0]
    assert "Traceback" not in done.output
    return lines[0], done.exit_code


# -- JSON and TOML that are nested too deep


def test_a_deep_card(tmp_path):
    card = tmp_path / "model.json"
    card.write_text(DEEP)
    with pytest.raises(CheckpointError, match="nested too deep"):
        load(str(card))
    line, code = one_line("extract", EXAMPLES, "-o", tmp_path / "out.parquet", "--model", card)
    assert "nested too deep" in line
    assert code == 2


def test_a_deep_settings_file(tmp_path):
    (tmp_path / "run.toml").write_text(f"every = {DEEP}")
    line, code = one_line(
        "extract", EXAMPLES, "-o", tmp_path / "a.parquet", "--config", tmp_path / "run.toml"
    )
    assert "cannot be read as TOML: it is nested too deep" in line
    assert code == 2


def test_a_deep_record_of_the_default_model(tmp_path, monkeypatch):
    monkeypatch.setenv("AUCLI_CONFIG_FOLDER", str(tmp_path))
    (tmp_path / "default_model.json").write_text(DEEP)
    with pytest.raises(UsageError, match="nested too deep"):
        default_model()


def test_deep_reports_and_records_count_as_none(tmp_path):
    place = OutputPlace(tmp_path / "out.parquet", single_file=True)
    place.report.write_text(DEEP)
    place.work.mkdir()
    (place.work / "0123456789abcdef.json").write_text(DEEP)
    schema = pa.schema({"video": pa.string()})
    with RunFolder(place, schema, lambda entries: {}) as folder:
        assert folder.plan([PlannedInput("a.mp4", "a.mp4", "0123456789abcdef")]) == {}
    _, [note] = list_videos(place.path, [])
    assert "cannot be read" in note


def test_deep_metadata_of_a_parquet_file(tmp_path):
    path = tmp_path / "out.parquet"
    table = pa.table({"video": ["a.mp4"]}).replace_schema_metadata({METADATA_KEY: DEEP.encode()})
    pq.write_table(table, path)
    assert read_metadata(pq.read_schema(path)) is None
    for command in (("summary", path), ("view", path), ("export", path, "--format", "csv"), ("report", path)):
        line, code = one_line(*command)
        assert code in (1, 2), command
        assert str(path) in line


def test_a_deep_note_behind_a_video(tmp_path):
    from aucli.media import attachment

    video = tmp_path / "a.mp4"
    text = DEEP.encode()[:100_000]
    video.write_bytes(text + attachment._TAIL.pack(len(text), attachment._OURS))
    assert attached(video) is None


# -- code


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


@pytest.mark.parametrize("form", ["zip", "pickle"])
def test_code_in_a_checkpoint_of_a_training_run_does_not_run(tmp_path, form):
    ran, path = tmp_path / "ran", tmp_path / "last.pt"
    if form == "zip":
        torch.save({"settings": "{}", "format": 1, "state": Evil(ran)}, path)
    else:
        path.write_bytes(pickle.dumps(Evil(ran)))
    with pytest.raises(CheckpointError, match="--fresh"):
        load_checkpoint(path, {})
    assert not ran.exists()


# -- names that lead elsewhere


def test_a_list_gives_no_name_that_leads_out_of_the_output(tmp_path, monkeypatch):
    for name in ("study/sub/a.mp4", "b.mp4", "outside/c.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    lines = ["sub/../../b.mp4", "../outside/c.mp4", "./sub/./a.mp4", str(tmp_path / "outside" / "c.mp4")]
    (tmp_path / "study" / "list.txt").write_text("\n".join(lines))
    sources = discover([tmp_path / "study" / "list.txt"]).sources
    assert [source.name for source in sources] == ["b.mp4", "c.mp4", "sub/a.mp4"]
    for name in ("../x.mp4", "/etc/x.mp4", "a/../../x.mp4", "..", "/"):
        place = OutputPlace(tmp_path / "out", single_file=False)
        place.path.mkdir(exist_ok=True)
        with RunFolder(place, pa.schema({"video": pa.string()}), lambda entries: {}) as folder:
            folder.plan([PlannedInput(name, name, "0123456789abcdef")])
            [file] = folder._files.values()
        assert (place.path / file).resolve().is_relative_to(place.path.resolve()), name


def test_a_report_that_names_a_file_elsewhere_gets_it_neither_read_nor_removed(tmp_path):
    victim = tmp_path / "victim.parquet"
    pq.write_table(pa.table({"video": ["a.mp4"]}), victim)
    before = victim.read_bytes()
    place = OutputPlace(tmp_path / "out", single_file=False)
    place.path.mkdir()
    key = "0123456789abcdef"
    entry = {
        "video": "a.mp4",
        "path": "a.mp4",
        "status": "ok",
        "rows": 1,
        "key": key,
        "top_aus": [],
        "notes": [],
    }
    place.report.write_text(json.dumps({"entries": [entry | {"file": "../victim.parquet"}]}))
    with RunFolder(place, pa.schema({"video": pa.string()}), lambda entries: {}, fresh=False) as folder:
        assert folder.plan([PlannedInput("a.mp4", "a.mp4", key)]) == {}
    assert victim.read_bytes() == before


def test_a_name_with_terminal_codes_writes_none(tmp_path):
    name = "\x1b[2J\x1b]0;owned\x07\u202egpj.\r\n[red]x.mp4"
    (tmp_path / name).mkdir()
    (tmp_path / name / "notes.txt").touch()
    done = CliRunner().invoke(app, ["extract", str(tmp_path), "-o", str(tmp_path / "o.parquet"), "--dry-run"])
    shown = done.stdout + done.stderr
    assert "is a folder, not a video file" in shown
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(shown)
    assert "\\x1b[2J" in shown
    assert "[red]x.mp4" in shown
