import pyarrow as pa
import pytest

from aucli.sinks.schema import column_name, describe_columns, output_schema
from aucli_models.au import AU_SETS

FIXED = [
    "video", "frame", "time_s", "track", "face_score", "face_x", "face_y", "face_w", "face_h",
    "lm_left_eye_x", "lm_left_eye_y", "lm_right_eye_x", "lm_right_eye_y", "lm_nose_x", "lm_nose_y",
    "lm_mouth_left_x", "lm_mouth_left_y", "lm_mouth_right_x", "lm_mouth_right_y",
    "yaw_degrees", "pitch_degrees", "roll_degrees", "sharpness", "valid",
]  # fmt: skip


def test_columns_of_the_design_in_their_order():
    schema = output_schema(["AU12", "AU1", "AU25"], intensity_aus=["AU25", "AU12"])
    assert schema.names == [
        *FIXED,
        "AU01_prob", "AU12_prob", "AU25_prob", "AU01", "AU12", "AU25", "AU12_int", "AU25_int",
    ]  # fmt: skip


def test_types_and_nulls():
    schema = output_schema(["AU1"], intensity_aus=["AU1"])
    not_null = {"video": pa.string(), "frame": pa.int32(), "time_s": pa.float64()}
    for name, dtype in not_null.items():
        assert (schema.field(name).type, schema.field(name).nullable) == (dtype, False)
    others = dict.fromkeys(schema.names, pa.float32())
    others |= {"track": pa.int32(), "valid": pa.bool_(), "AU01": pa.bool_()}
    for name in set(schema.names) - set(not_null):
        assert (schema.field(name).type, schema.field(name).nullable) == (others[name], True)


def test_a_subject_column_only_when_wanted():
    assert output_schema(["AU1"], with_subject=True).names[:3] == ["video", "subject", "frame"]
    assert output_schema(["AU1"], with_subject=True).field("subject").nullable


def test_facs_order_with_sides_behind_both():
    names = output_schema(["AU12R", "AU2", "AU12L", "AU12", "AU10"]).names
    assert [name for name in names if name.endswith("_prob")] == [
        "AU02_prob", "AU10_prob", "AU12_prob", "AU12L_prob", "AU12R_prob",
    ]  # fmt: skip


@pytest.mark.parametrize("name", AU_SETS)
def test_every_set_of_the_models_has_distinct_described_columns(name):
    schema = output_schema(AU_SETS[name])
    assert len(set(schema.names)) == len(FIXED) + 2 * len(AU_SETS[name])
    meanings = describe_columns(schema)
    assert list(meanings) == schema.names
    assert len(set(meanings.values())) == len(meanings)


def test_meanings_name_the_action_and_the_unit():
    meanings = describe_columns(output_schema(["AU12L"], intensity_aus=["AU12L"]))
    assert meanings["AU12L_prob"].startswith("calibrated probability that AU12L, lip corner puller, left")
    assert "0 (absent) to 5" in meanings["AU12L_int"]
    assert "pixels" in meanings["lm_mouth_left_y"]
    assert meanings["lm_mouth_left_y"].startswith("y of")
    assert "seconds" in meanings["time_s"]
    assert all("degrees" in meanings[f"{angle}_degrees"] for angle in ("yaw", "pitch", "roll"))


def test_column_names():
    assert [column_name(au) for au in ("AU1", "AU12", "AU12L", "AU6R")] == ["AU01", "AU12", "AU12L", "AU06R"]


@pytest.mark.parametrize("bad", [["AU1", "AU1"], ["AU99"], ["smile"], ["AU12X"]])
def test_refused_names(bad):
    with pytest.raises(ValueError, match="AU"):
        output_schema(bad)
