"""Pictures and page of an evaluation of a tiny model on clips of all four streams."""

import dataclasses
import re

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
    for reference in ("今天下雨", "今天 下雨"):
        chinese = dataclasses.replace(result, references=[reference] * len(CLIPS), sentences=["今"] * len(CLIPS))
        write_pictures(tmp_path, evaluation, chinese)
    assert [(args[1][0], args[2][0], args[4]) for args in drawn] == [(1, 4, "characters"), (1, 2, "words")]


def test_in_lower_case_case_counts_nowhere(evaluation, result, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(evaluation_report, "plot_risk_coverage", lambda path, coverage, risk, _: drawn.update(r=risk))
    monkeypatch.setattr(evaluation_report, "plot_attention", lambda *args: None)
    monkeypatch.setattr(evaluation_report, "plot_lengths", lambda *args: drawn.update(scores=args[3]))
    shouted = dataclasses.replace(result, sentences=[text.upper() for text in result.references])
    assert shouted.risks.min() > 0
    write_pictures(tmp_path, evaluation, shouted)
    assert drawn["scores"].max() < 100 and min(drawn["r"]) > 0
    lower = dataclasses.replace(shouted, lowercase=True)
    assert lower.risks.tolist() == [0] * len(CLIPS)
    write_pictures(tmp_path, evaluation, lower)
    assert drawn["scores"].tolist() == [100] * len(CLIPS) and set(drawn["r"]) == {0}
    for name, found in (("cased", shouted), ("lower", lower)):
        write_report_page(tmp_path / f"{name}.html", tmp_path, evaluation, found, METRICS)
    cased, lowered = ((tmp_path / f"{name}.html").read_text(encoding="utf-8") for name in ("cased", "lower"))
    assert lowered.count("CER <bdi>0.0 %</bdi>") == lowered.count("chrF <bdi>100.0</bdi>") == len(CLIPS)
    assert "CER <bdi>0.0 %</bdi>" not in cased and "<dd" in lowered
    assert cased.split("<article>")[1].count("<mark>") and not lowered.split("<article>")[1].count("<mark>")
    assert shouted.sentences[0].split()[0] in lowered, "the text is shown as it is"
    evaluation.args.lowercase = True
    assert evaluation.run().lowercase
    evaluation.args.lowercase = False
    assert not evaluation.run().lowercase


def test_scores_of_older_papers_have_a_table_of_their_own(evaluation, result, tmp_path):
    legacy = {"bleu1": 40.0, "bleu4": 12.34, "bleu4_interval": [11.0, 13.5], "rouge_l": 41.0, "wer": 77.0, "chrf": 30.0}
    write_report_page(tmp_path / "r.html", tmp_path, evaluation, result, {**METRICS, "phoenix_legacy": legacy})
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    table = page.split("<h2>As older papers on PHOENIX score")[1].split("</table>")[0]
    assert "lower case, not tokenized" in table and "<td>12.34 [11.00, 13.50]</td>" in table
    assert re.findall('<th scope="col">(.*?)</th>', table) == ["text", "BLEU-1", "BLEU-4", "ROUGE-L", "WER", "chrF"]
    write_report_page(tmp_path / "r.html", tmp_path, evaluation, result, METRICS)
    assert "PHOENIX" not in (tmp_path / "r.html").read_text(encoding="utf-8")
