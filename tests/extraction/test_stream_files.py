"""The files of a clip are moved into place together or not at all; figures of its row."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hf_slt.errors import VideoError
from hf_slt.extraction.clip import detection_rates, observed_fps, source_hash
from hf_slt.extraction.stream_files import clip_files, staged_clip


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too, by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_move_that_fails_is_taken_back(tmp_path, monkeypatch):
    def write(folder: Path, text: str) -> None:
        for stream in ("face", "pose"):
            path = clip_files(folder, "a")[stream]
            path = path / "000000.jpg" if stream == "face" else path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    write(tmp_path, "old")
    before = files_below(tmp_path)
    rename = Path.rename

    def failing(self, target):
        if "new" in self.parts and target.name == "a.npz":
            raise OSError("no space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="no space left"), staged_clip(tmp_path, "a") as staging:
        write(staging, "new")
    assert files_below(tmp_path) == before


def test_hash_of_a_missing_file(tmp_path):
    with pytest.raises(VideoError, match=r"gone\.mp4\n.*\n.*No such file or directory"):
        source_hash(tmp_path / "gone.mp4")


def test_observed_fps_is_that_of_the_times():
    assert observed_fps(np.array([0, 0.1, 0.4])) == pytest.approx(5.0)
    assert observed_fps(np.array([0.0])) is None


def test_detection_rates():
    clip = SimpleNamespace(seen={part: np.array(seen, bool) for part, seen in {
        "pose": [1, 1, 1], "face": [1, 1, 0], "left_hand": [0, 0, 0], "right_hand": [1, 0, 0]
    }.items()})  # fmt: skip
    assert detection_rates(clip) == {"person": 1.0, "face": 0.6667, "left_hand": 0.0, "right_hand": 0.3333}
