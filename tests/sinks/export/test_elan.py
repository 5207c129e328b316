"""ELAN files: what pympi and an XML parser read in them, and which video they lead to."""

import shutil
import xml.etree.ElementTree as ET
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pympi import Elan

from aucli.errors import UsageError
from aucli.sinks.identity import content_identity, input_identity
from tests.clips import numbered_frames, write_clip
from tests.sinks.export.exporting import export, export_with_note
from tests.sinks.export.extractions import AUS, extraction, rows_with

CLIP = Path(__file__).parents[3] / "aucli" / "examples" / "smile.mp4"


def course(levels, au="AU12", people=1, **values):
    """One face (or several alike) per frame at 25 per second, `au` as in the list, the other AUs low."""
    rows = rows_with(faces=[people] * len(levels))
    rows.probabilities[:] = 0.1
    rows.probabilities[:, AUS.index(au)] = np.repeat(levels, people)
    rows.valid[:] = True
    for name, value in values.items():
        getattr(rows, name)[:] = value
    return rows


# From 0.2 s on for 0.4 s, highest in frame 8; then again at the end, from 1.2 s.
SMILE = [0.1] * 5 + [0.6, 0.7, 0.8, 0.93, 0.8, 0.7, 0.6, 0.5, 0.5, 0.5] + [0.1] * 15 + [0.77] * 5


def read(file):
    return Elan.Eaf(str(file.path))


def test_events_are_annotations(tmp_path):
    source = extraction(tmp_path / "out.parquet", {"talk.mp4": course(SMILE, people=2)})
    (file,) = export(source, "elan")
    assert file.path == tmp_path / "out_elan" / "talk.eaf"
    document = read(file)
    assert set(document.get_tier_names()) == {"track0_AU12", "track1_AU12"}
    for tier in document.get_tier_names():
        assert document.get_annotation_data_for_tier(tier) == [(200, 600, "0.93"), (1200, 1400, "0.77")]
    parameters = document.get_parameters_for_tier("track1_AU12")
    assert parameters["PARTICIPANT"] == "track 1"
    assert parameters["ANNOTATOR"] == "aucli study_model"


def test_the_xml_is_as_the_format_s_description_asks(tmp_path):
    """ELAN Annotation Format 3.0, EAFv3.0.xsd: order of elements, keys, references, types."""
    rows = course(SMILE)
    rows.probabilities[:, AUS.index("AU1")] = SMILE[::-1]
    source = extraction(
        tmp_path / "out.parquet", {"talk.mp4": rows}, subjects={"talk.mp4": "Ann <&> \x01 Bö"}
    )
    (file,) = export(source, "elan")
    root = ET.parse(file.path).getroot()
    assert file.path.read_bytes().startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n')
    assert root.attrib["VERSION"] == root.attrib["FORMAT"] == "3.0"
    assert datetime.fromisoformat(root.attrib["DATE"]).tzinfo is not None
    order = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "CONSTRAINT"]
    assert [tag for tag in dict.fromkeys(each.tag for each in root)] == order
    assert root.find("HEADER").attrib["TIME_UNITS"] == "milliseconds"
    slots = [(each.attrib["TIME_SLOT_ID"], int(each.attrib["TIME_VALUE"])) for each in root.iter("TIME_SLOT")]
    assert [value for _, value in slots] == sorted(value for _, value in slots)
    assert len({name for name, _ in slots}) == len(slots) == 8
    types = {each.attrib["LINGUISTIC_TYPE_ID"] for each in root.iter("LINGUISTIC_TYPE")}
    tiers = list(root.iter("TIER"))
    assert [tier.attrib["TIER_ID"] for tier in tiers] == ["track0_AU1", "track0_AU12"]
    assert {tier.attrib["LINGUISTIC_TYPE_REF"] for tier in tiers} <= types
    assert {tier.attrib["PARTICIPANT"] for tier in tiers} == {"Ann <&> \ufffd Bö"}
    annotations = list(root.iter("ALIGNABLE_ANNOTATION"))
    assert len({each.attrib["ANNOTATION_ID"] for each in annotations}) == len(annotations) == 4
    used = [each.attrib[f"TIME_SLOT_REF{end}"] for each in annotations for end in (1, 2)]
    assert sorted(used) == sorted(name for name, _ in slots)


