r"""Export a trained model to ONNX, and to TorchScript; compared with PyTorch before anything is kept.

    python scripts/export_onnx.py --checkpoint runs/mine --output out
    python scripts/export_onnx.py --checkpoint runs/mine --output out --part encoder --torchscript
Smaller variants, with size, time and scores on the test split in out/export_report.json (--train-index calibrates
int8-static, --test-index is scored; the folders of the streams as in training, or --demo):
    python scripts/export_onnx.py --checkpoint runs/demo --output out --quantize int8 int8-static fp16 bf16 --demo
Gloss classifiers:
    python scripts/export_onnx.py --checkpoint runs/gloss --output out --quantize int8 \
        --keypoints D/keypoints --labels-csv D/test.csv
"""

from hf_slt.cli import run_script
from hf_slt.exporters.arguments import ExportArguments
from hf_slt.training.arguments import DataArguments
from hf_slt.training.parsing import parse_arguments, print_help


def main(argv: list[str]) -> None:
    """Parse the command line and export."""
    if {"-h", "--help"} & set(argv):
        print_help(__doc__, [ExportArguments, DataArguments])
        return
    from hf_slt.exporters.export import run_export

    (args, data_args), _ = parse_arguments([ExportArguments, DataArguments], argv)
    run_export(args, data_args)


if __name__ == "__main__":
    run_script(main)
