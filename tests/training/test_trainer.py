"""The trainer: raw references, loss, accumulation, stock classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from factories import write_corpus
from model_factories import tiny_model, tiny_processor, tiny_text_config
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, TrainerState
from transformers.trainer_utils import EvalPrediction

from hf_slt.data.builder import build_datasets
from hf_slt.data.clip_transform import ClipTransform
from hf_slt.data.collator import DataCollatorForMultiStream
from hf_slt.data.corpus import CorpusPaths
from hf_slt.data.epoch import SharedEpoch
from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.metrics import TranslationMetric
from hf_slt.models.multistream.modeling_multistream import sequence_loss
from hf_slt.training.build_slt import text_encoder
from hf_slt.training.callbacks import EpochCallback
from hf_slt.training.run_checks import check_splits
from hf_slt.training.trainer import MultiStreamTrainer, reference_sentences
from hf_slt.training.training_arguments import SltTrainingArguments

TEXTS = ["¿Dónde está el niño?", "Él come pan.", "La casa es grande.", "日本語 no está."]  # the last one becomes <unk>


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    clips = {f"clip{i}": TEXTS[i % 4] + " se" * (i % 3) for i in range(8)}
    paths = write_corpus(tmp_path_factory.mktemp("corpus"), clips, streams=("pose",))
    return build_datasets(paths, show_progress=False)[0]["train"]


@pytest.fixture(scope="module")
def processor():
    return tiny_processor(("pose",))


def make_model(processor):
    text_config = tiny_text_config(vocab_size=len(processor.tokenizer))
    model = tiny_model(("pose",), num_pose_landmarks=33, text_config=text_config)
    model.generation_config.max_length = 8
    return model


def make_parts(processor, corpus):
    data = corpus.with_transform(ClipTransform(processor.feature_extractor, text_encoder(processor.tokenizer, 32)))
    return data, DataCollatorForMultiStream(processor.feature_extractor.pad, 0, 0)


def make_trainer(processor, corpus, folder, **options):
    data, collator = make_parts(processor, corpus)
    values = {"report_to": "none", "use_cpu": True, "disable_tqdm": True, "dataloader_num_workers": 0, **options}
    values = {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False, **values}
    return MultiStreamTrainer(
        model=make_model(processor),
        args=SltTrainingArguments(output_dir=str(folder), **values),
        train_dataset=data,
        eval_dataset=data,
        data_collator=collator,
        processing_class=processor.tokenizer,
    )


def test_references_are_the_raw_sentences(processor, corpus, tmp_path):
    decoded = processor.tokenizer.decode(processor.tokenizer(TEXTS[3])["input_ids"], skip_special_tokens=True)
    assert "日" not in decoded  # a decode of the label ids would have lost it
    trainer = make_trainer(processor, corpus, tmp_path)
    metrics = trainer.evaluate()
    assert trainer.last_references == corpus["text"][:] and trainer.last_references[3] == TEXTS[3]
    assert reference_sentences(trainer.eval_dataset) == corpus["text"][:]
    assert len(trainer.last_predictions) == 8
    names = ("loss", "bleu", "bleu1", "bleu2", "bleu3", "bleu4", "chrf", "cer", "wer", "signature")
    assert all(f"eval_{name}" in metrics for name in names) and metrics["eval_cer"] > 0


def test_scores_are_those_of_the_decoded_tokens(processor, corpus, tmp_path):
    trainer = make_trainer(processor, corpus, tmp_path)
    references = corpus["text"][:3]
    ids = np.array(processor.tokenizer(references, padding=True)["input_ids"])
    padded = EvalPrediction(predictions=np.where(ids == 0, -100, ids), label_ids=None)
    trainer.last_references = references
    scores = trainer._score(padded)
    assert trainer.last_predictions == references and (scores["cer"], scores["exact_match"]) == (0, 100)
    trainer.last_references = references[::-1]
    assert trainer._score(padded)["wer"] > 50
    trainer.last_references = references[:1]
    with pytest.raises(ConfigurationError, match="found 3 generated for 1 clips"):
        trainer._score(padded)


def test_every_data_set_is_read_by_workers_of_its_own(processor, corpus, tmp_path):
    options = {"dataloader_num_workers": 1, "dataloader_persistent_workers": True}
    trainer = make_trainer(processor, corpus.select(range(2)), tmp_path, **options)
    other, _ = make_parts(processor, corpus.select(range(3, 8)))
    for data in (trainer.eval_dataset, other):
        assert trainer.get_eval_dataloader(data).dataset is data
        assert trainer.get_eval_dataloader(data) is trainer.get_eval_dataloader(data)


def test_label_smoothing_is_in_the_training_loss_only(processor, corpus, tmp_path):
    plain = make_trainer(processor, corpus, tmp_path)
    smooth = make_trainer(processor, corpus, tmp_path, label_smoothing_factor=0.3)
    assert smooth.evaluate()["eval_loss"] == pytest.approx(plain.evaluate()["eval_loss"], abs=1e-6)
    batch = smooth.data_collator([smooth.train_dataset[i] for i in range(3)])
    model = smooth.model.train()
    logits = model(**batch).logits
    expected = sequence_loss(logits, batch["labels"], label_smoothing=0.3)
    assert torch.allclose(smooth.compute_loss(model, dict(batch)), expected)
    assert not torch.allclose(expected, sequence_loss(logits, batch["labels"]))
    assert torch.allclose(smooth.compute_loss(model.eval(), dict(batch)), sequence_loss(logits, batch["labels"]))


def test_accumulated_batches_train_like_one_large_batch(processor, corpus, tmp_path):
    weights, losses = [], []
    for size, steps in ((8, 1), (4, 2), (1, 8)):
        options = {"per_device_train_batch_size": size, "gradient_accumulation_steps": steps, "max_steps": 1}
        trainer = make_trainer(processor, corpus, tmp_path, optim="sgd", learning_rate=0.5, warmup_ratio=0.0, **options)
        before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
        losses.append(trainer.train().training_loss)
        weights.append(trainer.model.state_dict())
    moved = max((value - before[name]).abs().max() for name, value in weights[0].items())
    assert moved > 1e-3
    for other, loss in zip(weights[1:], losses[1:], strict=True):
        assert loss == pytest.approx(losses[0], abs=1e-4)
        assert all(torch.allclose(value, weights[0][name], atol=1e-5) for name, value in other.items())


def test_stock_trainer_evaluates_and_trains(processor, corpus, tmp_path):
    data, collator = make_parts(processor, corpus)
    references = corpus["text"][:]

    def compute_metrics(prediction):
        tokens = np.where(prediction.predictions < 0, 0, prediction.predictions)
        sentences = processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return TranslationMetric().compute(predictions=sentences, references=references)

    args = Seq2SeqTrainingArguments(
        output_dir=str(tmp_path),
        remove_unused_columns=False,
        predict_with_generate=True,
        label_smoothing_factor=0.1,
        max_steps=2,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
    )
    trainer = Seq2SeqTrainer(
        make_model(processor), args, train_dataset=data, eval_dataset=data, data_collator=collator,
        compute_metrics=compute_metrics,
    )  # fmt: skip
    assert np.isfinite(trainer.train().training_loss)
    metrics = trainer.evaluate()
    assert metrics["eval_chrf"] >= 0 and "tok:13a" in metrics["eval_signature"] and np.isfinite(metrics["eval_loss"])


@pytest.mark.parametrize(("state", "epoch"), [(None, 0), (0.0, 0), (1.0, 1), (2.9999999, 3), (2.5, 2)])
def test_epoch_callback_tells_the_running_epoch(state, epoch):
    counter = SharedEpoch()
    EpochCallback(counter).on_epoch_begin(None, TrainerState(epoch=state), None)
    assert counter.value == epoch


def test_a_validation_split_is_needed_unless_nothing_is_evaluated():
    paths = CorpusPaths(indexes={"train": Path("train.csv")})
    check_splits(paths, needs_validation=False)
    with pytest.raises(ConfigurationError, match=r"expected --val-index \(or --demo\), found none"):
        check_splits(paths)
