"""Start a run from the weights of a checkpoint alone; what was not found in it is said, never hidden."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, PreTrainedModel

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_json
from hf_slt.models.legacy import multistream
from hf_slt.models.legacy.files import read_torch_file, strip_wrappers, tensors_in
from hf_slt.models.legacy.gloss import gloss_architecture, rename_gloss
from hf_slt.models.legacy.renaming import Renamed
from hf_slt.models.loading import load_pretrained
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig

logger = logging.getLogger(__name__)

# Where a file may hold its state dictionary; a file that is one holds tensors only.
_KEYS = ("model", "state_dict", "model_state")
_SINGLE_FILES = ("model.safetensors", "pytorch_model.bin")
_INDEX_FILES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_SHOWN = 5
_NOT_OF_THE_ENCODER = ("self", "kwargs", "text_config", "bridge", "ctc_weight", "ctc_decoding_weight")
_ENCODER_FIELDS = [
    name for name in inspect.signature(MultiStreamConfig.__init__).parameters if name not in _NOT_OF_THE_ENCODER
]


@dataclass
class InitReport:
    """What became of the weights of a checkpoint.

    Attributes:
        source: The folder or file.
        share: Loaded parameters / parameters of the model, in numbers; tied ones count once, buffers not at all.
        loaded_parameters: Numbers that were loaded.
        total_parameters: Numbers that the model has.
        loaded: Names in the model that were loaded, buffers included.
        missing: Names in the model that the source has nothing for.
        unexpected: Names in the source that the model has no place for.
        reshaped: Names that both have, with other shapes: `name`, `in_file`, `in_model`.
        dropped: Older name -> why the model does not need it; of files of older tools.
    """

    source: str
    share: float = 0.0
    loaded_parameters: int = 0
    total_parameters: int = 0
    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    reshaped: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{self.loaded_parameters:,} of {self.total_parameters:,} parameters ({100 * self.share:.4g} %) from "
            f"{self.source}; {len(self.missing)} names missing, {len(self.unexpected)} unexpected, "
            f"{len(self.reshaped)} reshaped"
        )

    def details(self) -> list[str]:
        """Return a line for each kind of name that was not loaded, with the first ones."""
        reshaped = [f"{row['name']} {row['in_file']} where {row['in_model']} fits" for row in self.reshaped]
        kinds = {"missing": self.missing, "unexpected": self.unexpected, "reshaped": reshaped}
        return [
            f"  {kind} ({len(names)}): {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
            for kind, names in kinds.items()
            if names
        ]


def initialize_from(
    model: PreTrainedModel,
    path: str | Path,
    allow_partial: float | None = None,
    report_path: str | Path | None = None,
) -> InitReport:
    """Load the weights of a checkpoint into a model, each in the model's own number format.

    Args:
        model: The model; it stays as it is if this fails.
        path: A folder with `model.safetensors` or `pytorch_model.bin`, in shards or whole (a saved model, the encoder
            of one, a run, a `checkpoint-N`); a `.safetensors` file; a `.pt` file of an older tool, or of weights under
            our own names.
        allow_partial: Share of the parameters that has to be found, in [0, 1]; None: all.
        report_path: Where the report is written as JSON, of a failure as well; None: nowhere.

    Returns:
        What was loaded, and what was not.

    Raises:
        ConfigurationError: Nothing readable, nothing that fits, or less than the share.
    """
    if allow_partial is not None and not 0 <= allow_partial <= 1:
        raise ConfigurationError(f"expected --allow-partial-init in [0, 1], found {allow_partial}")
    source = _aligned(read_weights(model, Path(path)), model)
    report, values = _compare(model, source, str(path))
    if report_path is not None:
        write_json(report_path, asdict(report))
    _require_share(report, 1.0 if allow_partial is None else allow_partial, model, report_path)
    own = model.state_dict()
    with torch.no_grad():
        for name, value in values.items():
            own[name].copy_(value)
    level = logging.INFO if not (report.missing or report.unexpected or report.reshaped) else logging.WARNING
    logger.log(level, "\n".join([f"initialised {report}", *report.details()]))
    return report


def initialize_run(model: PreTrainedModel, args: Any) -> None:
    """Do what `--init-checkpoint` asks for, if it does; the main process writes `init_report.json` to the run's folder.

    Args:
        model: The model.
        args: The arguments of the run.
    """
    if args.init_checkpoint:
        report_path = Path(args.output_dir) / "init_report.json" if args.process_index == 0 else None
        initialize_from(model, args.init_checkpoint, args.allow_partial_init, report_path)


def encoder_architecture(path: str | Path) -> dict[str, Any]:
    """Return what a stream encoder has to be like for its weights to fit.

    Args:
        path: A folder or file of weights.

    Returns:
        Fields of a [`MultiStreamConfig`], those of the encoder; of an older file with the default number of heads.
        Empty if the source is no stream encoder, or does not say.

    Raises:
        ConfigurationError: There is nothing readable.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / "config.json").is_file():
            return {}
        config = load_pretrained(AutoConfig, str(path), "a configuration beside the weights")
        if config.model_type != MultiStreamConfig.model_type:
            return {}
        return {name: getattr(config, name) for name in _ENCODER_FIELDS}
    content = read_torch_file(path) if path.suffix != ".safetensors" else {}
    if not isinstance(content.get(multistream.WEIGHTS), Mapping):
        return {}
    return multistream.multistream_fields(tensors_in(content, multistream.WEIGHTS, path))


