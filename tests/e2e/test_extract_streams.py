"""scripts/extract_streams.py on real clips, as a person runs it."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from script_runs import ROOT, run_main

SCRIPT = ROOT / "scripts" / "extract_streams.py"
# As hf_slt.extraction.holistic says how to install it; CI has it with the pinned packages alone.
needs_mediapipe = pytest.mark.skipif(not importlib.util.find_spec("mediapipe"), reason="mediapipe is not installed")
METADATA = (
    "id;text;signer;video;start;end",
    "late;Él come pan.;Ana;lsat_clip1;2,0;3,5",
    "early;El niño come.;Ana;lsat_clip1.gif;0;1,5",
    "you;You.;;you;;",
    "broken;Nada.;;broken;;",
)


@pytest.fixture
def videos(tmp_path, real_data_dir):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("misc/lsat_clip1.gif", "isl/you.mp4"):
        shutil.copy(real_data_dir / "video" / name, folder)
    (folder / "broken.mp4").write_text("this is no video")
    return folder


def exit_code(*argv):
    try:
        run_main("extract_streams", argv)
    except SystemExit as leaving:
        return leaving.code or 0
    return 0


def rows_of(folder, name="metadata.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.real_data
@needs_mediapipe
def test_clips_are_cut_out_listed_resumed_and_train(videos, tmp_path, capsys):
    metadata, out = tmp_path / "meta.csv", tmp_path / "out"
    metadata.write_text("\n".join(METADATA), encoding="utf-8")
    flags = ["--videos", videos, "--metadata_csv", metadata, "--fps", "6", "--image-size", "64"]
    assert exit_code(*flags, "--output", out, "--workers", "2") == 1
    told = capsys.readouterr()
    assert "3 of 4 clips" in told.out
    assert "  broken (broken.mp4): expected a video" in told.out
    assert "W0000" not in told.err

    rows = {row["video_id"]: row for row in rows_of(out)}
    assert list(rows) == ["late", "early", "you", "broken"]
    assert {name: row["status"] for name, row in rows.items()} == {
        **dict.fromkeys(("late", "early", "you"), "ok"),
        "broken": "error",
    }
    assert rows["late"]["text"] == "Él come pan."
    assert (rows["late"]["start"], rows["late"]["end"]) == (2.0, 3.5)
    assert 8 <= rows["late"]["n_frames"] <= 9
    assert rows["late"]["detection"]["person"] == 1.0
    assert len(list((out / "face" / "late").iterdir())) == rows["late"]["frames"]["face"]

    before = contents(out)
    shutil.rmtree(out / "face" / "early")
    (out / "pose" / "early.npz").unlink()
    assert exit_code(*flags, "--output", out, "--resume") == 1
    assert "(2 of them earlier)" in capsys.readouterr().out
    assert contents(out) == before  # the same bytes again, and nothing beside them

    index = tmp_path / "index.csv"
    index.write_text("late\nearly\nyou\n")
    folders = ["--face-dir", out / "face", "--hand-left-dir", out / "hand_l", "--hand-right-dir", out / "hand_r"]
    folders += ["--pose-dir", out / "pose", "--metadata-csv", out / "metadata.jsonl", "--train-index", index]
    run_main("validate_data", [*folders, "--allow-missing-streams", "--report", tmp_path / "report.json"])


@pytest.mark.real_data
@needs_mediapipe
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_ctrl_c_leaves_a_journal_and_no_processes(videos, tmp_path):
    out = tmp_path / "out"
    shutil.copy(videos / "you.mp4", videos / "again.mp4")
    command = [sys.executable, SCRIPT, "--videos", videos, "--output", out, "--workers", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 120
        journal = out / "metadata.journal.jsonl"
        while not (journal.is_file() and '"ok"' in journal.read_text()) or not list(out.glob(".*.partial")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # the terminal's Ctrl-C reaches all processes
        told = process.communicate(timeout=60)[1]
        deadline = time.monotonic() + 10
    assert process.returncode == 130
    assert "--resume goes on with the others" in told
    assert "Traceback" not in told
    assert rows_of(out, "metadata.journal.jsonl")
    assert not list(out.glob(".*.partial"))
    while left := [path for path in Path("/proc").glob("[0-9]*") if session_of(path) == process.pid]:
        assert time.monotonic() < deadline, left  # Python's own resource tracker follows a moment later
        time.sleep(0.02)


def session_of(process):
    """Return the session that a running process belongs to (field 6 of /proc/PID/stat), None if it has ended."""
    try:
        state, _, _, session = (process / "stat").read_text().rpartition(")")[2].split()[:4]
    except OSError:
        return None
    return None if state == "Z" else int(session)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--videos", "nowhere"], "VideoError: the video is not usable"),
        (["--videos", "nowhere", "--fps", "0"], "ConfigurationError: expected --fps above 0, found 0.0"),
        (["--videos", "nowhere", "--metadata-csv", "none.csv"], "nothing there"),
    ],
)
def test_wrong_flags_exit_with_2(flags, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert exit_code(*flags, "--output", "out") == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
