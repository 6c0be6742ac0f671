"""One clip to files, with a made-up video and detector: what is written, the row, and that nothing is half-written."""

import hashlib
import json
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from landmark_factories import FakeDetector, face_at, hand_at, signer_frame

from hf_slt.data.contract import CorpusPaths, check_corpus
from hf_slt.data.gloss.clips import read_clip
from hf_slt.data.pose_files import read_pose
from hf_slt.errors import ConfigurationError, VideoError
from hf_slt.extraction import clip as module
from hf_slt.extraction import landmark_pass
from hf_slt.extraction.clip import extract_clip
from hf_slt.extraction.landmark_clip import FrameLandmarks
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.video import VideoFrame, VideoInfo

pytest.importorskip("cv2", reason="needs the extra 'extraction'")

FRAMES, WIDTH, HEIGHT = 12, 160, 120
OPTIONS = ExtractionOptions(image_size=32)
NO_HANDS = {"left_hand": None, "right_hand": None}


def picture(number: int) -> np.ndarray:
    """A frame of the video: its own noise."""
    return np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)


class Video:
    """The video, and what was asked of it."""

    def __init__(self, path: Path):
        self.path, self.info = path, VideoInfo(WIDTH, HEIGHT, 25.0, FRAMES / 25, 0, 0.0, "h264")
        self.detectors: list[FakeDetector] = []
        self.landmarks = [signer_frame(number) for number in range(FRAMES)]
        self.regions: list = []
        self.cuts: list[tuple] = []
        self.cores: list[int] = []
        self.fail_at: int | None = None
        self.signer_region: list[float] | None = None
        self.may_choose = threading.Event()
        self.may_choose.set()

    def read_frames(self, path, *, fps=None, start=None, end=None):
        """As the real one, of all frames."""
        self.cuts.append((path, start, end))
        for number in range(FRAMES):
            if number == self.fail_at:
                raise VideoError([])
            yield VideoFrame(number, number / 25, picture(number))

    def detector(self, options, region=None):
        """As `HolisticDetector`."""
        self.regions.append(region)
        self.detectors.append(FakeDetector(self.landmarks))
        return self.detectors[-1]

    def find_signer(self, path, *, start=None, end=None):
        """As the real one."""
        self.cuts.append((path, start, end))
        self.may_choose.wait(5)
        people = 1 if self.signer_region is None else 2
        return SimpleNamespace(
            region=self.signer_region, to_dict=lambda: {"people": people, "region": self.signer_region}
        )

    @contextmanager
    def one_core(self, index):
        """As the real one."""
        self.cores.append(index)
        yield


@pytest.fixture
def video(tmp_path, monkeypatch) -> Video:
    path = tmp_path / "in" / "signer.mp4"
    path.parent.mkdir()
    path.write_bytes(b"a video")
    video = Video(path)
    monkeypatch.setattr(module, "probe_video", lambda path: video.info)
    monkeypatch.setattr(landmark_pass, "read_frames", video.read_frames)
    monkeypatch.setattr(landmark_pass, "HolisticDetector", video.detector)
    monkeypatch.setattr(module, "find_signer", video.find_signer)
    monkeypatch.setattr(landmark_pass, "one_core", video.one_core)
    monkeypatch.setattr(
        module, "extractor_record", lambda: {"extractor": "mediapipe_holistic", "extractor_version": "0.10.21"}
    )
    return video


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too, by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_all_streams_and_the_row(video, tmp_path):
    seen = []
    on_frame = lambda frame, landmarks, boxes: seen.append((frame.number, landmarks, boxes))  # noqa: E731
    row = extract_clip(video.path, tmp_path / "out", "a", OPTIONS, start=1.0, end=2.5, on_frame=on_frame)
    names = set(files_below(tmp_path / "out"))
    images = {f"{folder}/a/{n:06d}.jpg" for folder in ("face", "hand_l", "hand_r") for n in range(FRAMES)}
    assert names == images | {"pose/a.npz", "keypoints78/a.npz"}
    assert row == {
        "video_id": "a",
        "video": "signer.mp4",
        "start": 1.0,
        "end": 2.5,
        "n_frames": FRAMES,
        "fps": 25.0,
        "width": WIDTH,
        "height": HEIGHT,
        "frames": {"face": FRAMES, "left_hand": FRAMES, "right_hand": FRAMES, "pose": FRAMES},
        "detection": {"person": 1.0, "face": 1.0, "left_hand": 1.0, "right_hand": 1.0},
        "signer_choice": {"people": 1, "region": None},
        "status": "ok",
        "error": None,
        "provenance": row["provenance"],
    }
    assert json.loads(json.dumps(row)) == row
    assert video.regions == [None]
    assert video.cuts == [(video.path, 1.0, 2.5)] * 2  # to choose the signer, and for the landmarks
    assert [number for number, _, _ in seen] == list(range(FRAMES))
    assert all(boxes["face"] is not None for _, _, boxes in seen)
    assert seen[3][1].right_hand is video.landmarks[3].right_hand
    assert video.detectors[0].closed and not video.cores


