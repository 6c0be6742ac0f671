"""Arguments of an evaluation: one or several checkpoints, and what goes with each."""

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.parsing import parse_arguments


@pytest.mark.parametrize(
    "argv", [["--checkpoint", "a", "b", "--checkpoint", "c"], ["--checkpoint=a", "--checkpoint", "b", "c"]]
)
def test_checkpoints_after_one_flag_and_after_several(argv):
    (args,), _ = parse_arguments([EvaluationArguments], [*argv, "--output_dir", "O"])
    assert args.checkpoint == ["a", "b", "c"]


def test_a_checkpoint_may_be_a_string():
    assert EvaluationArguments(checkpoint="runs/a").checkpoint == ["runs/a"]
    assert EvaluationArguments(onnx="out").onnx == ["out"]
    assert EvaluationArguments().checkpoint == EvaluationArguments().onnx == []


def test_all_that_does_not_go_together_is_named_at_once():
    with pytest.raises(ConfigurationError) as error:
        EvaluationArguments(checkpoint=["a", "b"], output_csv="p.csv", device="gpu", precision="fp16")
    assert str(error.value).split("; expected ") == [
        "expected --device auto, cpu or cuda, found 'gpu'",
        "--precision fp32, amp or bf16, found 'fp16'",
        "--output-dir FOLDER for the results of 2 models, found none",
        "one model with --output-csv, found 2; without it the predictions of each are in a folder of its own",
    ]


def test_what_goes_with_abstention_and_with_one_model():
    with pytest.raises(ConfigurationError, match=r"expected --abstain in \[0, 100\], found 101"):
        EvaluationArguments(abstain=101)
    with pytest.raises(ConfigurationError, match="expected --abstain RISK with --calibration-index, found none"):
        EvaluationArguments(calibration_index="v.csv")
    with pytest.raises(ConfigurationError, match="expected one model with --report, found 2; evaluate them one by one"):
        EvaluationArguments(checkpoint=["a", "b"], output_dir="O", report="r.html")
    with pytest.raises(ConfigurationError, match="expected --no-repeat-ngram-size of 0 or more, found -1"):
        EvaluationArguments(no_repeat_ngram_size=-1)
    with pytest.raises(ConfigurationError, match="expected --seed of 0 or more, found -1"):
        EvaluationArguments(seed=-1)
    assert EvaluationArguments(abstain=0, calibration_index="v.csv").abstain == 0


def test_exports_are_models_beside_the_checkpoints_and_keep_their_precision_and_place():
    (args,), _ = parse_arguments([EvaluationArguments], ["--onnx", "o", "o/int8", "--onnx", "p", "--output-dir", "O"])
    assert args.onnx == ["o", "o/int8", "p"] and args.checkpoint == []
    with pytest.raises(ConfigurationError) as error:
        EvaluationArguments(checkpoint="a", onnx="o", output_csv="p.csv", device="cuda", precision="bf16")
    assert str(error.value).split("; expected ") == [
        "expected --output-dir FOLDER for the results of 2 models, found none",
        "one model with --output-csv, found 2; without it the predictions of each are in a folder of its own",
        "--device cpu or auto with --onnx, which is scored on the CPU, found 'cuda'",
        "--precision fp32 with --onnx, whose precision is that of its files, found 'bf16'; export a variant: "
        "scripts/export_onnx.py --quantize bf16",
    ]