def read_weights(model: PreTrainedModel, path: Path) -> Renamed:
    """Read the weights of a folder or file, under our names.

    Args:
        model: The model that they are for: it says which of an older file's weights it has no need of.
        path: See [`initialize_from`].

    Raises:
        ConfigurationError: There is nothing readable.
    """
    if path.is_dir():
        return Renamed(weights=_read_folder(path))
    if path.suffix == ".safetensors" and path.is_file():
        return Renamed(weights=_read_shard(path))
    if not path.is_file():
        raise ConfigurationError(f"expected a folder or file of weights in --init-checkpoint, found nothing at {path}")
    content = read_torch_file(path)
    if isinstance(content.get(multistream.WEIGHTS), Mapping):
        return multistream.rename_multistream(tensors_in(content, multistream.WEIGHTS, path))
    state = _own_state(content, path)
    if gloss_architecture(state) is None:
        return Renamed(weights=state)
    with_cls_token = getattr(model.config, "pooling", None) == "cls"
    return rename_gloss(state, with_cls_token, with_backbone=getattr(model, "backbone", None) is not None)


def _own_state(content: Mapping[str, Any], path: Path) -> dict[str, torch.Tensor]:
    key = next((key for key in _KEYS if isinstance(content.get(key), Mapping)), None)
    if key is not None:
        return tensors_in(content, key, path)
    if content and all(isinstance(name, str) and torch.is_tensor(value) for name, value in content.items()):
        return strip_wrappers(content, path)
    found = ", ".join(map(str, list(content)[:10])) or "nothing"
    raise ConfigurationError(
        f"expected a state dictionary in {path}, or one under {', '.join(_KEYS)} or encoder_state; found {found}"
    )


def _read_folder(folder: Path) -> dict[str, torch.Tensor]:
    for name in _SINGLE_FILES:
        if (folder / name).is_file():
            return _read_shard(folder / name)
    for name in _INDEX_FILES:
        if (folder / name).is_file():
            return _read_shards(folder / name)
    checkpoints = sorted(entry.name for entry in folder.glob("checkpoint-*") if entry.is_dir())
    hint = f"; it holds {', '.join(checkpoints)}, give one of them" if checkpoints else ""
    raise ConfigurationError(
        f"expected weights ({', '.join((*_SINGLE_FILES, *_INDEX_FILES))}) in --init-checkpoint, found none in "
        f"{folder}{hint}"
    )


