"""Which clips are made of which videos."""

import logging

import pytest

from hf_slt.errors import DataContractError, VideoError
from hf_slt.extraction.jobs import plan_jobs


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    for name in ("b.mp4", "deep/a.webm", "news.mkv", "notes.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def metadata(tmp_path, *lines):
    path = tmp_path / "meta.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_every_video_of_a_folder_is_a_clip_by_its_name(videos):
    jobs = plan_jobs(videos)
    assert [(job.video_id, job.video, job.start, job.end) for job in jobs] == [
        ("a", videos / "deep/a.webm", None, None),
        ("b", videos / "b.mp4", None, None),
        ("news", videos / "news.mkv", None, None),
    ]
    (alone,) = plan_jobs(videos / "b.mp4")
    assert (alone.video_id, alone.video) == ("b", videos / "b.mp4")


def test_names_that_clash_and_names_that_are_no_ids_are_all_listed(videos):
    for name in ("deep/b.gif", "deep/news.mp4", "x..y.mp4"):
        (videos / name).write_bytes(b"x")
    with pytest.raises(VideoError, match="the videos make no clip ids: 3 problems") as raised:
        plan_jobs(videos)
    assert [problem.where for problem in raised.value.problems] == [
        "clip 'b'",
        "clip 'news'",
        str(videos / "x..y.mp4"),
    ]
    assert raised.value.problems[0].found == f"2 files: {videos / 'b.mp4'}, {videos / 'deep/b.gif'}"


def test_rows_are_clips_of_their_videos_with_their_columns(videos, tmp_path):
    rows = ["c1;Él dijo;Ana;news;1,5;6.299.999.999", "c2;más;;news.mkv;6,3;9", "b;todo;Eva;;;", "c3;y;;deep/a;;2"]
    jobs = plan_jobs(videos, metadata(tmp_path, "id;text;signer;video;start;end", *rows))
    assert [(job.video_id, job.video.name, job.start, job.end) for job in jobs] == [
        ("c1", "news.mkv", 1.5, pytest.approx(6.3)),
        ("c2", "news.mkv", 6.3, 9.0),
        ("b", "b.mp4", None, None),
        ("c3", "a.webm", None, 2.0),
    ]
    assert jobs[0].columns == {"text": "Él dijo", "signer": "Ana"}
    assert jobs[1].columns == {"text": "más", "signer": None}


def test_what_the_extraction_measures_is_not_taken_from_the_metadata(videos, tmp_path):
    (job,) = plan_jobs(videos, metadata(tmp_path, "id,text,fps,frame_count,duration,split", "b,x,25,99,4.5,train"))
    assert job.columns == {"text": "x", "duration": 4.5, "split": "train"}


def test_rows_without_their_video_are_all_listed_or_left_out(videos, tmp_path, caplog):
    rows = ["c1,x,gone", "c2,x,gone", "c3,x,lost.mp4", "b,x,"]
    path = metadata(tmp_path, "id,text,video", *rows)
    with pytest.raises(VideoError, match="3 of 4 rows have no video: 1 problem") as raised:
        plan_jobs(videos, path)
    (problem,) = raised.value.problems
    assert problem.expected == f"a video of each of these names in {videos}"
    assert problem.found.split("\n        no ") == ["", "gone (2 rows: c1, c2)", "lost.mp4 (1 rows: c3)"]
    assert "--skip-missing" in str(raised.value)
    with caplog.at_level(logging.INFO):
        jobs = plan_jobs(videos, path, skip_missing=True)
    assert [job.video_id for job in jobs] == ["b"]
    assert "3 of 4 rows are left out: their videos are not there (gone, lost.mp4)" in caplog.text
    assert "2 of 3 videos are in no row" in caplog.text


def test_accents_match_however_they_are_encoded(videos, tmp_path):
    (videos / "sen\u0303al.mp4").write_bytes(b"x")  # as macOS writes it
    (videos / "a\u00f1o.mp4").write_bytes(b"x")
    jobs = plan_jobs(videos, metadata(tmp_path, "id,text,video", "se\u00f1al,x,", "d,y,an\u0303o.mp4"))
    assert [(job.video_id, job.video.name) for job in jobs] == [
        ("se\u00f1al", "sen\u0303al.mp4"),
        ("d", "a\u00f1o.mp4"),
    ]


def test_a_time_that_is_no_number_does_not_cut_another_part(videos, tmp_path):
    table = metadata(tmp_path, "video_id,text,video,start,end", "x,t,a,abc,2", "y,t,a,1,", "z,t,a,1,soon")
    with pytest.raises(DataContractError, match="cannot be used: 2 problems") as caught:
        plan_jobs(videos, table)
    assert [problem.expected for problem in caught.value.problems] == ["seconds as start", "seconds as end"]
    assert "clip 'x'" in str(caught.value) and "found:    'soon'" in str(caught.value)


def test_leaving_out_all_rows_is_still_an_error(videos, tmp_path):
    with pytest.raises(VideoError, match="1 of 1 rows have no video"):
        plan_jobs(videos, metadata(tmp_path, "id,text", "gone,x"), skip_missing=True)


def test_a_name_of_two_videos_has_to_be_a_path(videos, tmp_path):
    (videos / "deep/b.gif").write_bytes(b"x")
    with pytest.raises(VideoError, match="write the path below the folder") as raised:
        plan_jobs(videos, metadata(tmp_path, "id,text,video", "c,x,b", "d,x,b.mp4"))
    assert len(raised.value.problems) == 1
    jobs = plan_jobs(videos, metadata(tmp_path, "id,text,video", "c,x,deep/b", "d,x,b.mp4"))
    assert [job.video.name for job in jobs] == ["b.gif", "b.mp4"]
    (videos / "deep/b.mp4").write_bytes(b"x")
    jobs = plan_jobs(videos, metadata(tmp_path, "id,text,video", "c,x,deep/b.mp4", "d,x,b.mp4", "e,x,./b.mp4"))
    assert [job.video for job in jobs] == [videos / "deep/b.mp4", videos / "b.mp4", videos / "b.mp4"]


def test_metadata_that_cannot_be_read_says_so(videos, tmp_path):
    with pytest.raises(DataContractError, match="twice|again"):
        plan_jobs(videos, metadata(tmp_path, "id,text", "b,x", "b,y"))
    with pytest.raises(DataContractError, match="a column 'texto' or 'text'"):
        plan_jobs(videos, metadata(tmp_path, "id,sentence", "b,x"))
    (job,) = plan_jobs(videos, metadata(tmp_path, "name,sentence", "b,x"), id_column="name", text_column="sentence")
    assert (job.video_id, job.columns) == ("b", {"text": "x"})


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_no_videos_is_an_error(tmp_path, make):
    make(tmp_path / "none")
    with pytest.raises(VideoError, match=r"found: +(nothing there|none in it)"):
        plan_jobs(tmp_path / "none")
