"""`scripts/import_landmarks.py`, as a person runs it."""

import numpy as np
import pytest
from script_runs import run_main


def run(argv):
    with pytest.raises(SystemExit) as leaving:
        run_main("import_landmarks", argv)
    return leaving.value.code


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("one", "two"):
        np.save(folder / f"{name}.npy", np.random.default_rng(0).uniform(0.2, 0.8, (4, 543, 3)))
    return folder


def test_flags_reach_the_files(clips, tmp_path, capsys):
    flags = ["--format", "holistic543", "--fps", "20", "--width", "640", "--height", "360", "--pose_layout"]
    flags += ["mediapipe_pose_upper", "--max-gap", "0", "--overwrite"]
    run_main("import_landmarks", ["--input", clips, "--output", tmp_path / "out", *flags])
    assert capsys.readouterr().out == f"2 clips, 8 frames -> {tmp_path / 'out'}\n"
    with np.load(tmp_path / "out" / "pose" / "two.npz") as arrays:
        assert arrays["pose"].shape == (4, 25, 3) and str(arrays["pose_layout"]) == "mediapipe_pose_upper"
    with np.load(tmp_path / "out" / "keypoints78" / "one.npz") as arrays:
        assert '"fps": 20.0' in str(arrays["meta"]) and '"height": 360' in str(arrays["meta"])


def test_unknown_size_of_the_pictures_is_said(clips, tmp_path, capsys):
    run_main("import_landmarks", ["--input", clips, "--output", tmp_path / "out"])
    assert "2 clips do not say how large their pictures were" in capsys.readouterr().out


def test_bad_input_is_an_error_for_people(clips, tmp_path, capsys):
    (clips / "three.pkl").write_bytes(b"")
    assert run(["--input", clips, "--output", tmp_path / "out"]) == 2
    assert "reading one runs code" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run(["--input", clips, "--output", tmp_path / "out", "--width", "640"]) == 2
    assert "expected width and height together" in capsys.readouterr().err
