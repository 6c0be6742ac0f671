"""The extraction benchmark: both sides go through the same frames, and the figures are printed and written."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from landmark_factories import FakeDetector, signer_frame

from hf_slt.errors import ConfigurationError

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))  # the scripts import each other as siblings

import benchmark_extraction  # noqa: E402


@pytest.fixture
def fakes(monkeypatch, tmp_path) -> SimpleNamespace:
    """Two videos of 4 frames; what is done with them is noted."""
    from hf_slt.extraction import clip, corpus_run, holistic, video

    done = SimpleNamespace(detectors=[], cores=[], clips=[], runs=[])
    videos = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    frames = [SimpleNamespace(image=np.zeros((4, 4, 3), np.uint8)) for _ in range(4)]

    def detector(options):
        done.detectors.append(FakeDetector([signer_frame()]))
        return done.detectors[-1]

    def one_core(index):
        done.cores.append(index)
        return nullcontext()

    def extract(path, output, video_id, options, core):
        done.clips.append((path.name, video_id, options.fps, core))

    def run(jobs, output, options, *, workers, overwrite, show_progress):
        output.mkdir(exist_ok=True)
        done.runs.append(([job.video_id for job in jobs], workers, overwrite))

    monkeypatch.setattr(video, "list_videos", lambda folder: videos)
    monkeypatch.setattr(video, "read_frames", lambda path, fps: frames)
    monkeypatch.setattr(holistic, "HolisticDetector", detector)
    monkeypatch.setattr(holistic, "one_core", one_core)
    monkeypatch.setattr(clip, "extract_clip", extract)
    monkeypatch.setattr(corpus_run, "run_extraction", run)
    return done


def test_model_and_extraction_take_turns_on_the_same_core(fakes, tmp_path, capsys):
    output = tmp_path / "figures.json"
    benchmark_extraction.main(["videos", "--rounds", "2", "--fps", "5", "--output", str(output)])
    assert [len(detector.images) for detector in fakes.detectors] == [4] * 4
    assert all(detector.closed for detector in fakes.detectors)
    assert fakes.cores == [0] * 4
    assert fakes.clips == [("a.mp4", "a", 5.0, 0)] * 2 + [("b.mp4", "b", 5.0, 0)] * 2
    assert not fakes.runs
    rows = json.loads(output.read_text())["rows"]
    names = [(row["case"], row["side"]) for row in rows]
    assert names == [(video, side) for video in ("a.mp4", "b.mp4") for side in ("model", "extraction")]
    assert rows[0]["ratio"] == 1
    printed = capsys.readouterr().out
    assert "frames/s" in printed and "2 rounds in turns; 2 videos" in printed


def test_whole_runs_with_more_processes(fakes):
    benchmark_extraction.main(["videos", "--rounds", "2", "--limit", "1", "--workers", "1", "2"])
    assert fakes.runs == [(["a"], 1, False), (["a"], 2, False), (["a"], 2, True), (["a"], 1, True)]


@pytest.mark.parametrize("flags", [["--rounds", "0"], ["--limit", "0"], ["--workers", "1", "0"]])
def test_counts_have_to_be_positive(flags):
    with pytest.raises(ConfigurationError, match="expected --rounds, --limit and --workers of 1 or more"):
        benchmark_extraction.main(["videos", *flags])
