r"""Check a corpus against the data contract: the report alone, nothing is trained.

python scripts/validate_data.py --face-dir D/face --hand-left-dir D/hand_l --hand-right-dir D/hand_r \
    --pose-dir D/pose --metadata-csv D/meta.csv --train-index D/index/train.csv --val-index D/index/val.csv
"""

from hf_slt.cli import run_script
from hf_slt.training.arguments import DataArguments
from hf_slt.training.evaluation_arguments import ValidationArguments
from hf_slt.training.parsing import parse_arguments, print_help


def main(argv: list[str]) -> None:
    """Parse the command line and check."""
    if {"-h", "--help"} & set(argv):
        print_help(__doc__, [ValidationArguments, DataArguments])
        return
    from hf_slt.training.validate_data import run_validate_data

    run_validate_data(*parse_arguments([DataArguments, ValidationArguments], argv)[0])


if __name__ == "__main__":
    run_script(main)
