"""The real clips of two people: the one who signs is chosen, and kept from the first frame to the last."""

import itertools
from importlib.util import find_spec

import numpy as np
import pytest

from hf_slt.extraction.holistic import HolisticDetector
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.people import find_signer
from hf_slt.extraction.video import read_frames

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not (find_spec("mediapipe") and find_spec("cv2") and find_spec("av")),
        reason="the landmark model is not installed (extra 'extraction' and mediapipe)",
    ),
]
NOSE, SHOULDERS = 0, (11, 12)


@pytest.fixture(scope="module")
def videos(real_data_dir):
    return real_data_dir / "video"


def poses(path, region=None, fps=None):
    """`(T, 33, 3)`, NaN where no person was found."""
    lost = np.full((33, 3), np.nan)
    with HolisticDetector(ExtractionOptions(), region) as detector:
        found = [detector.detect(frame.image).pose for frame in read_frames(path, fps=fps)]
    return np.array([lost if pose is None else pose for pose in found])


@pytest.mark.parametrize(("name", "side"), [("lsat_clip2.gif", 1), ("lsat_clip4.gif", 0)])
def test_the_one_who_signs_is_followed_throughout(videos, name, side):
    path = videos / "misc" / name
    choice = find_signer(path)
    assert (choice.people, choice.signer) == (2, side)
    scores = [one["score"] for one in choice.candidates]
    assert scores[side] > 3 * scores[1 - side]

    points = poses(path, choice.region)[:, [NOSE, *SHOULDERS], :2]
    assert not np.isnan(points).any()
    assert ((points[..., 0] > 0.5) == bool(side)).all()
    left, _, right, _ = choice.region
    assert ((points[..., 0] > left) & (points[..., 0] < right)).all()
    # The two stand 0.39 of the width apart; no step between frames of 0.12 s comes near to that.
    steps = np.abs(np.diff(points, axis=0)).max()
    assert steps < 0.1


@pytest.mark.parametrize("name", ["isl/you.mp4", "wlasl_10signers/70304.mp4", "misc/lsat_clip3.gif"])
def test_one_person_has_the_whole_picture(videos, name):
    choice = find_signer(videos / name)
    assert (choice.people, choice.region, choice.signer) == (1, None, 0)


def test_a_title_card_shows_nobody(videos):
    path = videos / "wlasl_10signers" / "70304.mp4"
    found = ~np.isnan(poses(path, fps=12.5)).any(axis=(1, 2))
    runs = [(is_found, len(list(run))) for is_found, run in itertools.groupby(found)]
    assert [is_found for is_found, _ in runs] == [True, False, True]
    assert runs[1][1] == pytest.approx(25, abs=1)
