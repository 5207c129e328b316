"""Settings: how a text is read, which place wins, and what a mistake is answered."""

import dataclasses

import pytest

from aucli.config import (
    SETTINGS,
    ExtractConfig,
    extract_config,
    load_settings,
    override,
    parse_seconds,
    read_settings,
)
from aucli.datatypes import Selection, Shard
from aucli.errors import InputNotFoundError, UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("90.5", 90.5),
        ("1:30", 90.0),
        ("1:30.5", 90.5),
        ("01:00:00.25", 3600.25),
        ("90:00", 5400.0),  # minutes alone may pass 60
        ("1:00.1", 60.1),  # exactly the float that 60.1 is
    ],
)
def test_times_are_read_as_seconds(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "abc", "-1", "1:60", "1:90:00", "1:2:3:4", ":30", "1:", "1e3", "nan", "٣"]
)
def test_what_is_no_time_is_refused_with_examples(text):
    with pytest.raises(ValueError, match=r"1:30\.5"):
        parse_seconds(text)


def test_a_shard_is_a_number_of_a_number():
    read = SETTINGS["shard"]
    assert read("2/16") == Shard(2, 16)
    for text in ("", "2", "2/", "/4", "2/4/8", "-1/4", "1.0/4", "٣/4", "a/b"):
        with pytest.raises(ValueError, match="for instance 1/4"):
            read(text)
    for text in ("0/4", "5/4", "1/0", "0/0"):
        with pytest.raises(ValueError, match="counted from 1"):
            read(text)


def test_every_field_of_the_configuration_can_be_set():
    fields = {field.name for field in dataclasses.fields(ExtractConfig)} - {"selection"}
    fields = {name.removesuffix("_bytes").removesuffix("_minutes") for name in fields}
    selection = {field.name.removesuffix("_seconds") for field in dataclasses.fields(Selection)}
    run = {"output", "shard", "engine", "scheduler", "fresh", "fail_fast", "dry_run", "json", "quiet"}
    assert fields | selection | run == set(SETTINGS)


def test_a_variable_wins_over_the_file_and_the_command_line_over_both(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('min-face = 60\nmax_faces = 2\nstart = "1:30"\nmodel = "small"\njobs = 3\n')
    settings = load_settings(file, {"AUCLI_MAX_FACES": "3", "AUCLI_JOBS": "2", "AUCLI_MODEL": ""})
    settings = override(settings, read_settings({"jobs": "1", "every": None}, lambda name, value: name))
    assert extract_config(settings) == ExtractConfig(
        model="small",  # an empty variable is no variable
        min_face=60,
        max_faces=3,
        jobs=1,
        selection=Selection(start_seconds=90.0),
    )


def test_every_and_fps_replace_each_other(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("fps = 10\n")
    assert load_settings(file, {"AUCLI_EVERY": "5"}) == {"every": 5}
    assert override({"every": 5}, {"fps": 2.0}) == {"fps": 2.0}


def test_a_file_takes_numbers_texts_times_and_switches(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(
        'every = 5\nstart = 00:01:30\nend = 100.5\nbatch-size = "auto"\nfresh = true\nquiet = false\n'
    )
    assert load_settings(file, {}) == {
        "every": 5,
        "start": 90.0,
        "end": 100.5,
        "batch_size": None,
        "fresh": True,
        "quiet": False,
    }


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("evry = 5", "did you mean every"),
        ("min-fce = 50", "did you mean min_face"),
        ("every = 0", "must be 1 or more"),
        ("every = 2.5", "must be a whole number"),
        ("every = [1, 2]", "must be a whole number"),
        ("fps = nan", "must be a number"),
        ('fresh = "perhaps"', "must be true or false"),
        ('detector = "yunet"', "choose one of mtcnn, insightface"),
        ("min-face = 50\nmin_face = 60", "stands there twice"),
        ("[every]\nn = 1", "must be a whole number"),
        ("every =", "cannot be read as TOML"),
    ],
)
def test_a_mistake_in_the_file_names_the_file_and_the_way_out(tmp_path, line, answer):
    file = tmp_path / "run.toml"
    file.write_text(line)
    with pytest.raises(UsageError, match=answer) as caught:
        load_settings(file, {})
    assert "run.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "answer"),
    [
        ("AUCLI_EVERY", "often", "AUCLI_EVERY=often: must be a whole number"),
        ("AUCLI_EVERY", "0", "AUCLI_.*must be 1 or more"),
        ("AUCLI_BATCH_SIZE", "big", "must be auto or a whole number"),
        ("AUCLI_END", "soon", "must be a time"),
    ],
)
def test_a_mistake_in_a_variable_names_it(variable, value, answer):
    with pytest.raises(UsageError, match=answer):
        load_settings(None, {variable: value})


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(InputNotFoundError, match="no such file"):
        load_settings(tmp_path / "none.toml", {})
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings(binary, {})
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings(tmp_path, {})


def test_a_variable_that_looks_like_a_setting_is_warned_about(caplog):
    assert (
        load_settings(None, {"AUCLI_MODLE": "small", "AUCLI_LOG": "info", "AUCLI_CONFIG": "run.toml"}) == {}
    )
    (record,) = caplog.records
    assert "AUCLI_MODLE" in record.message
    assert "AUCLI_MODEL" in record.message
