"""Check a corpus and write the report."""

from __future__ import annotations

import logging

from hf_slt.data.contract import check_corpus
from hf_slt.data.corpus import ContractReport
from hf_slt.errors import DataContractError
from hf_slt.training.arguments import DataArguments
from hf_slt.training.evaluation_arguments import ValidationArguments

logger = logging.getLogger(__name__)


def run_validate_data(data_args: DataArguments, args: ValidationArguments) -> ContractReport:
    """Check a corpus against the data contract and write `contract_report.json`.

    Raises:
        DataContractError: The corpus is not usable; the message and the report list every problem.
    """
    _, report = check_corpus(
        data_args.corpus_paths(),
        num_landmarks=args.pose_landmarks,
        skip_invalid=data_args.skip_invalid,
        allow_missing_streams=data_args.allow_missing_streams,
        show_progress=True,
    )
    report.write(args.report)
    if not report.ok:
        raise DataContractError(report.problems, args.report)
    for warning in report.warnings:
        logger.warning(warning)
    for split, figures in report.splits.items():
        missing = ", ".join(f"{stream} {count}" for stream, count in figures["missing_frames"].items())
        logger.info(f"{split}: {figures['clips']} clips, {figures['frames']} frames; frames missing: {missing}")
    logger.info(f"{report.num_skipped} clips skipped; the corpus is usable; report in {args.report}")
    return report
