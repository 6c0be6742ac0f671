r"""Train a sign language translation model.

On synthetic data, to see it work:
    accelerate launch scripts/train_slt.py --demo --output_dir runs/demo
On your own corpus:
    accelerate launch scripts/train_slt.py --face-dir D/face --hand-left-dir D/hand_l --hand-right-dir D/hand_r \
        --pose-dir D/pose --metadata-csv D/meta.csv --train-index D/index/train.csv --val-index D/index/val.csv \
        --output_dir runs/mine --epochs 40 --batch-size 4
"""

from hf_slt.cli import run_script
from hf_slt.training.arguments import AugmentationArguments, DataArguments, ModelArguments
from hf_slt.training.parsing import parse_arguments, print_help
from hf_slt.training.run_arguments import RunArguments


def main(argv: list[str]) -> None:
    """Parse the command line and train."""
    if {"-h", "--help"} & set(argv):
        print_help(__doc__, [RunArguments, DataArguments, ModelArguments, AugmentationArguments])
        return
    from hf_slt.training.train_slt import DEMO_PRESET, run_train_slt
    from hf_slt.training.training_arguments import SltTrainingArguments

    types = [DataArguments, ModelArguments, AugmentationArguments, SltTrainingArguments]
    arguments, effective = parse_arguments(types, argv)
    if effective["demo"]:  # however it was spelled, in a --config file too
        arguments, effective = parse_arguments(types, argv, DEMO_PRESET)
    run_train_slt(*arguments, effective)


if __name__ == "__main__":
    run_script(main)
