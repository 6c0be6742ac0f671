"""The models of an evaluation, checkpoints and exports of them: opened and checked before the first one is scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoProcessor, AutoTokenizer

from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.exporters.exported_models import check_exported, check_not_exported, load_exported_translation
from hf_slt.models.loading import load_pretrained, missing_weights
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.modeling_multistream import MultiStreamForConditionalGeneration
from hf_slt.models.multistream.processing_multistream import MultiStreamProcessor
from hf_slt.training.checkpoints import RUN_CONFIG
from hf_slt.training.results import SPLITS, read_run_file

_VOCABULARY_MULTIPLE = 128  # T5 and others round the model's vocabulary up to a multiple of it
_TAKEN = {"", "mean", "std"}  # names of rows in report.csv


@dataclass
class Checkpoint:
    """A trained model that is to be scored, without its weights.

    Attributes:
        name: Short name, unique among the models of an evaluation.
        path: Its folder.
        config: Its configuration.
        processor: Its feature extractor, and the tokenizer to decode with.
        run_config: Flags of the training run; empty if unknown.
        splits: Clips and sentences of the training run; empty if unknown.
    """

    flag: ClassVar[str] = "--checkpoint"
    what: ClassVar[str] = "a trained model in --checkpoint"
    runtime: ClassVar[str] = "torch"

    name: str
    path: Path
    config: MultiStreamConfig
    processor: Any
    run_config: dict[str, Any]
    splits: dict[str, Any]

    @property
    def num_landmarks(self) -> int | None:
        """Number of landmarks that the poses must have; None if it reads no poses."""
        return self.config.num_pose_landmarks if "pose" in self.config.streams else None

    @staticmethod
    def check_files(path: Path) -> None:
        """Raise `ConfigurationError` if the files in a folder are those of another kind of model."""
        check_not_exported(path)

    def load_model(self, device: torch.device | str = "cpu", num_threads: int | None = None) -> Any:
        """Load the weights.

        Args:
            device: Where the model computes.
            num_threads: Not used: torch has one number of threads for all models of a process.

        Returns:
            The model in evaluation mode.

        Raises:
            ConfigurationError: They are damaged, or some are missing.
        """
        model, info = load_pretrained(
            MultiStreamForConditionalGeneration, str(self.path), self.what, output_loading_info=True
        )
        if missing := missing_weights(model, info["missing_keys"]):
            raise ConfigurationError(
                f"expected {self.what}, found {self.path} without {len(missing)} of its weights: {missing[:5]}"
            )
        return model.eval().to(device)


class Export(Checkpoint):
    """A model exported to ONNX that is to be scored; opened, it has what an evaluation needs of the trained model."""

    flag = "--onnx"
    what = "an exported model in --onnx"
    runtime = "onnxruntime"

    @staticmethod
    def check_files(path: Path) -> None:
        """Raise `ConfigurationError` if a folder holds no export that translates."""
        check_exported(path, translates=True)

    def load_model(self, device: torch.device | str = "cpu", num_threads: int | None = None) -> Any:
        """Open the model on ONNX Runtime.

        Args:
            device: The CPU.
            num_threads: Threads of ONNX Runtime; all cores by default.

        Raises:
            ConfigurationError: The files are damaged, or some are missing.
        """
        return load_exported_translation(self.path, num_threads)


def open_checkpoints(
    paths: Sequence[str], tokenizer_name: str | None = None, exports: Sequence[str] = ()
) -> list[Checkpoint]:
    """Open checkpoints and exports, and check that each can be scored.

    Args:
        paths: Folders of trained models: runs, or `checkpoint-N` in them.
        tokenizer_name: Name or folder of a tokenizer in place of theirs.
        exports: Folders of exported models, or of variants in them.

    Returns:
        The checkpoints, then the exports.

    Raises:
        ConfigurationError: No model, one twice, or anything that does not load; all of it at once.
        DimensionMismatchError: The tokenizer does not fit the vocabulary of a model.
        MissingDependencyError: There are exports, and the extra `onnx` is not installed.
    """
    if not paths and not exports:
        raise ConfigurationError("expected --checkpoint FOLDER of a trained model, or --onnx of an export, found none")
    for kind, group in ((Checkpoint, paths), (Export, exports)):
        folders = [Path(path).resolve() for path in group]
        if twice := sorted({path for path, folder in zip(group, folders, strict=True) if folders.count(folder) > 1}):
            raise ConfigurationError(f"expected each {kind.flag} once, found the same folder more than once: {twice}")
    kinds = [*[Checkpoint] * len(paths), *[Export] * len(exports)]
    paths = [Path(path) for path in (*paths, *exports)]
    names = checkpoint_names([path.resolve() for path in paths])
    checkpoints, problems, tokenizer = [], [], None
    try:
        tokenizer = (
            load_pretrained(AutoTokenizer, tokenizer_name, "a tokenizer in --tokenizer") if tokenizer_name else None
        )
    except ConfigurationError as error:
        problems.append(error)  # the models are looked at all the same
    for kind, name, path in zip(kinds, names, paths, strict=True):
        try:
            checkpoints.append(_open(kind, name, path, tokenizer))
            if len(checkpoints) > 1:
                checkpoints[-1].load_model()  # weights that are damaged come out before another model is scored
        except ConfigurationError as error:
            problems.append(error)
    if problems:
        raise problems[0] if len(problems) == 1 else ConfigurationError("\n".join(str(error) for error in problems))
    return checkpoints


def checkpoint_names(folders: Sequence[Path]) -> list[str]:
    """Return a short name for each folder: its own, with as many of those above as make the names unique.

    A `checkpoint-N` has the name of its run in front.

    Args:
        folders: Absolute paths, no two the same.
    """
    parts = [folder.parts[1:] or ("",) for folder in folders]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["-".join(part[-depth - part[-1].startswith("checkpoint-") :]) for part in parts]
        unique = {name.casefold() for name in names}  # for file systems that do not tell case
        if len(unique) == len(names) and not unique & _TAKEN:
            return names
    return [f"{number}-{part[-1]}" for number, part in enumerate(parts, start=1)]


def _open(kind: type[Checkpoint], name: str, path: Path, tokenizer: Any | None) -> Checkpoint:
    if not (path / "config.json").is_file():
        raise ConfigurationError(f"expected {kind.what}, found no config.json in {path}")
    config = load_pretrained(AutoConfig, str(path), kind.what)
    if not isinstance(config, MultiStreamConfig):
        raise ConfigurationError(
            f"expected a translation model in {kind.flag}, found a model of type '{config.model_type}' in {path}"
        )
    kind.check_files(path)
    # checkpoint-N holds no feature extractor: the one of the run is in the folder above.
    folder = str(next((f for f in (path, path.parent) if (f / "preprocessor_config.json").is_file()), path))
    if tokenizer is None:
        processor = load_pretrained(AutoProcessor, folder, "a processor beside the model")
    else:
        check_tokenizer(tokenizer, config, folder)
        extractor = load_pretrained(AutoFeatureExtractor, folder, "a feature extractor beside the model")
        processor = MultiStreamProcessor(extractor, tokenizer)
    run_config, splits = (read_run_file(path, file) for file in (RUN_CONFIG, SPLITS))
    return kind(name, path, config, processor, run_config, splits)


def check_tokenizer(tokenizer: Any, config: MultiStreamConfig, folder: str) -> None:
    """Check that a tokenizer can stand in for that of a checkpoint.

    Args:
        tokenizer: The tokenizer.
        config: The model's configuration.
        folder: Where the checkpoint's own tokenizer is; what that one leaves of the vocabulary may be left here too.

    Raises:
        DimensionMismatchError: It does not fit the vocabulary or the special tokens of the model.
    """
    size, advice = len(tokenizer), "leave --tokenizer out to use the checkpoint's own"
    if not _smallest_vocabulary(config, folder) <= size <= config.vocab_size:
        raise DimensionMismatchError(
            f"expected a tokenizer for the model's vocabulary of {config.vocab_size} tokens ({folder}), found one of "
            f"{size} in --tokenizer; {advice}"
        )
    expected = {"pad": config.pad_token_id, "eos": config.eos_token_id}
    found = {"pad": tokenizer.pad_token_id, "eos": tokenizer.eos_token_id}
    if expected != found:
        raise DimensionMismatchError(
            f"expected a tokenizer with the model's special tokens {expected} ({folder}), found {found} in "
            f"--tokenizer; {advice}"
        )


def _smallest_vocabulary(config: MultiStreamConfig, folder: str) -> int:
    try:
        return min(len(load_pretrained(AutoTokenizer, folder, "a tokenizer")), config.vocab_size)
    except ConfigurationError:  # damaged or not there, which may be why another one is given
        return config.vocab_size - _VOCABULARY_MULTIPLE + 1
