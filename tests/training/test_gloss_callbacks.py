"""The log of a gloss run: its line, and its file when a run is resumed."""

import pytest
from transformers import TrainerControl, TrainerState

from hf_slt.errors import ConfigurationError
from hf_slt.training.callbacks import earlier_rows
from hf_slt.training.early_stopping import ResumableEarlyStopping
from hf_slt.training.gloss_callbacks import LOG_COLUMNS, GlossLogCallback
from hf_slt.training.gloss_training_arguments import GlossTrainingArguments


def test_line_of_an_epoch(tmp_path):
    log = GlossLogCallback(tmp_path / "log.csv")
    row = {"epoch": 2.0, "step": 10, "train_loss": 1.25, "eval_loss": 2.0, "train_accuracy": 0.5, "eval_accuracy": 0.25}
    row |= {"eval_top5_accuracy": 0.75, "eval_category_accuracy": 0.9, "learning_rate": 0.0005, "eval_ece": 0.1}
    assert log.format_line(row, 30, 12.4) == (
        "epoch 2/30 | step 10 | train loss 1.250 | val loss 2.000 | train acc 0.500 | val acc 0.250 | top-5 0.750 | "
        "category 0.900 | lr 5.00e-04 | 12 s"
    )
    del row["eval_category_accuracy"], row["learning_rate"]
    assert log.format_line(row, 30, 12.4).endswith("top-5 0.750 | 12 s")


def test_a_resumed_run_writes_the_rows_after_its_checkpoint_again(tmp_path):
    path = tmp_path / "logs" / "log.csv"
    log = GlossLogCallback(path)
    log.on_train_begin(None, TrainerState(is_world_process_zero=True), None)
    assert path.read_text().splitlines() == [",".join(LOG_COLUMNS)]
    rows = [f"{epoch},{10 * epoch},1.5" + "," * (len(LOG_COLUMNS) - 3) for epoch in (1, 2, 3)]
    path.write_text("\n".join([",".join(LOG_COLUMNS), *rows, ""]))
    assert [row["step"] for row in earlier_rows(path, 20)] == ["10", "20"]
    args = GlossTrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    history = [{"step": 20, "loss": 0.7, "learning_rate": 0.1}, {"step": 20, "eval_loss": 1.0}]
    state = TrainerState(is_world_process_zero=True, global_step=20, log_history=history)
    log.on_train_begin(args, state, None)
    assert path.read_text().splitlines() == [",".join(LOG_COLUMNS), *rows[:2]]
    assert log.figures == {"loss": 0.7, "learning_rate": 0.1}
    # The evaluation of step 20 was cut off: its row is about to be written again.
    state = TrainerState(is_world_process_zero=True, global_step=20, log_history=history[:1])
    log.on_train_begin(args, state, None)
    assert path.read_text().splitlines() == [",".join(LOG_COLUMNS), *rows[:1]]
    log.on_train_begin(None, TrainerState(is_world_process_zero=True), None)
    assert path.read_text().splitlines() == [",".join(LOG_COLUMNS)]


def test_other_processes_leave_the_file_alone(tmp_path):
    log = GlossLogCallback(tmp_path / "log.csv")
    log.on_train_begin(None, TrainerState(is_world_process_zero=False), None)
    assert not (tmp_path / "log.csv").exists()


def test_a_file_that_is_no_log_has_no_earlier_rows(tmp_path):
    assert earlier_rows(tmp_path / "none.csv", 5) == []
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert earlier_rows(tmp_path / "other.csv", 5) == []


def test_a_log_that_cannot_be_written_is_told_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("")
    log = GlossLogCallback(tmp_path / "file" / "log.csv")
    with pytest.raises(ConfigurationError, match=r"expected to write .*log\.csv, found: "):
        log.on_train_begin(None, TrainerState(is_world_process_zero=True), None)


def test_early_stop_leaves_the_test_split_alone(tmp_path, caplog):
    args = GlossTrainingArguments(output_dir=str(tmp_path), use_cpu=True, metric_for_best_model="accuracy")
    stop, control = ResumableEarlyStopping(early_stopping_patience=1), TrainerControl()
    state = TrainerState(best_metric=0.5)
    stop.on_evaluate(args, state, control, metrics={"test_accuracy": 0.1})
    assert not control.should_training_stop and not caplog.records
    stop.on_evaluate(args, state, control, metrics={"eval_accuracy": 0.5})
    assert control.should_training_stop
