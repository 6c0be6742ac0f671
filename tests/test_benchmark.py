"""The benchmark: both sides are the same model on the same clips, and the figures follow from the seconds."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from hf_slt.errors import ConfigurationError

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.append(str(SCRIPTS))  # the scripts import each other as siblings

import benchmark  # noqa: E402
import benchmark_baseline  # noqa: E402
import benchmark_gloss  # noqa: E402


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


def test_counts_below_one_are_refused():
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