def test_files_hold_what_was_detected_and_say_who_did_it(video, tmp_path):
    video.landmarks[4] = signer_frame(right_hand=None)
    row = extract_clip(video.path, tmp_path, "a", OPTIONS)
    record = {
        "extractor": "mediapipe_holistic",
        "extractor_version": "0.10.21",
        "hf_slt_version": "0.1.0",
        "options": OPTIONS.to_dict(),
        "source": "signer.mp4",
        "source_sha256": hashlib.sha256(b"a video").hexdigest(),
        "start": None,
        "end": None,
    }
    assert row["provenance"] == record
    pose = read_pose(tmp_path / "pose" / "a.npz")
    assert (pose.norm, pose.layout, pose.points.shape) == ("signing_space_v1", "mediapipe_pose", (FRAMES, 33, 2))
    assert pose.provenance == record
    clip = read_clip(tmp_path / "keypoints78" / "a.npz")
    assert (clip.values.shape, clip.aspect_ratio) == ((FRAMES, 156), WIDTH / HEIGHT)
    assert clip.provenance == record
    with np.load(tmp_path / "keypoints78" / "a.npz") as file:
        meta = json.loads(str(file["meta"]))
        np.testing.assert_allclose(file["timestamps_ms"], np.arange(FRAMES) * 40)
    assert (meta["filled_points"], meta["fps"], meta["width"]) == (21, 25.0, WIDTH)


def test_images_are_crops_of_their_frames(video, tmp_path):
    import cv2

    video.landmarks = [signer_frame(face=face_at(0.5, 0.5, 0.4))]
    options = ExtractionOptions(image_size=48, image_format="png", crop_scale=1.0)
    extract_clip(video.path, tmp_path, "a", options)
    image = cv2.imread(str(tmp_path / "face" / "a" / "000007.png"))[:, :, ::-1]
    box = picture(7)[28:92, 48:112]  # 0.4 of the width is the longer side: 64 pixels about (80, 60)
    np.testing.assert_array_equal(image, cv2.resize(box, (48, 48), interpolation=cv2.INTER_AREA))


def test_missing_parts_are_missing_files(video, tmp_path):
    hidden = signer_frame().pose.copy()
    hidden[13:23, 2] = 0.1
    nobody, resting = FrameLandmarks(), signer_frame(pose=hidden, **NO_HANDS)
    video.landmarks = [nobody] * 2 + [resting] * 6 + [signer_frame(left_hand=hand_at(0.05, 0.1))] * 4
    row = extract_clip(video.path, tmp_path, "a", OPTIONS)
    assert row["frames"] == {"face": 10, "left_hand": 4, "right_hand": 4, "pose": FRAMES}
    # a hand that is not at its arm is not detected; its crop is where the arm says
    assert row["detection"] == {"person": 0.8333, "face": 0.8333, "left_hand": 0.0, "right_hand": 0.3333}
    assert sorted(path.name for path in (tmp_path / "hand_r" / "a").iterdir())[0] == "000008.jpg"
    assert not read_pose(tmp_path / "pose" / "a.npz").confidence[:2].any()


def test_a_stream_that_was_never_seen_has_no_folder_and_the_rest_validates(video, tmp_path):
    hidden = signer_frame().pose.copy()
    hidden[15:23, 2] = 0.1
    video.landmarks = [signer_frame(pose=hidden, left_hand=None)]
    extract_clip(video.path, tmp_path / "out", "a", OPTIONS)
    assert not (tmp_path / "out" / "hand_l" / "a").exists()
    (tmp_path / "index.csv").write_text("id\na\n")
    (tmp_path / "meta.csv").write_text("id,text\na,hello\n")
    paths = CorpusPaths(
        face_dir=tmp_path / "out" / "face",
        right_hand_dir=tmp_path / "out" / "hand_r",
        pose_dir=tmp_path / "out" / "pose",
        metadata_csv=tmp_path / "meta.csv",
        indexes={"train": tmp_path / "index.csv"},
    )
    records, report = check_corpus(paths)
    assert report.problems == []
    assert records["train"][0].n_frames == FRAMES


