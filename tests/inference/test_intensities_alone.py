"""A model that gives intensities and no probabilities, through everything that reads an extraction."""

from dataclasses import replace
from itertools import islice

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from aucli.config import ExtractConfig
from aucli.datatypes import Selection
from aucli.errors import UsageError
from aucli.inference.annotate import run_annotate
from aucli.inference.extract import run_extract
from aucli.inference.postprocess import Postprocess
from aucli.inference.predictor import Predictions, Predictor
from aucli.sinks.draw.look import Look
from aucli.sinks.extraction import read_extraction
from aucli.sinks.metadata import read_metadata
from aucli.sinks.tables.analysis import Analysis, Options
from aucli.sinks.tables.events import event_table
from aucli.viewer.legend import legend_json
from aucli.viewer.report import report_page
from aucli.viewer.rows import read_video_rows
from aucli.zoo.card import read_card
from aucli_models.au import AU_SETS
from tests.clips import RECIPES
from tests.inference.analysed import EXAMPLES
from tests.models.small_scc import card_file

AUS = AU_SETS["bp4d_intensity"]
COLUMNS = ["AU06_int", "AU10_int", "AU12_int", "AU14_int", "AU17_int"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return card_file(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def config(model):
    return ExtractConfig(model=str(model), jobs=1, selection=Selection(end_seconds=0.4))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The first frames of an example, at half its size."""
    with av.open(str(EXAMPLES / "smile.mp4")) as container:
        frames = [
            frame.to_ndarray(format="rgb24")[::2, ::2] for frame in islice(container.decode(video=0), 12)
        ]
    return RECIPES["cfr_mp4"].write(tmp_path_factory.mktemp("video") / "clip.mp4", frames)


@pytest.fixture(scope="module")
def extraction(clip, config, tmp_path_factory):
    output = tmp_path_factory.mktemp("out") / "out.parquet"
    result = run_extract([clip], output, config)
    assert result.exit_code == 0
    return output


def test_extract_writes_intensities_and_nothing_else_of_aus(extraction, model):
    table = pq.read_table(extraction)
    assert [name for name in table.schema.names if name.startswith("AU")] == COLUMNS
    values = np.stack([table[name].to_numpy() for name in COLUMNS])
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert ((values >= 0) & (values <= 5)).all()
    metadata = read_metadata(table.schema)
    assert metadata["card"]["probabilities"] is False
    meaning = "intensity of AU12, lip corner puller, 0 (absent) to 5 (maximum, FACS E)"
    assert metadata["columns"]["AU12_int"] == meaning
    assert metadata["crop"] == {"size": 112, "scale": 1.02, "shift_y": -0.16}


def test_a_batch_of_any_size_gives_the_same(model):
    crops = torch.rand(5, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 255
    one, all_at_once = (Predictor(str(model), batch_size=size, heatmaps=True)(crops) for size in (1, 5))
    assert one.outputs is None
    np.testing.assert_allclose(one.intensities, all_at_once.intensities, atol=1e-4)
    assert one.heatmaps.shape == (5, 5, 28, 28)
    # A map's highest value is the intensity of the point that sees most.
    assert (one.heatmaps.max((2, 3)) / 51 > one.intensities - 0.02).all()
    nothing = Predictor(str(model), heatmaps=True)(crops[:0])
    assert (nothing.outputs, nothing.intensities.shape, len(nothing.heatmaps)) == (None, (0, 5), 0)


def test_occurrences_only_where_the_card_has_thresholds(tmp_path):
    card = read_card(card_file(tmp_path, thresholds=dict.fromkeys(AUS, 1.9)))
    postprocess = Postprocess.of(card)
    found = Predictions(None, np.array([[1.8, 1.9, 5.0, 0.0, 2.0]], np.float32))
    intensities = postprocess.intensities(found.intensities)
    assert postprocess.present(intensities).tolist() == [[False, True, True, False, True]]
    without = Postprocess.of(replace(card, thresholds={}))
    assert without.present(intensities) is None


def test_occurrences_from_the_card_are_written(clip, tmp_path):
    model = card_file(tmp_path, thresholds=dict.fromkeys(AUS, 1.8))
    run_extract(
        [clip],
        tmp_path / "o.parquet",
        ExtractConfig(model=str(model), jobs=1, selection=Selection(end_seconds=0.2)),
    )
    table = pq.read_table(tmp_path / "o.parquet")
    of_aus = [name for name in table.schema.names if name.startswith("AU")]
    assert of_aus == [*(name[:4] for name in COLUMNS), *COLUMNS]
    for name in COLUMNS:
        np.testing.assert_array_equal(table[name[:4]].to_numpy(), table[name].to_numpy() >= np.float32(1.8))
    assert "its intensity is at or above" in read_metadata(table.schema)["columns"]["AU12"]
    assert Analysis(tmp_path / "o.parquet").thresholds.tolist() == [1.8] * 5


def test_events_summary_and_report_follow_the_intensities(extraction):
    analysis = Analysis(extraction, Options(thresholds={"AU12_int": 1.0}))
    assert [signal.name for signal in analysis.signals] == [f"{au}_int" for au in AUS]
    assert analysis.thresholds.tolist() == [2, 2, 1, 2, 2]
    events = event_table(analysis)
    assert set(events["measure"].to_pylist()) <= {"intensity"}
    assert "AU12" in events["au"].to_pylist()
    page = report_page(Analysis(extraction))
    assert "AU12_int" in page
    assert "intensity (0 to 5)" in page
    with pytest.raises(UsageError, match=r"AU12: is not in .*; it has AU6_int"):
        Analysis(extraction, Options(aus=["AU12"]))


def test_the_page_shows_fifths_and_says_so(extraction, model):
    (video,) = read_extraction(extraction)
    rows = read_video_rows(video, AUS)
    want = np.stack([pq.read_table(extraction)[name].to_numpy() for name in COLUMNS]) / np.float32(5)
    np.testing.assert_allclose(rows.values, want)
    legend = legend_json(read_card(model), AUS)
    assert legend["measure"] == "intensity"
    assert [au["threshold"] for au in legend["aus"]] == [0.4] * 5


def test_rows_are_drawn_and_heatmaps_with_the_network_only(clip, extraction, config, tmp_path):
    drawn = run_annotate([clip], tmp_path / "rows.mp4", ExtractConfig(jobs=1), rows_from=extraction)
    assert drawn.exit_code == 0
    assert drawn.report.entries[0].top_aus == ()
    look = Look(heatmaps=True)
    with pytest.raises(UsageError, match=r"--heatmaps .* leave out --from"):
        run_annotate([clip], tmp_path / "x.mp4", config, rows_from=extraction, look=look)
    with pytest.raises(UsageError, match=r"--heatmaps: me_graphau_resnet10_small\.synth .* makes none"):
        run_annotate([clip], tmp_path / "x.mp4", ExtractConfig(), look=look)
    assert not (tmp_path / "x.mp4").exists()