def test_faces_that_are_not_valid_give_no_events(tmp_path):
    source = extraction(tmp_path / "out.parquet", {"talk.mp4": course(SMILE, valid=False)})
    (file,), note = export_with_note(source, "elan")
    assert set(read(file).get_tier_names()) == {"default"}
    assert "not valid are left out" in note


def linked(file):
    (media,) = read(file).get_linked_files()
    return media


@pytest.fixture
def study(tmp_path):
    """A run as `extract` leaves it: a video with an odd name, its rows, and the report with its path."""
    video = tmp_path / "videos" / "sub dir" / "100% ä & b.mp4"
    video.parent.mkdir(parents=True)
    shutil.copy(CLIP, video)
    name = "sub dir/100% ä & b.mp4"
    (tmp_path / "results").mkdir()
    source = extraction(
        tmp_path / "results" / "out.parquet",
        {name: course(SMILE)},
        identities={name: content_identity(input_identity(video))},
    )
    return source, video


def test_the_video_is_linked_where_the_report_says(study):
    source, video = study
    report = f'{{"entries": [{{"video": "sub dir/{video.name}", "path": "{video}"}}]}}'
    source.with_suffix(".report.json").write_text(report)
    (file,) = export(source, "elan")
    assert file.path == source.parent / "out_elan" / "sub dir" / "100% ä & b.eaf"
    media = linked(file)
    assert media["MEDIA_URL"] == f"file://{video}"
    assert media["RELATIVE_MEDIA_URL"] == "../../../videos/sub dir/100% ä & b.mp4"
    assert (file.path.parent / media["RELATIVE_MEDIA_URL"]).samefile(video)
    assert media["MIME_TYPE"] == "video/mp4"
    assert file.remarks == ()


def test_the_video_is_linked_below_the_folder_named(study):
    source, video = study
    (file,) = export(source, "elan", media=video.parents[1])
    assert linked(file)["MEDIA_URL"] == f"file://{video}"
    (file,) = export(source, "elan", media=video.parent, overwrite=True)
    assert linked(file)["MEDIA_URL"] == f"file://{video}"


def test_another_video_of_that_name_is_not_linked(study):
    source, video = study
    shutil.copy(CLIP.with_name("two_people.mp4"), video)
    (file,), note = export_with_note(source, "elan", media=video.parents[1])
    assert linked(file)["RELATIVE_MEDIA_URL"] == f"./{video.name}"
    assert "was not found: ELAN will ask for it" in note


def test_times_count_from_the_beginning_of_the_file(tmp_path):
    """A transport stream begins somewhere; players, ELAN among them, call that 0."""
    start = 1.4
    stamps = [1400 + 40 * frame for frame in range(35)]
    video = write_clip(tmp_path / "late.ts", numbered_frames(35), pts=stamps)
    rows = course(SMILE)
    rows.pts_seconds[:] += start
    source = extraction(
        tmp_path / "out.parquet",
        {"late.ts": rows},
        identities={"late.ts": content_identity(input_identity(video))},
    )
    (file,), note = export_with_note(source, "elan")
    assert read(file).get_annotation_data_for_tier("track0_AU12") == [
        (200, 600, "0.93"),
        (1200, 1400, "0.77"),
    ]
    assert "begin at 1.400 s: this is subtracted" in note
    assert pq.read_table(source)["time_s"][0].as_py() == start


def test_a_coder_s_work_is_not_replaced(tmp_path):
    source = extraction(tmp_path / "out.parquet", {"talk.mp4": course(SMILE)})
    (file,) = export(source, "elan")
    file.path.write_text("hours of coding")
    with pytest.raises(UsageError, match=r"talk\.eaf exists: add --overwrite"):
        export(source, "elan")
    assert file.path.read_text() == "hours of coding"
    export(source, "elan", overwrite=True)
    assert read(file).get_tier_names()
