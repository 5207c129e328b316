"""SCRFD's own weights may not be had here; a network made by hand with its outputs takes their place."""

import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from aucli.errors import MissingDependencyError
from aucli.faces.detect import make_detector
from aucli.faces.detect.insightface import find_pack, input_size, to_faces
from tests.faces.stream import batch_of

STRIDES = (8, 16, 32)
REACH = 1.5  # the network's box reaches that many strides from its anchor to each side
POINTS = np.array([[-0.5, -0.5], [0.5, -0.5], [0, 0], [-0.4, 0.6], [0.4, 0.6]])  # strides from the anchor


def write_bright_square_finder(path):
    """An ONNX file with SCRFD's nine outputs that takes white squares of 32 pixels for faces.

    Per stride two anchors a cell; only stride 32's first one ever scores, by the cell's brightness.
    """
    nodes, outputs, constants = [], {"score": [], "box": [], "points": []}, {}

    def constant(name, values):
        constants[name] = numpy_helper.from_array(np.asarray(values), name)
        return name

    rows = {
        "box": np.full(4, REACH, np.float32),
        "points": POINTS.ravel().astype(np.float32),
    }
    for stride in STRIDES:
        tag = str(stride)
        nodes.append(
            helper.make_node(
                "AveragePool", ["input"], ["mean" + tag], kernel_shape=[stride] * 2, strides=[stride] * 2
            )
        )
        # Brightness is about -1 to 1; sigmoid(20 x - 17) is 0.95 for white, 0 for grey.
        gain = 20 / 3 if stride == 32 else 0
        weight = np.zeros((2, 3, 1, 1), np.float32)
        weight[0] = gain
        constant("w" + tag, weight)
        constant("b" + tag, np.array([-17, -17], np.float32))
        nodes += [
            helper.make_node("Conv", ["mean" + tag, "w" + tag, "b" + tag], ["logit" + tag]),
            helper.make_node("Sigmoid", ["logit" + tag], ["map" + tag]),
            helper.make_node("Transpose", ["map" + tag], ["cells" + tag], perm=[0, 2, 3, 1]),
            helper.make_node(
                "Reshape", ["cells" + tag, constant("flat", np.array([-1, 1]))], ["score" + tag]
            ),
            helper.make_node(
                "Mul", ["score" + tag, constant("zero", np.zeros(1, np.float32))], ["none" + tag]
            ),
        ]
        outputs["score"].append(
            helper.make_tensor_value_info("score" + tag, TensorProto.FLOAT, ["n" + tag, 1])
        )
        for kind, row in rows.items():
            nodes.append(helper.make_node("Add", ["none" + tag, constant(kind, row)], [kind + tag]))
            outputs[kind].append(
                helper.make_tensor_value_info(kind + tag, TensorProto.FLOAT, ["n" + tag, len(row)])
            )
    graph = helper.make_graph(
        nodes,
        "bright squares",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "height", "width"])],
        [*outputs["score"], *outputs["box"], *outputs["points"]],
        list(constants.values()),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def test_without_weights_it_is_refused_with_what_to_put_where(monkeypatch, tmp_path):
    monkeypatch.setenv("INSIGHTFACE_HOME", str(tmp_path))
    with pytest.raises(MissingDependencyError) as refusal:
        make_detector("insightface")
    message = str(refusal.value)
    assert str(tmp_path / "models" / "buffalo_l") in message
    assert "det_10g.onnx" in message
    assert "non-commercial research only" in message
    assert "--detector mtcnn" in message
    assert not any(tmp_path.iterdir())  # nothing was made or downloaded


def test_without_opencv_it_is_refused_with_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("INSIGHTFACE_HOME", str(tmp_path / "det_any.onnx"))
    (tmp_path / "det_any.onnx").write_bytes(b"")
    for name in [name for name in sys.modules if name.split(".")[0] == "insightface"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cv2", None)  # Python's own way to make an import fail
    with pytest.raises(MissingDependencyError, match=r"cannot be loaded \(.*cv2.*apt-get install libgl1"):
        make_detector("insightface")


def test_the_packs_default_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("INSIGHTFACE_HOME", str(tmp_path))
    for pack in ("antelope", "buffalo_l"):
        (tmp_path / "models" / pack).mkdir(parents=True)
        (tmp_path / "models" / pack / "det_10g.onnx").touch()
        (tmp_path / "models" / pack / "w600k_r50.onnx").touch()
    assert find_pack() == tmp_path / "models" / "buffalo_l" / "det_10g.onnx"


def test_input_size_follows_the_smallest_face():
    assert input_size(1280, 720, min_face=16) == (1280, 736)
    assert input_size(1280, 720, min_face=40) == (512, 288)
    assert input_size(640, 480, min_face=5) == (640, 480)
    assert input_size(20, 1000, min_face=40) == (32, 416)


def test_boxes_become_left_top_width_height_best_first():
    corners = np.array([[10, 20, 50, 70, 0.6], [5, 6, 8, 10, 0.9]])
    points = np.arange(20.0).reshape(2, 5, 2)
    faces = to_faces(corners, points)
    np.testing.assert_allclose(faces.boxes, [[5, 6, 3, 4], [10, 20, 40, 50]])
    np.testing.assert_allclose(faces.scores, [0.9, 0.6])
    np.testing.assert_allclose(faces.landmarks, points[::-1])
    assert len(to_faces(np.zeros((0, 5), np.float32), np.zeros((0, 5, 2), np.float32))) == 0


def test_a_network_with_scrfds_outputs_runs_through(monkeypatch, tmp_path):
    pytest.importorskip("cv2", reason="insightface needs OpenCV", exc_type=ImportError)
    path = tmp_path / "models" / "by_hand" / "det_bright.onnx"
    write_bright_square_finder(path)
    monkeypatch.setenv("INSIGHTFACE_HOME", str(tmp_path))
    detector = make_detector("insightface", min_face=16)
    assert detector.version.startswith("insightface by_hand/det_bright.onnx, sha256 ")
    assert not detector.can_refit

    picture = np.zeros((192, 256, 3), np.uint8)
    picture[64:96, 128:160] = 255
    nothing, faces = detector.detect(batch_of(np.zeros_like(picture), picture))
    assert len(nothing) == 0
    assert len(faces) == 1
    assert faces.scores[0] > 0.9
    np.testing.assert_allclose(faces.boxes[0], [128 - 48, 64 - 48, 96, 96], atol=1e-3)
    np.testing.assert_allclose(faces.landmarks[0], POINTS * 32 + [128, 64], atol=1e-3)
    # The picture is twice as large for the user as for the network: the answer is in the user's pixels.
    enlarged = picture.repeat(2, axis=0).repeat(2, axis=1)
    (larger,) = make_detector("insightface", min_face=32).detect(batch_of(enlarged))
    np.testing.assert_allclose(larger.boxes[0], np.array([128 - 48, 64 - 48, 96, 96]) * 2, atol=1e-3)
