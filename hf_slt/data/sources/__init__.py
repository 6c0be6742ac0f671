"""Converters from published corpora to files of the data contract."""

from __future__ import annotations

from pathlib import Path

from hf_slt.data.sources.boston104 import read_boston104
from hf_slt.data.sources.nsl_alphabet import write_nsl_alphabet
from hf_slt.data.sources.phoenix_skeletons import read_phoenix_skeletons
from hf_slt.data.sources.pose_corpus import write_pose_corpus
from hf_slt.errors import ConfigurationError

SENTENCES = {"boston104": read_boston104, "phoenix_skeletons": read_phoenix_skeletons}
SIGNS = {"nsl_alphabet": write_nsl_alphabet}
SOURCES = (*SENTENCES, *SIGNS)


def convert_source(
    source: str,
    input_dir: str | Path | None,
    output_dir: str | Path,
    *,
    overwrite: bool = False,
    show_progress: bool = True,
) -> Path:
    """Write a corpus as files of the data contract.

    Args:
        source: `"demo"`, or one of `SOURCES`.
        input_dir: Folder of the downloaded corpus; the demo takes none.
        output_dir: Folder to write; it is complete or absent.
        overwrite: Whether a corpus in `output_dir` is replaced.
        show_progress: Whether to show a progress bar where it takes long.

    Returns:
        `output_dir`.

    Raises:
        ConfigurationError: Unknown source, missing or needless `input_dir`, `output_dir` with content.
        DataContractError: The corpus is not what its converter knows; lists all problems.
    """
    if source == "demo":
        from hf_slt.data.demo import write_demo_corpus

        if input_dir is not None:
            raise ConfigurationError(f"expected no input folder for the source 'demo', found {input_dir}; leave it out")
        return write_demo_corpus(output_dir, show_progress=show_progress, overwrite=overwrite)
    if source not in SOURCES:
        raise ConfigurationError(f"expected a source out of {['demo', *SOURCES]}, found '{source}'")
    if input_dir is None or not Path(input_dir).is_dir():
        found = "none" if input_dir is None else f"no such folder: {input_dir}"
        raise ConfigurationError(f"expected the folder of the downloaded corpus as input, found {found}; set --input")
    if source in SIGNS:
        return SIGNS[source](input_dir, output_dir, overwrite=overwrite, show_progress=show_progress)
    return write_pose_corpus(output_dir, *SENTENCES[source](Path(input_dir)), overwrite=overwrite)
