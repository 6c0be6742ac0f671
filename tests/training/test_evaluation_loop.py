"""The loop of an evaluation: what it translates, what it times, and the loss."""

from types import SimpleNamespace

import pytest
import torch
from factories import CLIPS, write_corpus
from model_factories import tiny_model, tiny_processor, tiny_text_config

from hf_slt.data.builder import build_datasets
from hf_slt.models.multistream.decoding import generated_targets
from hf_slt.training import evaluation_loop
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.evaluation_loop import Evaluation


@pytest.fixture
def evaluation(tmp_path):
    """An evaluation of a tiny pose model on four clips, in batches of three and one."""
    corpus = write_corpus(tmp_path, CLIPS, {"test": list(CLIPS)}, streams=("pose",))
    processor = tiny_processor(("pose",))
    text_config = tiny_text_config(vocab_size=len(processor.tokenizer))
    model = tiny_model(("pose",), gain=30.0, num_pose_landmarks=33, text_config=text_config)
    dataset = build_datasets(corpus, show_progress=False)[0]["test"]
    args = EvaluationArguments(batch_size=3, num_workers=0, max_new_tokens=6, num_beams=2, resamples=0)
    return Evaluation(model, processor, dataset, "pose", args, "13a")


@pytest.fixture
def calls(evaluation, monkeypatch):
    """What `generate` is called with, batch by batch."""
    seen = []
    generate = evaluation.model.generate

    def remember(**kwargs):
        autocast = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        seen.append((len(kwargs["attention_mask"]), kwargs.get("num_beams"), kwargs.get("max_new_tokens"), autocast))
        assert not {"labels", "decoder_input_ids", "length_penalty"} & set(kwargs)
        return generate(**kwargs)

    monkeypatch.setattr(evaluation.model, "generate", remember)
    return seen


def test_sentences_are_those_of_each_clip_alone_and_the_loss_is_that_of_a_token(evaluation):
    result = evaluation.run()
    assert len(result.sentences) == len(result.latencies) == 4
    assert (result.video_ids, result.references) == (list(CLIPS), list(CLIPS.values())) and result.signers is None
    evaluation.args.batch_size = 1
    alone, loss = evaluation.run(), result.loss
    assert alone.sentences == result.sentences and loss == pytest.approx(alone.loss, abs=1e-5)
    assert all((left == right).all() for left, right in zip(alone.ids, result.ids, strict=True))
    assert alone.score_per_clip == pytest.approx(result.score_per_clip, abs=1.1e-4)
    total, count = 0.0, 0
    for batch in evaluation._loader(()):
        with torch.no_grad():
            logits = evaluation.model(**batch).logits[0].log_softmax(dim=-1)
        labels = batch["labels"][0]
        total -= float(logits[range(len(labels)), labels].sum())
        count += len(labels)
    assert loss == pytest.approx(total / count, abs=1e-5)


def test_scores_of_older_papers_have_intervals_of_their_own_scores(evaluation):
    texts = list(CLIPS.values())
    assert not [name for name in evaluation.phoenix_legacy(texts, texts) if name.endswith("_interval")]
    evaluation.args.resamples = 20
    scores = evaluation.phoenix_legacy([text.upper() for text in texts], texts)
    names = ["bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "wer", "chrf"]
    assert list(scores) == [*names, "signature", *(f"{name}_interval" for name in names)]
    assert scores["rouge_l_interval"] == [100, 100] and scores["wer_interval"] == [0, 0]
    wrong = evaluation.phoenix_legacy([texts[0], *(["-"] * 3)], texts)
    assert wrong["wer_interval"][0] < wrong["wer"] < wrong["wer_interval"][1]


def test_the_first_batch_is_warmed_up_once_and_only_if_asked_for(evaluation, calls):
    evaluation.run(warm_up=True)
    assert [size for size, *_ in calls] == [3, 3, 1]
    calls.clear()
    evaluation.run()
    assert calls == [(3, 2, 6, None), (1, 2, 6, None)]


def test_latency_is_the_time_of_a_batch_over_its_clips_without_the_warm_up(evaluation, monkeypatch):
    ticks = iter([0.0, 9.0, 10.0, 10.6, 20.0, 20.5])  # seconds: the warm-up takes 9, the batches 0.6 and 0.5
    monkeypatch.setattr(evaluation_loop, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    latencies = evaluation.run(warm_up=True).latencies
    assert latencies == pytest.approx([200, 200, 200, 500])
    assert next(ticks, None) is None


def test_autocast_is_on_where_the_model_computes(evaluation, calls):
    loss = evaluation.run().loss
    evaluation.dtype = torch.bfloat16
    assert evaluation.run().loss == pytest.approx(loss, rel=0.02)
    assert [autocast for *_, autocast in calls] == [None, None, torch.bfloat16, torch.bfloat16]
    assert not torch.is_autocast_enabled("cpu")


def test_blanked_streams_change_what_is_said(evaluation):
    assert evaluation.run().loss != pytest.approx(evaluation.run(["pose"]).loss, abs=1e-4)


def test_the_score_of_a_clip_is_the_mean_log_probability_of_its_generated_tokens(evaluation):
    result = evaluation.run()
    evaluation.args.batch_size = 1
    model, eos = evaluation.model, evaluation.model.generation_config.eos_token_id
    for index, batch in enumerate(evaluation._loader(())):
        ids = result.ids[index].tolist()
        assert eos not in ids[:-1] and 1 <= len(ids) <= 6
        inputs = {name: value for name, value in batch.items() if name not in ("labels", "decoder_input_ids")}
        start = model.config.decoder_start_token_id
        total = 0.0
        for step, token in enumerate(ids):  # one token after the other, as generation goes
            with torch.no_grad():
                logits = model(**inputs, decoder_input_ids=torch.tensor([[start, *ids[:step]]])).logits
            total += float(logits[0, -1].log_softmax(dim=-1)[token])
        assert result.score_per_clip[index] == pytest.approx(total / len(ids), abs=1e-4)


def test_targets_end_with_the_first_end_and_have_no_start():
    ids = torch.tensor([[0, 5, 1, 0, 0], [0, 5, 6, 7, 8], [0, 1, 0, 0, 0], [0, 0, 0, 2, 1]])
    expected = [[5, 1, -100, -100], [5, 6, 7, 8], [1, -100, -100, -100], [0, 0, 2, 1]]
    assert generated_targets(ids, 1).tolist() == expected
    expected[3] = [0, 0, 2, -100]
    assert generated_targets(ids, [1, 2]).tolist() == expected
    assert generated_targets(ids, None).tolist() == ids[:, 1:].tolist()


def test_tokens_that_may_not_come_twice_do_not(evaluation):
    evaluation.args.max_new_tokens, evaluation.args.num_beams = 12, 1
    evaluation.model.generation_config.eos_token_id = None
    pairs = [list(zip(ids, ids[1:], strict=False)) for ids in evaluation.run().ids]
    assert any(len(set(found)) < len(found) for found in pairs), "the tiny model has to repeat itself"
    evaluation.args.no_repeat_ngram_size = 2
    pairs = [list(zip(ids, ids[1:], strict=False)) for ids in evaluation.run().ids]
    assert all(len(set(found)) == len(found) for found in pairs)
