"""CTC in the trainer: a part of the training loss, none of the evaluation loss, and its flags."""

from __future__ import annotations

import pytest
import torch
from model_factories import PAD, tiny_batch, tiny_model

from hf_slt.data.tokenization import train_word_tokenizer
from hf_slt.models.multistream.modeling_multistream import sequence_loss
from hf_slt.training.arguments import ModelArguments
from hf_slt.training.build_slt import build_model
from hf_slt.training.trainer import MultiStreamTrainer
from hf_slt.training.training_arguments import SltTrainingArguments

WEIGHT = 0.4


@pytest.fixture
def trainer(tmp_path):
    quiet = {"use_cpu": True, "eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}
    args = SltTrainingArguments(output_dir=str(tmp_path), label_smoothing_factor=0.2, **quiet)
    return MultiStreamTrainer(model=tiny_model(["pose"], ctc_weight=WEIGHT), args=args)


def with_decoder_inputs(batch: dict[str, torch.Tensor], model) -> dict[str, torch.Tensor]:
    return {**batch, "decoder_input_ids": model.prepare_decoder_input_ids_from_labels(batch["labels"])}


def test_training_loss_is_a_mix_of_smoothed_cross_entropy_and_ctc(trainer):
    model = trainer.model.train()
    batch = with_decoder_inputs(tiny_batch(["pose"], lengths=(12, 9)), model)
    outputs = model(**batch)
    expected = (1 - WEIGHT) * sequence_loss(outputs.logits, batch["labels"], None, 0.2) + WEIGHT * outputs.ctc_loss
    torch.testing.assert_close(trainer.compute_loss(model, dict(batch)), expected)
    items = 2 * (batch["labels"] != -100).sum()  # as if the accumulated batch held twice as many labels
    torch.testing.assert_close(trainer.compute_loss(model, dict(batch), num_items_in_batch=items), expected / 2)


def test_evaluation_loss_is_the_decoders_alone(trainer):
    model = trainer.model.eval()
    batch = with_decoder_inputs(tiny_batch(["pose"], lengths=(12, 9)), model)
    loss = trainer.compute_loss(model, dict(batch))
    torch.testing.assert_close(loss, sequence_loss(model(**batch).logits, batch["labels"]))


def test_flags_reach_the_model():
    tokenizer = train_word_tokenizer(["JOHN LIKE MARY"])
    sizes = {"d_model": 16, "temporal_heads": 2, "temporal_layers": 1, "decoder_layers": 1, "decoder_heads": 2}
    model = build_model(ModelArguments(**sizes, ctc_weight=0.3, ctc_decoding_weight=0.6), ("pose",), 3, tokenizer)
    assert (model.config.ctc_weight, model.config.ctc_decoding_weight) == (0.3, 0.6)
    assert model.ctc_head.out_features == len(tokenizer) and tokenizer.pad_token_id == PAD
    assert build_model(ModelArguments(**sizes), ("pose",), 3, tokenizer).ctc_head is None
