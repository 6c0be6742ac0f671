r"""Score a gloss classifier, trained or exported (scripts/export_onnx.py).

python scripts/eval_gloss.py --checkpoint runs/gloss --keypoints D/test --labels-csv D/test.csv
python scripts/eval_gloss.py --checkpoint runs/iv3 --features D/test --labels-csv D/test.csv
python scripts/eval_gloss.py --onnx out --keypoints D/test --labels-csv D/test.csv
"""

from hf_slt.cli import run_script
from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments
from hf_slt.training.parsing import parse_arguments, print_help


def main(argv: list[str]) -> None:
    """Parse the command line and evaluate."""
    if {"-h", "--help"} & set(argv):
        print_help(__doc__, [GlossEvaluationArguments])
        return
    from hf_slt.training.evaluate_gloss import run_evaluate_gloss

    (args,), _ = parse_arguments([GlossEvaluationArguments], argv)
    run_evaluate_gloss(args)


if __name__ == "__main__":
    run_script(main)
