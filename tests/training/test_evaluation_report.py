"""Pictures and page of an evaluation of a tiny model on clips of all four streams."""

import dataclasses

import numpy as np
import pytest
from factories import CLIPS, write_corpus
from model_factories import tiny_model, tiny_processor, tiny_text_config
from PIL import Image

from hf_slt.data.builder import build_datasets
from hf_slt.data.tokenization import train_unigram_tokenizer
from hf_slt.training import evaluation_report
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.evaluation_loop import Evaluation
from hf_slt.training.evaluation_report import (
    clip_strips,
    token_texts,
    view_clip,
    write_pictures,
    write_report_page,
)
from hf_slt.training.evaluation_result import EvaluationResult

METRICS = {"model": "tiny", "split": "test", "n": len(CLIPS), "bleu": 1.0}


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    corpus = write_corpus(tmp_path_factory.mktemp("corpus"), CLIPS, {"test": list(CLIPS)})
    processor = tiny_processor()
    model = tiny_model(num_pose_landmarks=33, text_config=tiny_text_config(vocab_size=len(processor.tokenizer)))
    dataset = build_datasets(corpus, show_progress=False)[0]["test"]
    args = EvaluationArguments(batch_size=2, num_workers=0, max_new_tokens=4, resamples=0)
    return Evaluation(model, processor, dataset, "pose", args, "13a")


@pytest.fixture
def result(evaluation):
    """A result as a model could have given it: one sentence is right, the others end too early."""
    references = evaluation.dataset["text"][:]
    sentences = [references[0], *(text.split()[0] for text in references[1:])]
    encoded = evaluation.processor.tokenizer(sentences)["input_ids"]
    return EvaluationResult(
        video_ids=evaluation.dataset["video_id"][:],
        sentences=sentences,
        references=references,
        ids=[np.array(ids) for ids in encoded],
        score_per_clip=-np.arange(1.0, 1 + len(references)),
        latencies=[1.0] * len(references),
        loss=1.0,
    )


def test_pictures_and_page_are_written_and_repeat(evaluation, result, tmp_path):
    for name in ("a", "b"):
        folder = tmp_path / name
        files = write_pictures(folder, evaluation, result)
        assert [file.name for file in files] == ["length.png", "risk_coverage.png", "attention.png"]
        (folder / "per_signer.csv").write_text("signer,clips,bleu\nAna,2,3\n")
        write_report_page(folder / "report.html", folder, evaluation, result, METRICS)
    written = [{file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("a", "b")]
    assert written[0] == written[1] and len(written[0]) == 5
    page = written[0]["report.html"].decode()
    assert all(video_id in page for video_id in result.video_ids)
    assert "Risk and coverage" in page and "By signer" in page and "Ana" in page
    for stream in ("face", "left hand", "right hand", "pose"):
        assert page.count(f'alt="{stream} at frames') == len(CLIPS)
    assert page.count('class="weights"') == sum(map(len, result.ids))
    assert "--ablate-streams" in page and "matplotlib" not in page and str(tmp_path) not in page


def test_the_page_says_what_it_has_not(evaluation, result, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation_report, "cross_attention", lambda *args: None)
    result = dataclasses.replace(result, ablation={"all streams": {"bleu": 1.0}, "without face": {"bleu": 0.5}})
    assert [file.name for file in write_pictures(tmp_path / "b", evaluation, result)] == [
        "length.png",
        "risk_coverage.png",
    ]
    write_report_page(tmp_path / "r.html", tmp_path / "none", evaluation, result, METRICS)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Cross-attention: this model gives none" in page and "pip install" in page
    assert 'class="weights"' not in page.split("</style>")[1] and 'alt="face at frames' in page
    assert "without face" in page and "--ablate-streams" not in page


def test_an_answer_that_is_withheld_is_shown_as_such(evaluation, result, tmp_path, monkeypatch):
    chosen = []
    monkeypatch.setattr(evaluation_report, "plot_risk_coverage", lambda *args: chosen.append(args[-1]))
    monkeypatch.setattr(evaluation_report, "plot_lengths", lambda *args: None)
    monkeypatch.setattr(evaluation_report, "plot_attention", lambda *args: None)
    result = dataclasses.replace(result, threshold=-1.5, signers=["Ana"] * len(CLIPS))
    write_pictures(tmp_path, evaluation, result)
    assert chosen == [(1 / len(CLIPS), 0.0)]
    write_pictures(tmp_path, evaluation, dataclasses.replace(result, threshold=1.0))
    assert chosen[1] is None
    write_report_page(tmp_path / "r.html", tmp_path, evaluation, result, METRICS)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.count("withheld") == len(CLIPS) - 1 and page.count("signer <bdi>Ana</bdi>") == len(CLIPS)


def test_a_clip_is_seen_as_the_model_saw_it(evaluation, result):
    view = view_clip(evaluation, result, 0)
    extractor = evaluation.processor.feature_extractor
    row = evaluation.dataset[0]
    assert view.frames.tolist() == extractor.sample_frames(row["n_frames"]).tolist()
    assert view.weights.shape == (len(result.ids[0]), len(view.frames))
    black = dict(view.arrays)
    black["face_pixel_values"] = np.zeros_like(black["face_pixel_values"])  # the mean colour
    black["face_mask"] = np.array([1, 0] + [1] * (len(view.frames) - 2))
    images = {}

    def keep(image, kind="png"):
        images[len(images)] = image
        return ""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation_report, "image_address", keep)
        clip_strips(black, np.array([0, 1]), extractor)
    mean = [round(255 * value) for value in extractor.image_mean]
    assert list(images[0].getpixel((5, 5))) == mean and images[0].getpixel((80, 5)) == (160, 160, 160)
    assert isinstance(images[0], Image.Image) and len(images) == 4


def test_tokens_are_read_as_text():
    tokenizer = train_unigram_tokenizer(CLIPS.values(), vocab_size=80)
    text = next(iter(CLIPS.values()))
    shown = token_texts(tokenizer, tokenizer(text)["input_ids"])
    assert "".join(shown).replace("▁", " ").replace(tokenizer.eos_token, "").strip() == text
    assert shown[-1] == tokenizer.eos_token and shown[0].startswith("▁")


def test_lengths_of_text_without_spaces_are_in_characters(evaluation, result, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(evaluation_report, "plot_risk_coverage", lambda *args: None)
    monkeypatch.setattr(evaluation_report, "plot_attention", lambda *args: None)
    monkeypatch.setattr(evaluation_report, "plot_lengths", lambda *args: drawn.append(args))
    chinese = dataclasses.replace(result, references=["今天 下雨"] * len(CLIPS), sentences=["今"] * len(CLIPS))
    for tokenize in ("zh", "13a"):
        write_pictures(tmp_path, dataclasses.replace(evaluation, tokenize=tokenize), chinese)
    assert [(args[1][0], args[2][0], args[4]) for args in drawn] == [(1, 4, "characters"), (1, 2, "words")]
