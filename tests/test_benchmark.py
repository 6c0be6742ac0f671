"""The benchmark: all sides are the same model on the same clips, and the figures follow from the seconds."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from hf_slt.errors import ConfigurationError, MissingDependencyError

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))  # the scripts import each other as siblings; ONNX Runtime has a `benchmark` too

import benchmark  # noqa: E402
import benchmark_baseline  # noqa: E402
import benchmark_gloss  # noqa: E402
import benchmark_times  # noqa: E402

try:
    import benchmark_export
except MissingDependencyError as error:
    benchmark_export, missing = None, str(error)
else:
    missing = ""
needs_exports = pytest.mark.skipif(bool(missing), reason=f"no export is measured: {missing}")


def plain_name(name: str) -> str:
    """Name of a weight of our model in the plain one."""
    renames = [("attention_norm", "norm1"), ("feed_forward_norm", "norm2"), ("input_norm", "norm")]
    renames += [("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("out_proj", "output")]
    renames += [("feed_forward_in", "feed_forward.0"), ("feed_forward_out", "feed_forward.3"), ("heads.", "")]
    for ours, plain in renames:
        name = name.replace(ours, plain)
    if "norm" in name:
        name = name.replace("weight", "gamma").replace("bias", "beta")
    return name


def test_the_plain_model_is_ours_written_plainly():
    ours, plain = benchmark_gloss.build_model().eval(), benchmark_baseline.PlainTransformer().eval()
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(value.shape, generator=generator) / 8 for name, value in ours.state_dict().items()}
    ours.load_state_dict(weights)
    plain.load_state_dict({plain_name(name): value for name, value in weights.items()})
    assert sum(value.numel() for value in plain.parameters()) == 3_280_371
    values, mask = torch.randn(3, 20, 156, generator=generator), torch.arange(20)[None] < torch.tensor([[20], [7], [1]])
    with torch.inference_mode():
        output = ours(values, mask.long())
        gloss, category = plain(values, mask)
    torch.testing.assert_close(gloss, output.gloss_logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(category, output.category_logits, atol=1e-4, rtol=1e-4)


def test_both_sides_read_the_same_clips(tmp_path):
    files, rows = benchmark_gloss.write_clips(tmp_path / "clips", 5, 156)
    dataset = benchmark_gloss.open_dataset(tmp_path / "clips", rows)
    npz = benchmark_baseline.NpzDataset(files, [row.gloss for row in rows], [row.cat for row in rows])
    assert len(npz) == len(dataset) == 5
    for index in range(5):
        values, label, category = npz[index]
        assert torch.equal(values, torch.tensor(dataset.raw(index).values))
        assert (label, category) == (dataset.labels[index], dataset.category_labels[index])
        assert 60 <= len(values) <= 150
    padded, mask, labels, _ = benchmark_baseline.collate([npz[0], npz[1]])
    assert padded.shape[:2] == mask.shape and mask.sum(dim=1).tolist() == dataset.lengths[:2].tolist()
    assert labels.tolist() == dataset.labels[:2].tolist()


def test_both_sides_learn(tmp_path):
    files, rows = benchmark_gloss.write_clips(tmp_path / "clips", 2, 156)
    dataset = benchmark_gloss.open_dataset(tmp_path / "clips", rows)
    npz = benchmark_baseline.NpzDataset(files, [row.gloss for row in rows], [row.cat for row in rows])
    torch.manual_seed(0)
    plain = benchmark_baseline.PlainTraining(npz, benchmark_baseline.PlainTransformer(), 2, workers=0)
    for training in (plain, benchmark_gloss.Training(dataset, 2, workers=0)):
        losses = [training() for _ in range(6)]
        assert losses[-1] < losses[0] - 0.5, type(training).__name__
    ours = benchmark_gloss.Training(dataset, 1, workers=0)
    assert ours(max_steps=1) > 0 and ours.sampler.epoch == 1


def test_sides_take_turns_and_every_other_round_goes_backwards():
    calls = []
    works = {name: lambda name=name: calls.append(name) for name in "abc"}
    seconds = benchmark.interleave(works, 3)
    assert "".join(calls) == "abc" + "cba" + "abc"
    assert list(seconds) == ["a", "b", "c"] and {len(own) for own in seconds.values()} == {3}


def test_ratios_are_of_the_same_round():
    # the machine slows down threefold in the last round; the ratio stays
    plain, ours = benchmark.summarize("train", {"plain": [1.0, 2.0, 6.0], "hf_slt": [0.5, 0.5, 3.0]}, clips=12)
    assert (plain.rate, plain.rate_low, plain.rate_high) == (6, 2, 12)
    assert (plain.ratio, plain.ratio_low, plain.ratio_high) == (1, 1, 1)
    assert (ours.rate, ours.rate_low, ours.rate_high) == (24, 4, 24)
    assert (ours.ratio, ours.ratio_low, ours.ratio_high) == (2, 2, 4)
    line = benchmark.format_rows([plain, ours]).splitlines()[2]
    assert line.split() == ["train", "hf_slt", "24.0", "(4.0", "-", "24.0)", "2.00", "(2.00", "-", "4.00)"]


@pytest.mark.parametrize(
    ("argv", "sides"),
    [
        (["train"], ["plain", "hf_slt"]),
        (
            ["train", "--bf16", "--compile"],
            ["plain", "hf_slt", "hf_slt, bf16", "hf_slt, compiled", "hf_slt, compiled, bf16"],
        ),
        (["read"], ["plain", "plain, compressed", "hf_slt"] * 2),
        (["infer"], ["plain", "hf_slt"] * 2),
    ],
)
def test_a_quick_run_prints_and_writes_its_figures(tmp_path, capsys, monkeypatch, argv, sides):
    monkeypatch.setattr(torch, "compile", lambda model, dynamic: model)  # compiling takes a minute
    threads = torch.get_num_threads()
    try:
        benchmark.main([*argv, "--quick", "--threads", "1", "--output", str(tmp_path / "b.json")])
    finally:
        torch.set_num_threads(threads)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(sides) + 2 and "2 rounds of 6 clips in turns; threads 1, torch" in lines[-1]
    written = json.loads((tmp_path / "b.json").read_text())
    assert [row["side"] for row in written["rows"]] == sides
    assert all(row["rate_low"] <= row["rate"] <= row["rate_high"] for row in written["rows"])
    assert written["rows"][-1]["ratio"] > 0 and (written["threads"], written["clips"]) == (1, 6)


class Clock:
    """A clock that only moves when work is done."""

    def __init__(self, *seconds: float):
        self.now, self.calls, self.seconds = 0.0, 0, seconds

    def work(self):
        self.now += self.seconds[min(self.calls, len(self.seconds) - 1)]
        self.calls += 1


@pytest.mark.parametrize(
    ("seconds", "calls", "expected"),
    [
        ((0.03,), 1 + 4, 0.03),  # a quarter of the turn that is not counted, then calls for all of it
        ((5.0, 0.01), 1 + 11, 0.01),  # threads that are still busy slow the first call
        ((2.0,), 1 + 1, 2.0),
    ],
)
def test_a_turn_counts_what_comes_after_its_first_quarter(monkeypatch, seconds, calls, expected):
    clock = Clock(*seconds)
    monkeypatch.setattr(benchmark_times.time, "perf_counter", lambda: clock.now)
    assert benchmark_times.time_turn(clock.work, seconds=0.105) == pytest.approx(expected)
    assert clock.calls == calls


def test_interleave_times_a_side_as_it_is_told_to():
    works = {"a": lambda: 1, "b": lambda: 2}
    assert benchmark.interleave(works, 2, lambda work: 10 * work()) == {"a": [10, 10], "b": [20, 20]}


def test_times_are_of_a_clip_and_divided_by_the_side_they_are_beside():
    case = benchmark_times.Case("mine", "greedy", 64, 2)
    # the machine slows down threefold in the last round; the ratios stay
    seconds = {"torch": [0.4, 0.8, 2.4], "onnx": [0.2, 0.2, 1.2], "int8": [0.1, 0.1, 0.3]}
    rows = benchmark_times.summarize_times(case, seconds, clips=2)
    torch_row, onnx, int8 = rows
    assert (torch_row.ms, torch_row.ms_low, torch_row.ms_high) == pytest.approx((400, 200, 1200))
    assert torch_row.beside is None and torch_row.ratio is None
    assert (onnx.beside, onnx.ratio, onnx.ratio_low, onnx.ratio_high) == ("torch", 0.5, 0.25, 0.5)
    assert (int8.beside, int8.ratio, int8.ratio_low, int8.ratio_high) == ("onnx", 0.5, pytest.approx(0.25), 0.5)
    line = benchmark_times.format_times(rows)
    expected = "mine greedy 64 2 400.00 100.00 0.50 (0.25 - 0.50) 50.00 0.50 (0.25 - 0.50)"
    assert line.split() == expected.split()
    header = benchmark_times.format_header()
    ends = [header.index(word) + len(word) for word in ("frames", "threads", "torch, ms", "onnx, ms", "int8, ms")]
    assert [line[:end].split()[-1] for end in ends] == ["64", "2", "400.00", "100.00", "50.00"]


@needs_exports
def test_a_quick_run_measures_exports_that_compute_what_the_models_do(tmp_path, capsys, monkeypatch):
    outputs, interleave = {}, benchmark.interleave

    def record(works, *args):
        outputs[len(outputs)] = {side: work() for side, work in works.items()}
        return interleave(works, *args)

    monkeypatch.setattr(benchmark, "interleave", record)
    monkeypatch.setattr(benchmark, "QUICK_EXPORT", {**benchmark.QUICK_EXPORT, "frames": [5]})
    threads = torch.get_num_threads()
    try:
        benchmark.main(["export", "--quick", "--threads", "1", "--batch-size", "2", "--output", str(tmp_path / "b")])
    finally:
        torch.set_num_threads(threads)
    encoder, greedy, beams, classify = outputs.values()
    for own in (encoder, classify):
        torch.testing.assert_close(own["onnx"][0], own["torch"][0], atol=1e-4, rtol=1e-4)
        assert 0 < (own["int8"][0] - own["onnx"][0]).abs().max() < 0.5  # really another model
    for own in (greedy, beams):
        assert torch.equal(own["onnx"], own["torch"])
        assert own["int8"].shape == own["torch"].shape == (2, 1 + 3)

    written = json.loads((tmp_path / "b").read_text())
    assert [row["side"] for row in written["rows"]] == ["torch", "onnx", "int8"] * 4
    cases = [tuple(row["case"].values()) for row in written["rows"][::3]]
    names = [("translation, pose", work) for work in ("encoder", "greedy", "4 beams")]
    assert cases == [(*name, 5, 1) for name in (*names, ("sign_transformer", "classify"))]
    assert all(row["ms_low"] <= row["ms"] <= row["ms_high"] for row in written["rows"])
    assert [size["model"] for size in written["sizes"]] == ["translation, pose", "sign_transformer"]
    assert all(size["onnx"] > 0 and size["torch"] > 0 for size in written["sizes"])
    assert (written["new_tokens"], written["threads"], written["torch"]) == (3, [1], torch.__version__)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("model") and len(lines) == 1 + 4 + 1 + 3 + 1 + 2
    assert lines[-2].startswith("ms a clip in batches of 2, median of 2 rounds") and "random weights" in lines[-1]


@needs_exports
def test_trained_models_are_measured_in_place_of_random_ones(tmp_path):
    model = benchmark_export.save_random({"tiny": benchmark_export.quick_configs()["sign_transformer"]}, tmp_path)
    args = benchmark.parse(["export", "--checkpoint", str(model["tiny"]), "--threads", "1", "--frames", "3", "4"])
    (exported,) = benchmark_export.open_models(args, tmp_path / "exports")
    assert exported.sizes.model == model["tiny"].name
    assert exported.sizes.onnx == pytest.approx((tmp_path / "exports" / "0" / "model.onnx").stat().st_size / 1e6)
    assert exported.sizes.torch == pytest.approx((model["tiny"] / "model.safetensors").stat().st_size / 1e6)
    cases = [case for case, _ in benchmark_export.export_cases(args, exported)]
    assert [(case.work, case.frames, case.threads) for case in cases] == [("classify", 3, 1), ("classify", 4, 1)]
    args.checkpoint = [str(tmp_path)]
    with pytest.raises(ConfigurationError, match="expected a trained model in --checkpoint, found no config.json"):
        next(benchmark_export.open_models(args, tmp_path / "none"))


@needs_exports
def test_random_models_are_the_same_ones_each_time(tmp_path):
    configs = {"tiny": benchmark_export.quick_configs()["sign_transformer"]}
    files = []
    for number in range(2):
        torch.manual_seed(number)
        files.append(benchmark_export.save_random(configs, tmp_path / str(number))["tiny"] / "model.safetensors")
    assert files[0].read_bytes() == files[1].read_bytes()


@needs_exports
def test_the_models_of_the_table_have_default_sizes():
    configs = benchmark_export.default_configs()
    pose, images, *classifiers = configs.values()
    assert pose.to_diff_dict() == type(pose)(streams=["pose"]).to_diff_dict()
    assert images.streams == ["face", "left_hand", "right_hand", "pose"] and images.image_size == 96
    families = ["sign_transformer", "conv_transformer", "inception_gru"]
    assert [config.model_type for config in classifiers] == families
    assert all(config.to_dict() == type(config)().to_dict() for config in classifiers)


def test_the_defaults_of_an_export_run():
    args = benchmark.parse(["export"])
    assert (args.threads, args.frames, args.batch_size, args.new_tokens) == ([1, 2], [16, 32, 64, 128], 1, 24)
    assert args.checkpoint is None and args.turn_seconds == 0.2


def test_counts_below_one_are_refused():
    with pytest.raises(ConfigurationError, match="expected threads, frames, new_tokens of 1 or more"):
        benchmark.parse(["export", "--threads", "1", "0", "--frames", "-3", "--new-tokens", "0"])
    with pytest.raises(ConfigurationError, match="expected clips, rounds of 1 or more"):
        benchmark.parse(["read", "--clips", "0", "--rounds", "-1"])
    with pytest.raises(ConfigurationError, match="expected num_workers of 0 or more, found -1"):
        benchmark.parse(["train", "--num-workers", "-1"])


def test_help_is_instant():
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, SCRIPTS / "benchmark.py", "train", "--help"], check=True, capture_output=True, text=True
    )
    assert time.perf_counter() - start < 4 and "--compile" in done.stdout and "--bf16" in done.stdout