def _read_shards(index: Path) -> dict[str, torch.Tensor]:
    try:
        files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"expected an index with a weight_map, found a damaged one: {index}") from error
    if absent := [name for name in files if not (index.parent / name).is_file()]:
        raise ConfigurationError(f"expected every file that {index} names, found none of: {', '.join(absent)}")
    weights: dict[str, torch.Tensor] = {}
    for name in files:
        weights |= _read_shard(index.parent / name)
    return weights


def _read_shard(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix != ".safetensors":
        return tensors_in({path.name: read_torch_file(path)}, path.name, path)
    try:
        return load_file(path)
    except Exception as error:  # a damaged header gives errors of several libraries
        raise ConfigurationError(f"expected weights in {path}, found a damaged file: {error}") from error


def _aligned(source: Renamed, model: PreTrainedModel) -> Renamed:
    """Add or remove the prefix of the base model, where more names fit then: an encoder alone, or the whole model."""
    prefix = f"{model.base_model_prefix}."
    own = model.state_dict().keys()
    variants = (
        source.weights,
        {prefix + name: value for name, value in source.weights.items()},
        {name.removeprefix(prefix): value for name, value in source.weights.items()},
    )
    source.weights = max(variants, key=lambda weights: len(own & weights.keys()))
    return source


def _compare(model: PreTrainedModel, source: Renamed, path: str) -> tuple[InitReport, dict[str, torch.Tensor]]:
    """Return the report, and what can be loaded: one value for each group of tied names."""
    own = model.state_dict()
    older = source.older_names()
    report = InitReport(path, unexpected=list(source.unplaced), dropped=dict(source.dropped))
    values: dict[str, torch.Tensor] = {}
    place: dict[tuple[int, torch.Size], str] = {}  # a tied tensor -> the name that its value came from
    for name, value in source.weights.items():
        if name not in own:
            report.unexpected.append(older.get(name, name))
        elif own[name].shape != value.shape:
            shapes = {"in_file": tuple(value.shape), "in_model": tuple(own[name].shape)}
            report.reshaped.append({"name": name, **shapes})
        else:
            first = place.setdefault(_tensor_key(own[name]), name)
            if first != name and not torch.equal(values[first], value):
                report.unexpected.append(name)  # it is tied to another one here, and has other values in the file
            values.setdefault(first, value)
    reshaped = {_tensor_key(own[row["name"]]) for row in report.reshaped}
    report.loaded = [name for name in own if _tensor_key(own[name]) in place]
    report.missing = [name for name in own if _tensor_key(own[name]) not in {*place, *reshaped}]
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    report.total_parameters = sum(sizes.values())
    report.loaded_parameters = sum(size for name, size in sizes.items() if _tensor_key(own[name]) in place)
    report.share = report.loaded_parameters / max(1, report.total_parameters)
    return report, values


def _tensor_key(tensor: torch.Tensor) -> tuple[int, torch.Size]:
    return tensor.data_ptr(), tensor.shape


def _require_share(report: InitReport, share: float, model: PreTrainedModel, report_path: str | Path | None) -> None:
    """Raise `ConfigurationError` if less than a share was found, or nothing."""
    if report.loaded_parameters and report.loaded_parameters >= share * report.total_parameters:
        return
    wanted = "a weight" if not report.loaded_parameters else f"at least {100 * share:.4g} % of the parameters"
    lines = [
        f"expected {wanted} of {type(model).__name__} in --init-checkpoint, found {report}",
        *report.details(),
    ]
    if report.loaded_parameters:
        accepted = int(1000 * report.share) / 1000
        lines.append(
            f"choose a model of the same sizes, or accept that the rest starts from random weights: "
            f"--allow-partial-init {accepted:g}"
        )
    if report_path is not None:
        lines.append(f"All names are in {report_path}")
    raise ConfigurationError("\n".join(lines))
