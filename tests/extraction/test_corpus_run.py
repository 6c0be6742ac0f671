"""Many videos: workers, errors, journals and resuming, with a stand-in for the extraction of one clip."""

import errno
import hashlib
import json
import os
import signal
import time

import pytest

from hf_slt.errors import ConfigurationError, MissingDependencyError, Problem, VideoError
from hf_slt.extraction import corpus_run, output_folder
from hf_slt.extraction.corpus_run import run_extraction
from hf_slt.extraction.jobs import ClipJob, in_working_order
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.output_folder import prepared_output, remove_partial
from hf_slt.extraction.stream_files import clip_files, staged_clip
from hf_slt.extraction.video import VideoFrame

EXTRACTOR = {"extractor": "stand_in", "extractor_version": "1"}
OPTIONS = ExtractionOptions()
DETECTION = {"person": 1.0, "face": 0.5, "left_hand": 0.25, "right_hand": 0.0}


def stand_in(video, output, video_id, options, *, start=None, end=None, on_frame=None, core=None, source_sha256=None):
    """Do to a clip what its file name says; this runs in a worker."""
    partial = output / f".{video_id}.{os.getpid()}.partial"
    if video.stem.startswith("bad"):
        raise VideoError([Problem(str(video), "a person", "none in 3 frames", "leave it out")])
    if video.stem.startswith("bug"):
        raise IndexError("seven of six")
    if video.stem.startswith("long"):
        raise OSError(errno.ENAMETOOLONG, "File name too long", "clip")
    if video.stem.startswith("lacks"):
        raise MissingDependencyError("expected the package 'cv2', found none")
    if video.stem.startswith("full"):
        raise OSError(errno.ENOSPC, "No space left on device", str(output))
    if video.stem.startswith("dies"):
        partial.mkdir()
        os.kill(os.getpid(), signal.SIGKILL)
    if video.stem.startswith("slow"):
        partial.mkdir()
        try:
            time.sleep(60)
        finally:
            partial.rmdir()
    for number in range(60):
        on_frame(VideoFrame(number, number / 25, None))
    files = clip_files(output, video_id)
    for path in (files["pose"], files["keypoints78"]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{os.getpid()} {core} {options.fps}")
    digest = source_sha256 or hashlib.sha256(video.read_bytes()).hexdigest()
    return {
        **{"video_id": video_id, "video": video.name, "start": start, "end": end, "n_frames": len(video.stem)},
        **{"detection": DETECTION, "status": "ok", "error": None, "provenance": {"source_sha256": digest}},
    }


@pytest.fixture
def jobs_of(tmp_path):
    def make(*names, **columns):
        (tmp_path / "videos").mkdir(exist_ok=True)
        jobs = []
        for name in names:
            path = tmp_path / "videos" / f"{name}.mp4"
            path.write_bytes(name.encode())
            jobs.append(ClipJob(name, path, columns=columns))
        return jobs

    return make


@pytest.fixture
def run(tmp_path):
    def call(jobs, options=OPTIONS, extractor=EXTRACTOR, **settings):
        settings = {"workers": 2, "show_progress": False, **settings}
        return run_extraction(jobs, tmp_path / "out", options, extract=stand_in, extractor=extractor, **settings)

    return call


def rows_of(folder, name="metadata.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def test_rows_stand_in_the_order_of_the_jobs_with_the_columns_of_the_metadata(run, jobs_of, tmp_path):
    summary = run(jobs_of("b", "a", "ñandú", text="Él dijo", signer=None))
    rows = rows_of(tmp_path / "out")
    assert [row["video_id"] for row in rows] == ["b", "a", "ñandú"]
    assert list(rows[0])[:4] == ["video_id", "text", "signer", "video"]
    assert (rows[2]["text"], rows[2]["signer"], rows[2]["video"]) == ("Él dijo", None, "ñandú.mp4")
    assert list(summary.rows) == rows
    assert entries(tmp_path / "out") == ["extraction.json", "keypoints78", "metadata.jsonl", "pose"]
    settings = json.loads((tmp_path / "out" / "extraction.json").read_text())
    assert settings == {**EXTRACTOR, "options": ExtractionOptions().to_dict()}


def test_a_bad_video_a_dead_worker_and_a_bug_stop_no_other_clip(run, jobs_of, tmp_path):
    summary = run(jobs_of("a", "bad", "b", "bug", "c", "dies", "d", "long"))
    status = {row["video_id"]: row["status"] for row in rows_of(tmp_path / "out")}
    assert status == {**dict.fromkeys("abcd", "ok"), **dict.fromkeys(("bad", "bug", "dies", "long"), "error")}
    errors = {row["video_id"]: row["error"] for row in summary.failed}
    assert errors == {
        "bad": "expected a person, found none in 3 frames; leave it out",
        "bug": "IndexError: seven of six",
        "dies": "the process that worked on it died (SIGKILL; it ran out of memory, was ended, or crashed)",
        "long": "expected files that can be read and written, found: File name too long (clip)",
    }
    assert entries(tmp_path / "out") == ["extraction.json", "keypoints78", "metadata.jsonl", "pose"]
    told = summary.describe()
    assert "4 of 8 clips, 4 frames" in told
    assert "4 of 8 clips could not be made:" in told
    assert "found in the frames: person 100%, face 50%, left hand 25%, right hand 0%" in told
    assert "  bad (bad.mp4): expected a person, found none" in told


def test_what_a_dead_worker_left_goes_and_what_others_are_at_stays(tmp_path):
    for name in (".a.12.partial", ".a.b.12.partial", ".hidden"):
        (tmp_path / name).mkdir()
    remove_partial(tmp_path, "a")
    assert entries(tmp_path) == [".a.b.12.partial", ".hidden"]
    remove_partial(tmp_path)
    assert entries(tmp_path) == [".hidden"]


def test_a_staged_clip_is_known_as_such(tmp_path):
    with staged_clip(tmp_path, "a") as staging:
        remove_partial(tmp_path, "a")
        assert not staging.exists()
        (staging / "x").mkdir(parents=True)  # so that it can end


def test_every_worker_has_a_core_of_its_own(run, jobs_of, tmp_path):
    run(jobs_of(*(f"clip{number}" for number in range(6))))
    told = [path.read_text().split() for path in (tmp_path / "out" / "pose").iterdir()]
    core_of = {process: core for process, core, _ in told}
    assert str(os.getpid()) not in core_of
    assert len(core_of) <= 2
    assert set(core_of.values()) <= {"0", "1"}
    assert len(set(core_of.values())) == len(core_of) or os.cpu_count() == 1


def test_one_clip_has_all_cores(run, jobs_of, tmp_path):
    run(jobs_of("only"))
    assert (tmp_path / "out" / "pose" / "only.npz").read_text().split()[1] == "None"


def test_resuming_makes_what_is_missing_failed_or_changed(run, jobs_of, tmp_path):
    out = tmp_path / "out"
    jobs = jobs_of("a", "gone", "changed", "bad", text="x")
    run(jobs)
    before = {path.name: path.read_text() for path in (out / "pose").iterdir()}
    (out / "pose" / "gone.npz").unlink()
    jobs[2].video.write_bytes(b"another video")
    (out / ".a.7.partial").mkdir()
    summary = run([*jobs_of("new"), *jobs], resume=True)
    assert summary.resumed == 1
    assert [row["video_id"] for row in rows_of(out)] == ["new", "a", "gone", "changed", "bad"]
    after = {path.name: path.read_text() for path in (out / "pose").iterdir()}
    assert {name for name in before if after[name] == before[name]} == {"a.npz"}
    assert [row["video_id"] for row in summary.failed] == ["bad"]
    assert entries(out) == ["extraction.json", "keypoints78", "metadata.jsonl", "pose"]


def test_resuming_makes_a_clip_again_whose_crops_are_not_all_there(run, jobs_of, tmp_path):
    out, jobs = tmp_path / "out", jobs_of("a", "b")
    run(jobs)
    rows = [{**row, "frames": {"face": 2, "left_hand": 0, "right_hand": 0, "pose": 60}} for row in rows_of(out)]
    (out / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("a/000000.jpg", "a/000001.jpg", "a/Thumbs.db", "a/._000000.jpg", "b/000000.jpg"):
        (out / "face" / name).parent.mkdir(parents=True, exist_ok=True)
        (out / "face" / name).touch()
    before = {name: (out / "pose" / f"{name}.npz").stat().st_mtime_ns for name in "ab"}
    assert run(jobs, resume=True).resumed == 1
    assert [(out / "pose" / f"{name}.npz").stat().st_mtime_ns > before[name] for name in "ab"] == [False, True]


@pytest.mark.skipif(output_folder.fcntl is None, reason="needs locks of folders (flock)")
def test_a_second_run_into_one_folder_is_refused_and_harms_nothing(run, jobs_of, tmp_path):
    out, jobs = tmp_path / "out", jobs_of("a")
    with prepared_output(out, {"options": {}, **EXTRACTOR}):
        (out / ".a.7.partial").mkdir()  # what the first one is at
        for settings in ({}, {"resume": True}, {"overwrite": True}):
            with pytest.raises(ConfigurationError, match="only run that writes to .*out, found another one at work"):
                run(jobs, **settings)
        assert entries(out) == [".a.7.partial", "extraction.json"]
    run(jobs, overwrite=True)  # it may when the first one has ended
    assert entries(out) == ["extraction.json", "keypoints78", "metadata.jsonl", "pose"]


def test_resuming_takes_new_texts_and_other_times(run, jobs_of, tmp_path):
    jobs = jobs_of("a", "b", text="old")
    run(jobs)
    later = [ClipJob(job.video_id, job.video, columns={"text": "new"}) for job in jobs]
    later[1] = ClipJob("b", jobs[1].video, 1.0, 2.0, {"text": "new"})
    assert run(later, resume=True).resumed == 1
    rows = rows_of(tmp_path / "out")
    assert [(row["text"], row["start"], row["end"]) for row in rows] == [("new", None, None), ("new", 1.0, 2.0)]


def test_a_run_that_was_killed_loses_no_finished_clip(run, jobs_of, tmp_path):
    out, jobs = tmp_path / "out", jobs_of("a", "b")
    run(jobs)
    first = (out / "metadata.jsonl").read_text().splitlines()[0]
    (out / "metadata.jsonl").unlink()
    (out / "metadata.journal.jsonl").write_text(f'{first}\n{{"video_id": "b", "sta')  # cut short by the kill
    made = (out / "pose" / "a.npz").read_text()
    assert run(jobs, resume=True).resumed == 1
    assert [row["video_id"] for row in rows_of(out)] == ["a", "b"]
    assert (out / "pose" / "a.npz").read_text() == made


def test_other_settings_are_named_and_overwriting_begins_again(run, jobs_of, tmp_path):
    jobs = jobs_of("a")
    run(jobs_of("a", "b"))
    other = ExtractionOptions(fps=25.0, image_size=96)
    with pytest.raises(ConfigurationError, match=r"fps None there, 25\.0 now; image_size 224 there, 96 now; use the"):
        run(jobs, other, resume=True)
    with pytest.raises(ConfigurationError, match=r"extractor 'stand_in 1' there, 'stand_in 2' now"):
        run(jobs, extractor={**EXTRACTOR, "extractor_version": "2"}, resume=True)
    run(jobs, other, overwrite=True)
    assert entries(tmp_path / "out" / "pose") == ["a.npz"]
    assert (tmp_path / "out" / "pose" / "a.npz").read_text().endswith("25.0")
    assert len(rows_of(tmp_path / "out")) == 1


def test_a_folder_with_content_is_refused(run, jobs_of, tmp_path):
    jobs = jobs_of("a")
    run(jobs)
    with pytest.raises(ConfigurationError, match="found an extraction in .*add --resume to go on with it, --overwrite"):
        run(jobs)
    with pytest.raises(ConfigurationError, match=r"--resume .* or --overwrite .*, found both"):
        run(jobs, resume=True, overwrite=True)
    (tmp_path / "out" / "extraction.json").unlink()
    with pytest.raises(ConfigurationError, match="found content in"):
        run(jobs)
    with pytest.raises(ConfigurationError, match=r"found other content in"):
        run(jobs, overwrite=True)
    with pytest.raises(ConfigurationError, match=r"found no readable extraction\.json in it"):
        run(jobs, resume=True)
    assert (tmp_path / "out" / "pose" / "a.npz").exists()


def test_a_full_disk_ends_the_run_and_keeps_the_journal(run, jobs_of, tmp_path):
    jobs = jobs_of("a", "full")
    (jobs[0].video).write_bytes(b"0" * 100)  # the longest is first
    with pytest.raises(OSError, match="No space left on device"):
        run(jobs, workers=1)
    assert [row["video_id"] for row in rows_of(tmp_path / "out", "metadata.journal.jsonl")] == ["a"]
    assert not (tmp_path / "out" / "metadata.jsonl").exists()


def test_a_package_that_does_not_load_ends_the_run(run, jobs_of):
    with pytest.raises(MissingDependencyError, match="expected the package 'cv2', found none"):
        run(jobs_of("lacks", "lacks2"))


def test_a_package_that_is_missing_is_told_before_anything_is_written(run, jobs_of, tmp_path, monkeypatch):
    def require():
        raise MissingDependencyError("pip install mediapipe")

    monkeypatch.setattr(corpus_run, "find_spec", lambda name: None)
    monkeypatch.setattr(corpus_run, "require_mediapipe", require)
    with pytest.raises(MissingDependencyError, match="pip install mediapipe"):
        run(jobs_of("a"), extractor=None)
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_ends_its_workers_which_clean_up(run, jobs_of, tmp_path, caplog):
    jobs = jobs_of("a", "slow")
    jobs[0].video.write_bytes(b"0" * 100)
    out, begun = tmp_path / "out", time.monotonic()

    def interrupt(number, frame):
        journal = out / "metadata.journal.jsonl"
        done = journal.exists() and journal.read_text()
        if done and list(out.glob(".slow.*.partial")):
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(jobs, workers=1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begun < 30
    assert [row["video_id"] for row in rows_of(out, "metadata.journal.jsonl")] == ["a"]
    assert not list(out.glob(".slow.*.partial"))
    assert "stopped after 1 of 2 clips; --resume goes on with the others" in caplog.text


def test_the_bar_counts_the_frames_of_clips_that_are_not_at_their_end(run, jobs_of, capfd):
    run(jobs_of("only"), show_progress=True)
    told = capfd.readouterr().err
    assert [f"frames={count}, " in told for count in (25, 50, 60)] == [True, True, False]
    assert "1/1" in told
    assert "frames=4, " in told  # what its row says


@pytest.mark.parametrize("workers", [0, -1])
def test_workers_are_one_or_more(run, jobs_of, workers):
    with pytest.raises(ConfigurationError, match=f"expected --workers of 1 or more, found {workers}"):
        run(jobs_of("a"), workers=workers)


def test_the_longest_videos_are_first_and_the_clips_of_one_by_time(jobs_of):
    short, long = jobs_of("short", "long")
    long.video.write_bytes(b"0" * 10_000_000)
    parts = [ClipJob(f"p{end}", short.video, end - 1.0, end) for end in (9.0, 3.0, 6.0)]
    jobs = [short, *parts, long]
    assert [jobs[position].video_id for position in in_working_order(jobs)] == ["long", "short", "p3.0", "p6.0", "p9.0"]