def test_twice_the_same_bytes_and_the_second_run_replaces_the_first(video, tmp_path):
    extract_clip(video.path, tmp_path / "one", "a", OPTIONS)
    extract_clip(video.path, tmp_path / "two", "a", OPTIONS)
    first = files_below(tmp_path / "one")
    assert first == files_below(tmp_path / "two")
    (tmp_path / "one" / "face" / "a" / "000099.jpg").write_bytes(b"of an earlier, longer clip")
    extract_clip(video.path, tmp_path / "one", "a", OPTIONS)
    assert files_below(tmp_path / "one") == first


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("failure", ["decoder", "callback", "nobody"])
def test_an_error_leaves_everything_as_it_was(video, tmp_path, failure, earlier):
    out = tmp_path / "out"
    if earlier:
        extract_clip(video.path, out, "a", OPTIONS)
    before = files_below(out)

    def on_frame(frame, landmarks, boxes):
        if failure == "callback" and frame.number == 6:
            raise OSError("no space left on device")

    video.fail_at = 6 if failure == "decoder" else None
    if failure == "nobody":
        video.landmarks = [FrameLandmarks()]
    expected = {"decoder": VideoError, "callback": OSError, "nobody": VideoError}[failure]
    with pytest.raises(expected):
        extract_clip(video.path, out, "a", OPTIONS, on_frame=on_frame)
    assert files_below(out) == before
    assert video.detectors[-1].closed
    assert not list(out.glob(".*"))


def test_nobody_at_all_is_an_error_that_says_so(video, tmp_path):
    video.landmarks = [FrameLandmarks()]
    with pytest.raises(VideoError, match=r"signer\.mp4\n.*person in at least one frame\n.*no person in any of 12 fr"):
        extract_clip(video.path, tmp_path, "a", OPTIONS)


@pytest.mark.parametrize("slow", [False, True])
def test_with_a_choice_the_model_sees_the_signers_part_alone(video, tmp_path, monkeypatch, slow):
    video.signer_region = [0.5, 0, 1, 1]
    if slow:  # the choice takes longer than frames may wait
        monkeypatch.setattr(landmark_pass, "_HELD", 4)
        video.may_choose.clear()
        threading.Timer(0.05, video.may_choose.set).start()
    seen = []
    row = extract_clip(video.path, tmp_path, "a", OPTIONS, on_frame=lambda frame, *_: seen.append(frame.number))
    assert video.regions == [None, [0.5, 0, 1, 1]]
    assert len(video.detectors[0].images) <= FRAMES
    assert not slow or len(video.detectors[0].images) == 4
    assert len(video.detectors[1].images) == FRAMES
    assert all(detector.closed for detector in video.detectors)
    assert seen == list(range(FRAMES))
    assert row["signer_choice"] == {"people": 2, "region": [0.5, 0, 1, 1]}


def test_frames_that_waited_for_the_choice_are_not_lost(video, tmp_path, monkeypatch):
    monkeypatch.setattr(landmark_pass, "_HELD", 4)
    video.may_choose.clear()
    threading.Timer(0.05, video.may_choose.set).start()
    row = extract_clip(video.path, tmp_path / "slow", "a", OPTIONS)
    assert row["n_frames"] == FRAMES
    extract_clip(video.path, tmp_path / "fast", "a", OPTIONS)
    assert files_below(tmp_path / "slow") == files_below(tmp_path / "fast")


def test_core_and_known_hash_are_taken_over(video, tmp_path):
    row = extract_clip(video.path, tmp_path, "a", OPTIONS, core=1, source_sha256="known")
    assert video.cores == [1]
    assert row["provenance"]["source_sha256"] == "known"


def test_ids_that_are_no_file_names(video, tmp_path):
    with pytest.raises(ConfigurationError, match=r"found a path separator in 'a/b'"):
        extract_clip(video.path, tmp_path, "a/b", OPTIONS)
