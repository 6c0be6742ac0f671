r"""Publish a corpus on the HuggingFace hub as a data set whose rows hold the frames and landmarks, so that it streams.

    python scripts/push_dataset.py someone/my-clips --private --face-dir D/face --hand-left-dir D/hand_l \
        --hand-right-dir D/hand_r --pose-dir D/pose --metadata-csv D/meta.csv --train-index D/index/train.csv \
        --val-index D/index/val.csv --test-index D/index/test.csv
What would be pushed:
    python scripts/push_dataset.py someone/demo-clips --demo --dry-run

The pictures show people: publish them only if the signers agreed to it. The token is that of `hf auth login` or of
HF_TOKEN.
"""

from hf_slt.cli import run_script
from hf_slt.hub.dataset_arguments import PushDatasetArguments
from hf_slt.training.arguments import DataArguments
from hf_slt.training.parsing import parse_arguments, print_help


def main(argv: list[str]) -> None:
    """Parse the command line, push, and print where the data set is or what would be pushed."""
    if {"-h", "--help"} & set(argv):
        print_help(__doc__, [PushDatasetArguments, DataArguments])
        return
    if argv and not argv[0].startswith("-"):
        argv = ["--repo", *argv]
    from hf_slt.hub.dataset import run_push_dataset

    print(run_push_dataset(*parse_arguments([DataArguments, PushDatasetArguments], argv)[0]))


if __name__ == "__main__":
    run_script(main)
