"""The landmark model's wrapper: coordinates, thresholds, silence, cores; and what a missing package says."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from hf_slt.errors import MissingDependencyError
from hf_slt.extraction import holistic, mediapipe_graph
from hf_slt.extraction.holistic import HolisticDetector, extractor_record
from hf_slt.extraction.mediapipe_graph import KeptGraph, one_core, quiet, require_mediapipe
from hf_slt.extraction.options import ExtractionOptions


def landmarks(count, x, y, visibility=0.9):
    return SimpleNamespace(landmark=[SimpleNamespace(x=x, y=y, visibility=visibility)] * count)


class FakeGraph:
    """Finds a pose and a right hand in the middle of what it is shown."""

    def __init__(self, first_output, **options):
        FakeGraph.options, FakeGraph.shapes, FakeGraph.is_closed = options, [], False

    def process(self, image):
        FakeGraph.shapes.append(image.shape)
        found = dict.fromkeys(FakeGraph.options["outputs"])
        if image.any():
            found |= {"pose_landmarks": landmarks(33, 0.5, 0.5), "right_hand_landmarks": landmarks(21, 0.0, 1.0)}
            if "segmentation_mask" in found:
                found["segmentation_mask"] = np.ones(image.shape[:2], np.float32)
        return found

    def close(self):
        FakeGraph.is_closed = True


@pytest.fixture
def graph(monkeypatch):
    monkeypatch.setattr(holistic, "QuietGraph", FakeGraph)
    return FakeGraph


PICTURE = np.full((40, 80, 3), 9, np.uint8)


def test_points_found_in_a_region_are_fractions_of_the_whole_picture(graph):
    with HolisticDetector(ExtractionOptions(), region=(0.5, 0.0, 1.0, 0.5)) as detector:
        found = detector.detect(PICTURE)
    assert graph.is_closed
    assert graph.shapes == [(20, 40, 3)]
    np.testing.assert_allclose(found.pose, [[0.75, 0.25, 0.9]] * 33, atol=1e-6)
    np.testing.assert_allclose(found.right_hand, [[0.5, 0.5]] * 21)
    assert found.pose.dtype == found.right_hand.dtype == np.float32
    assert (found.left_hand, found.face, found.person_mask) == (None, None, None)


def test_a_frame_without_a_person_has_nothing(graph):
    found = HolisticDetector(ExtractionOptions()).detect(np.zeros_like(PICTURE))
    assert (found.pose, found.left_hand, found.right_hand, found.face) == (None,) * 4


def test_the_mask_covers_the_whole_picture(graph):
    options = ExtractionOptions(segmentation=True)
    mask = HolisticDetector(options, region=(0.25, 0.0, 0.75, 1.0)).detect(PICTURE).person_mask
    assert graph.options["side_inputs"]["enable_segmentation"] is True
    assert (mask.shape, mask.dtype, mask.sum()) == ((40, 80), np.float32, 40 * 40)
    assert mask[:, 20:60].all()


def test_thresholds_reach_the_graph(graph):
    HolisticDetector(
        ExtractionOptions(min_detection_confidence=0.7, min_tracking_confidence=0.6, min_hand_confidence=0.2)
    )
    assert sorted(graph.options["calculator_params"].values()) == [0.2, 0.2, 0.6, 0.7]
    assert "segmentation_mask" not in graph.options["outputs"]


class CountedGraph:
    """Gives the height of an image; fails for empty ones."""

    built = closed = 0

    def __init__(self, first_output, **options):
        CountedGraph.built += 1
        assert (first_output, options) == ("height", {"limit": 3})

    def process(self, image):
        return {"height": image.shape[0] // bool(image.shape[1])}

    def close(self):
        CountedGraph.closed += 1


def test_a_kept_graph_is_built_once_when_needed_and_again_after_an_error(monkeypatch):
    monkeypatch.setattr(mediapipe_graph, "QuietGraph", CountedGraph)
    monkeypatch.setattr(CountedGraph, "built", 0)
    monkeypatch.setattr(CountedGraph, "closed", 0)
    kept = KeptGraph("height", limit=3)
    assert CountedGraph.built == 0
    with ThreadPoolExecutor(4) as pool:
        images = [np.zeros((height, 2, 3), np.uint8) for height in range(8)]
        assert [found["height"] for found in pool.map(kept.process, images)] == list(range(8))
    assert (CountedGraph.built, CountedGraph.closed) == (1, 0)
    with pytest.raises(ZeroDivisionError):
        kept.process(np.zeros((2, 0, 3), np.uint8))
    assert CountedGraph.closed == 1
    assert kept.process(images[5]) == {"height": 5}
    kept.close()
    kept.close()
    assert (CountedGraph.built, CountedGraph.closed) == (2, 2)


def test_missing_mediapipe_says_both_lines_to_run(monkeypatch):
    def fail(name):
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(mediapipe_graph.importlib, "import_module", fail)
    with pytest.raises(MissingDependencyError) as caught:
        require_mediapipe()
    assert "pip install 'hf_slt[extraction]'" in str(caught.value)
    assert "pip install --no-deps mediapipe==0.10.21" in str(caught.value)


def test_quiet_drops_the_lines_of_mediapipe_only(capfd):
    with quiet(), quiet():
        os.write(2, b"W0000 00:00:1795373881.418999   21554 inference_feedback_manager.cc:114] Feedback\n")
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        os.write(2, b"AttributeError: 'MessageFactory' object has no attribute 'GetPrototype'\n")
        os.write(2, b"Warning: the disk is full\n")
        sys.stderr.write("AttributeError: 'MessageFactory' object\nwritten by Python\n")
    os.write(2, b"after\n")
    assert sorted(capfd.readouterr().err.splitlines()) == ["Warning: the disk is full", "after", "written by Python"]


def test_quiet_gives_standard_error_back_after_an_error(capfd):
    with pytest.raises(ValueError, match="inside"), quiet():
        raise ValueError("inside")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no threads to cores")
def test_one_core_holds_for_the_thread_and_what_it_starts():
    before, seen = os.sched_getaffinity(0), []
    for index in (0, 1, len(before)):
        with one_core(index):
            seen.append(os.sched_getaffinity(0))
            thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
            thread.start()
            thread.join()
    assert [len(cores) for cores in seen] == [1] * 6
    assert seen[0] == seen[1] == seen[4] == {min(before)}
    assert seen[2] == {sorted(before)[1 % len(before)]}
    assert os.sched_getaffinity(0) == before


@pytest.mark.skipif(not find_spec("mediapipe"), reason="the landmark model is not installed")
def test_mediapipe_itself_finds_nobody_in_noise_and_says_nothing(capfd):
    image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    with HolisticDetector(ExtractionOptions(segmentation=True)) as detector:
        found = detector.detect(image)
    assert (found.pose, found.face, found.person_mask) == (None, None, None)
    assert extractor_record() == {"extractor": "mediapipe_holistic", "extractor_version": "0.10.21"}
    assert capfd.readouterr().err == ""
