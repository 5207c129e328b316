"""Every command that reads an extraction, on one that has intensities and nothing else of AUs (SCC)."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from aucli.cli.main import app
from aucli_models.au import AU_SETS
from tests.sinks.made_extraction import write_extraction

AUS = AU_SETS["bp4d_intensity"]  # 6, 10, 12, 14, 17
TIMES = np.arange(100) / 25
SMILE = np.where((TIMES >= 1) & (TIMES < 2), 4.0, 0.0)  # from 1 s up to 2 s
WEAK = np.full(100, 1.5)  # always there, never grade B


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_extraction(
        folder / "out.parquet",
        {"talk.mp4": {"times": TIMES, "tracks": {0: {"AU12_int": SMILE, "AU6_int": WEAK, "AU6": WEAK}}}},
        aus=AUS, intensity_aus=AUS, probabilities=False, system="scc", au_set="bp4d_intensity", stage=1,
        weights="made.safetensors", weak_aus=[],
    )  # fmt: skip
    return folder


@pytest.fixture
def aucli(study, monkeypatch):
    monkeypatch.chdir(study)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*words):
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_events(aucli):
    (event,) = json.loads(aucli("events", "out.parquet", "--json"))["events"]
    found = {
        name: event[name] for name in ("au", "measure", "onset_s", "apex_s", "offset_s", "peak", "enter")
    }
    assert found == {
        "au": "AU12", "measure": "intensity", "onset_s": 1.0, "apex_s": 1.0, "offset_s": 2.0, "peak": 4.0,
        "enter": 2.0,
    }  # fmt: skip
    assert "AU12_int" in aucli("events", "out.parquet")
    weaker = json.loads(aucli("events", "out.parquet", "--threshold", "AU06_int=1.2", "--json"))["events"]
    assert [(one["au"], one["cut_start"], one["cut_end"]) for one in weaker] == [
        ("AU6", True, True),
        ("AU12", False, False),
    ]


@pytest.mark.parametrize(("baseline", "mean"), [((), 1.0), (("--baseline", "0-0.9"), 1.0)])
def test_summary(aucli, baseline, mean):
    tables = json.loads(aucli("summary", "out.parquet", "--json", *baseline))
    of_au = {row["au"]: row for row in tables["aus"]}
    assert list(of_au) == list(AUS)
    assert of_au["AU12"]["active_share"] == pytest.approx(0.25)
    assert of_au["AU12"]["mean"] == pytest.approx(mean)
    assert (of_au["AU6"]["active_share"], of_au["AU6"]["max"]) == (0.0, 1.5)
    assert aucli("summary", "out.parquet", *baseline)


def test_report(aucli, study):
    aucli("report", "out.parquet", "-o", "page.html")
    page = (study / "page.html").read_text()
    assert "An AU counted as present from this intensity (0 to 5) on" in page
    assert "AU12 2.00" in page
    assert "probability" not in page.split("<body")[1].split('class="methods')[0].split("<svg")[0]


def table(aucli, study, kind, name):
    aucli("export", "out.parquet", "--format", kind, "--overwrite")
    return pd.read_csv(study / name)


def test_tables_of_other_tools_have_intensities_and_leave_the_rest_empty(aucli, study):
    openface = table(aucli, study, "openface", "out_openface/talk.csv")
    np.testing.assert_allclose(openface["AU12_r"], SMILE)
    np.testing.assert_allclose(openface["AU06_r"], WEAK)
    assert openface[["AU12_c", "AU06_c", "AU01_r"]].isna().all().all()
    libreface = table(aucli, study, "libreface", "out_libreface/talk.csv")
    np.testing.assert_allclose(libreface["au_12_intensity"], SMILE)
    assert libreface[["au_12", "au_6", "au_1_intensity"]].isna().all().all()
    pyfeat = table(aucli, study, "pyfeat", "out_pyfeat/talk.csv")
    assert len(pyfeat) == 100
    assert pyfeat[["AU06", "AU12"]].isna().all().all()
    assert "AU12_int" in (study / "out_pyfeat.note.txt").read_text()


def test_plain_tables_have_the_columns_of_the_extraction(aucli, study):
    csv = table(aucli, study, "csv", "out.csv")
    assert [name for name in csv.columns if name.startswith("AU")] == [f"AU{au[2:]:0>2}_int" for au in AUS]
    aucli("export", "out.parquet", "--format", "json", "--overwrite")
    lines = [json.loads(line) for line in (study / "out.jsonl").read_text().splitlines()]
    assert [line["AU12_int"] for line in lines] == SMILE.tolist()


def test_coders_get_the_event_with_its_intensity(aucli, study):
    aucli("export", "out.parquet", "--format", "annotator-table", "--overwrite")
    coded = pd.read_csv(study / "out_annotator-table.csv", encoding="utf-8-sig")
    assert coded[["au", "onset", "offset", "peak"]].to_numpy().tolist() == [
        ["AU12", "00:00:01.000", "00:00:02.000", 4.0]
    ]
    aucli("export", "out.parquet", "--format", "elan", "--overwrite")
    eaf = (study / "out_elan" / "talk.eaf").read_text()
    assert 'TIER_ID="track0_AU12"' in eaf
    assert "<ANNOTATION_VALUE>4" in eaf
    notes = (study / "out_elan.note.txt").read_text()
    assert "peak intensity (0 to 5)" in notes
    assert "from intensity 2 on" in notes


def test_evaluate(aucli, study):
    coded = pd.DataFrame({"video": "talk.mp4", "frame": range(100), "AU12_occ": (SMILE >= 2).astype(int)})
    coded.assign(AU12_int=SMILE + 0.5 * (SMILE > 0)).to_csv(study / "coded.csv", index=False)
    result = json.loads(
        aucli("evaluate", "--predictions", "out.parquet", "--labels", "coded.csv", "--draws", 0, "--json")
    )
    found = result["tested"][0]["aus"]["AU12"]
    assert (found["auc"], found["protocol"]["f1"]) == (1.0, 1.0)
    assert found["mae"] == pytest.approx(0.125)
