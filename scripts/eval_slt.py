r"""Score translation models, trained or exported: metrics.json, predictions.csv, tables and pictures, report.json.

    python scripts/eval_slt.py --checkpoint runs/mine --face-dir D/face --hand-left-dir D/hand_l \
        --hand-right-dir D/hand_r --pose-dir D/pose --metadata-csv D/meta.csv --index D/index/test.csv
What does the model read? Score it with streams blanked, and see it all on one page:
    python scripts/eval_slt.py --checkpoint runs/demo --demo --ablate-streams --report report.html
Rather say nothing than more than 2 % of the characters wrong (the threshold is chosen on the validation clips):
    python scripts/eval_slt.py --checkpoint runs/demo --demo --abstain 2
Mean and standard deviation over several trainings (a subfolder for each, the report of all in eval/):
    python scripts/eval_slt.py --checkpoint runs/seed1 runs/seed2 runs/seed3 --demo --output-dir eval
The same scores of an export (scripts/export_onnx.py), and what a variant of it costs:
    python scripts/eval_slt.py --onnx out --demo
    python scripts/eval_slt.py --checkpoint runs/demo --onnx out out/int8 --demo --output-dir eval
"""

from hf_slt.cli import run_script
from hf_slt.training.arguments import DataArguments
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.parsing import parse_arguments, print_help


def main(argv: list[str]) -> None:
    """Parse the command line and evaluate."""
    if {"-h", "--help"} & set(argv):
        print_help(__doc__, [EvaluationArguments, DataArguments])
        return
    from hf_slt.training.evaluate_slt import run_evaluate_slt

    (data_args, args), _ = parse_arguments([DataArguments, EvaluationArguments], argv)
    run_evaluate_slt(data_args, args)


if __name__ == "__main__":
    run_script(main)
