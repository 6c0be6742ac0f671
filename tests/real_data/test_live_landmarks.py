"""Live frames of a real clip: rest is told from signing, and a window is what the files of the extraction hold."""

import numpy as np
import pytest

from hf_slt.data.gloss.clips import read_clip
from hf_slt.data.pose_files import read_pose
from hf_slt.extraction.keypoints import keypoints_78
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.video import read_frames
from hf_slt.inference.captioner import Captioner
from hf_slt.inference.live_source import arriving, choose_region, find_landmarks
from hf_slt.inference.streaming import clip_landmarks, hands_raised, stream_inputs
from hf_slt.landmarks import LAYOUTS
from hf_slt.models.multistream.feature_extraction_multistream import MultiStreamFeatureExtractor

pytestmark = pytest.mark.real_data
OPTIONS = ExtractionOptions(fps=5, image_size=64)


@pytest.fixture(scope="module")
def clip(real_data_dir):
    pytest.importorskip("mediapipe", reason="the landmarks of real clips need MediaPipe")
    return real_data_dir / "video" / "isl" / "you.mp4"


@pytest.fixture(scope="module")
def frames(clip):
    arrivals = arriving(read_frames(clip, fps=OPTIONS.fps))
    return list(find_landmarks(arrivals, OPTIONS, ("face", "left_hand", "right_hand"), choose_region(clip)))


def test_the_signer_rests_signs_and_rests(frames):
    active = "".join("s" if hands_raised(frame) else "r" for frame in frames)
    assert active.strip("r").strip("s") == ""  # one stretch of signing
    assert active.startswith("rrrr")
    assert active.endswith("rrr")
    assert active.count("s") >= 8
    windows = []
    captioner = Captioner(lambda window, said: windows.append(window) or "you", hop=10, pause=0.6)
    said = [caption for frame in frames for caption in captioner.add(frame)] + captioner.finish()
    assert [(caption.text, caption.is_final) for caption in said] == [("you", True)]
    assert active[windows[0][0].number :].startswith("rrs")  # 0.3 s on the way to the first sign
    signing = [frame.crops for frame in windows[0] if hands_raised(frame)]
    assert all(crops["left_hand"] is not None or crops["right_hand"] is not None for crops in signing)


def test_a_window_over_the_clip_is_what_its_files_hold(clip, frames, tmp_path):
    from hf_slt.extraction.clip import extract_clip

    extract_clip(clip, tmp_path, "you", OPTIONS)
    pose = read_pose(tmp_path / "pose/you.npz")
    inputs = stream_inputs(frames, ("pose",), LAYOUTS["mediapipe_pose"])["pose"]
    extractor = MultiStreamFeatureExtractor(streams=["pose"])
    np.testing.assert_allclose(extractor.normalize_pose(inputs[..., :2], inputs[..., 2]), pose.points, atol=1e-5)
    np.testing.assert_allclose(inputs[..., 2], pose.confidence, atol=1e-5)
    written = read_clip(tmp_path / "keypoints78/you.npz")
    values, mask = keypoints_78(clip_landmarks(frames), OPTIONS.max_gap)
    np.testing.assert_array_equal(mask, written.mask > 0)
    np.testing.assert_allclose(values, written.values, atol=1e-6)
