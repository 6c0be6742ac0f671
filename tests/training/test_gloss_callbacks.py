"""The log of a gloss run: its line, and its file when a run is resumed."""

from transformers import TrainerState

from hf_slt.training.callbacks import earlier_rows
from hf_slt.training.gloss_callbacks import LOG_COLUMNS, GlossLogCallback


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
    log.on_train_begin(None, TrainerState(is_world_process_zero=True, global_step=20), None)
    assert path.read_text().splitlines() == [",".join(LOG_COLUMNS), *rows[:2]]
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
