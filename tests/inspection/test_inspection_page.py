"""The page of a corpus: what it says, that nothing in it is markup of others, and that it stays small."""

import re

import pytest
from factories import write_corpus

from hf_slt.data.corpus import CorpusPaths
from hf_slt.errors import ConfigurationError, Problem
from hf_slt.inspection.clip_facts import ClipFacts
from hf_slt.inspection.contact_sheets import SHOTS, ContactSheet, choose_clips, contact_sheet
from hf_slt.inspection.corpus_folder import open_corpus
from hf_slt.inspection.inspect_corpus import draw_sheets, inspect_corpus, read_clips
from hf_slt.inspection.page import format_seconds, render_page

HOLISTIC = {"extractor": "mediapipe_holistic", "extractor_version": "0.10.21"}
EVIL = "<script>alert(1)</script>"


def clip(video_id, **known):
    return ClipFacts(video_id, **{"frames": 10, **known})


@pytest.fixture
def corpus(tmp_path):
    write_corpus(tmp_path / "D", frames=20, missing={("face", "001"): range(1, 20)}, layout="mediapipe_pose")
    return tmp_path / "D"


def test_it_says_what_there_is():
    clips = [
        clip("a", text="uno dos", signer="ana", split="train", seconds=90.0, rates={"face": 1.0}, provenance=HOLISTIC),
        clip("b", text="uno", signer="eva", split="test", seconds=30.0, rates={"face": 0.5}, provenance=HOLISTIC),
    ]
    text = render_page("mine", clips)
    for said in (
        "<title>mine · corpus</title>",
        "2 clips, 2 of them with a text",
        "2.0 min",
        "mediapipe_holistic 0.10.21",
    ):
        assert said in text
    assert re.search(r"<bdi>face</bdi></th><td class=\"number\">2</td><td class=\"number\">75.0 %</td>", text)
    assert "<bdi>uno</bdi> <span>2</span>" in text
    assert 'role="note"' not in text and "pictures of signers" not in text


def test_alarms_name_errors_problems_unused_clips_and_mixed_extractors():
    other = HOLISTIC | {"extractor_version": "0.10.14"}
    clips = [clip("a", split="train", provenance=HOLISTIC), clip("b", provenance=other), clip("c", error="x", frames=0)]
    text = render_page("mine", clips, problems=[Problem("index/train.csv", "ids", "none", "add some")])
    assert "Clips that were not extracted: 1." in text
    assert "Problems of the data contract: 1." in text and "<h3>index/train.csv</h3>" in text
    assert "not of one extractor: mediapipe_holistic 0.10.21 (1), mediapipe_holistic 0.10.14 (1)." in text
    assert "Clips in no split: 2." in text


@pytest.mark.parametrize(
    ("num_worst", "said"),
    [(1, "The first 1 are the worst ones, the others are spread"), (2, "The worst ones first. Grey")],
)
def test_it_says_which_of_the_clips_that_are_shown_are_the_worst(num_worst, said):
    sheets = [(clip(name), ContactSheet([0], {})) for name in "ab"]
    assert said in render_page("mine", [one for one, _ in sheets], sheets, num_worst=num_worst)


def test_nothing_of_the_corpus_is_markup():
    bad = clip(EVIL, text=EVIL, signer=EVIL, split=EVIL, error=EVIL, provenance={"extractor": EVIL})
    shown = clip(EVIL, text=EVIL, signer=EVIL, provenance={"extractor": EVIL})
    problem = Problem(EVIL, EVIL, EVIL, EVIL)
    text = render_page(EVIL, [bad, shown], [(shown, ContactSheet([0], {EVIL: "data:,"}))], [problem], [EVIL])
    assert "<script" not in text and text.count("&lt;script&gt;") > 10


def test_it_needs_neither_network_nor_script(corpus):
    inspect_corpus(corpus, CorpusPaths(), corpus / "page.html", sample=2)
    text = (corpus / "page.html").read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert addresses and all(address.startswith("data:image/") for address in addresses)
    assert "<script" not in text and "url(" not in text and "@import" not in text
    assert text.count("<article>") == 2 and "pictures of signers" in text


def test_the_same_corpus_gives_the_same_page(corpus):
    for name in ("one.html", "two.html"):
        inspect_corpus(corpus, CorpusPaths(), corpus / name)
    assert (corpus / "one.html").read_bytes() == (corpus / "two.html").read_bytes()


def test_a_sheet_shows_frames_of_the_whole_clip_and_which_ones_are_missing(corpus):
    clips = {found.video_id: found for found in read_clips(open_corpus(corpus, CorpusPaths()))}
    sheet = contact_sheet(clips["001"])
    assert len(sheet.frames) == SHOTS and (sheet.frames[0], sheet.frames[-1]) == (0, 19)
    assert list(sheet.strips) == ["face", "left hand", "right hand", "landmarks"]
    assert sheet.size == sum(map(len, sheet.strips.values()))


def test_a_file_that_changed_after_it_was_checked_is_left_out(corpus):
    clips = {found.video_id: found for found in read_clips(open_corpus(corpus, CorpusPaths()))}
    (corpus / "pose" / "vid1.npz").write_bytes(b"no archive")
    for file in (corpus / "face").glob("vid1_f*.jpg"):
        file.unlink()
    assert list(contact_sheet(clips["vid1"]).strips) == ["left hand", "right hand"]


def test_the_page_stays_small(corpus):
    clips = read_clips(open_corpus(corpus, CorpusPaths()))
    size = contact_sheet(clips[0]).size
    sheets, left_out = draw_sheets(clips, largest=size + size // 2)
    assert (len(sheets), left_out) == (1, 3)


def test_half_of_what_is_shown_is_the_worst_and_the_rest_spread_over_the_corpus():
    clips = [clip(f"{number:02}") for number in range(20)]
    broken = clip("broken", frames=0)
    chosen = choose_clips([broken, clips[7], clips[3], clips[1]], [*clips, broken], 4)
    assert [found.video_id for found in chosen] == ["07", "03", "00", "19"]
    assert len(choose_clips([], clips[:3], 24)) == 3


@pytest.mark.parametrize(("seconds", "text"), [(None, "unknown"), (59, "59 s"), (90, "1.5 min"), (9000, "2.5 h")])
def test_lengths_are_written_as_people_do(seconds, text):
    assert format_seconds(seconds) == text
    assert format_seconds(seconds, all_known=False) == ("unknown" if seconds is None else f"over {text}")


def test_raw_landmarks_are_drawn_and_an_empty_corpus_is_an_error(tmp_path):
    paths = write_corpus(tmp_path, streams=("pose",))
    (found, *_) = read_clips(open_corpus(None, CorpusPaths(pose_dir=paths.pose_dir)))
    assert list(contact_sheet(found).strips) == ["landmarks"]
    (tmp_path / "empty" / "pose").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="expected clips in empty, found none"):
        inspect_corpus(tmp_path / "empty", CorpusPaths(), tmp_path / "page.html")
    with pytest.raises(ConfigurationError, match="expected a file for the page, found a folder: .*empty; name a file"):
        inspect_corpus(tmp_path / "empty", CorpusPaths(), tmp_path / "empty")
    with pytest.raises(ConfigurationError, match="expected a --sample of 0 or more clips, found -1"):
        inspect_corpus(tmp_path, CorpusPaths(), tmp_path / "page.html", sample=-1)
    assert not (tmp_path / "page.html").exists()
