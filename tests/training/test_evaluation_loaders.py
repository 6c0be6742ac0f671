"""Loaders of training and evaluation: what is dropped for training is scored all the same."""

import pytest
from run_factories import gloss_report, gloss_trainer, translation_parts, translation_trainer

from hf_slt.errors import ConfigurationError


def test_every_gloss_clip_is_scored_when_training_drops_the_rest(tmp_path):
    report = gloss_report(tmp_path / "corpus")
    options = {"dataloader_drop_last": True, "per_device_train_batch_size": 5, "per_device_eval_batch_size": 3}
    trainer = gloss_trainer(report, tmp_path / "run", **options)
    trainer.train()
    assert trainer.state.global_step == 2 * (16 // 5) and len(trainer.last_output.label_ids[0]) == 4
    assert trainer.args.dataloader_drop_last


def test_every_sentence_is_scored_when_training_drops_the_rest(tmp_path):
    parts = translation_parts(tmp_path / "corpus")
    options = {"dataloader_drop_last": True, "per_device_eval_batch_size": 3}
    trainer = translation_trainer(parts, tmp_path / "run", **options)
    trainer.evaluate()
    assert len(trainer.last_predictions) == len(parts[0]) == 8


def test_not_one_whole_batch(tmp_path):
    trainer = gloss_trainer(
        gloss_report(tmp_path / "corpus"), tmp_path / "run", dataloader_drop_last=True, per_device_train_batch_size=17
    )
    with pytest.raises(
        ConfigurationError, match="whole batch with --dataloader_drop_last true, found 16 for batches of 17"
    ):
        trainer.train()
