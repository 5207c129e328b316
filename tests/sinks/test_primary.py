"""One person's rows: every frame once."""

import pyarrow as pa

from aucli.sinks.primary import only_track


def test_every_frame_once_null_where_the_person_is_not_seen():
    batch = pa.record_batch(
        {
            "video": ["a"] * 6,
            "frame": pa.array([0, 0, 1, 2, 3, 3], pa.int32()),
            "time_s": [0.0, 0.0, 0.1, 0.2, 0.3, 0.3],
            "track": pa.array([0, 1, 0, None, 0, 1], pa.int32()),
            "face_x": pa.array([1.0, 2.0, 3.0, None, 4.0, 5.0], pa.float32()),
            "valid": pa.array([True, False, True, None, True, True]),
        }
    )
    only = only_track(batch, 1)
    assert only.schema == batch.schema
    assert only.to_pydict() == {
        "video": ["a"] * 4,
        "frame": [0, 1, 2, 3],
        "time_s": [0.0, 0.1, 0.2, 0.3],
        "track": [1, None, None, 1],
        "face_x": [2.0, None, None, 5.0],
        "valid": [False, None, None, True],
    }
