"""Curves of a training: what the log of either task gives, and logs that cannot be drawn."""

import numpy as np
import pytest
from PIL import Image

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.training_curves import _panels, plot_training_curves, read_train_log

TRANSLATION = (
    "epoch,step,loss,learning_rate,eval_loss,eval_bleu,eval_cer\n1,10,20.0,0.001,,,\n2,20,0.5,0.0005,0.9,12.5,80\n"
)
GLOSS = "epoch,step,train_loss,train_accuracy,eval_loss,learning_rate\n1,5,2.0,0.1,,0.1\n2,10,1.0,0.4,,0.2\n"


@pytest.fixture
def log(tmp_path):
    return tmp_path / "train_log.csv"


@pytest.mark.parametrize(
    ("text", "panels"),
    [
        (
            TRANSLATION,
            {
                "loss": ["loss", "eval_loss"],
                "percent, validation": ["eval_bleu", "eval_cer"],
                "learning rate": ["learning_rate"],
            },
        ),
        (GLOSS, {"loss": ["train_loss"], "share": ["train_accuracy"], "learning rate": ["learning_rate"]}),
    ],
)
def test_each_kind_of_number_has_its_panel_and_empty_columns_have_none(log, text, panels):
    log.write_text(text, encoding="utf-8")
    assert {label: names for label, names, _ in _panels(read_train_log(log))} == panels


def test_cells_without_a_number_are_gaps(log):
    log.write_text(TRANSLATION, encoding="utf-8")
    read = read_train_log(log)
    assert read.steps.tolist() == [10, 20]
    assert np.isnan(read.columns["eval_bleu"][0]) and read.columns["eval_bleu"][1] == 12.5


def test_the_picture_repeats_byte_by_byte(log, tmp_path):
    log.write_text(TRANSLATION, encoding="utf-8")
    for name in ("a.png", "b.png"):
        plot_training_curves(tmp_path / "new" / name, log)
    first, second = ((tmp_path / "new" / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == second
    with Image.open(tmp_path / "new" / "a.png") as image:
        assert min(image.size) > 500


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("epoch,step,loss\n", "found no row"),
        ("epoch,loss\n1,2\n", r"the column 'step' .* found the columns \['epoch', 'loss'\]"),
        ("step,loss\n1,much\n", "could not convert"),
        ("epoch,step,loss\n1,2,\n", "expected losses, scores or learning rates"),
    ],
)
def test_other_files_are_refused(log, tmp_path, text, found):
    log.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=found):
        plot_training_curves(tmp_path / "c.png", log)
    assert not (tmp_path / "c.png").exists()


def test_a_missing_log_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"found .*nowhere\.csv.*No such file"):
        plot_training_curves(tmp_path / "c.png", tmp_path / "nowhere.csv")
