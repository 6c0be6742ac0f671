"""Start a run from the weights of a checkpoint alone; what was not found in it is said, never hidden."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from hf_slt.compat import stored_names, stored_weights
from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_json
from hf_slt.models.legacy.files import not_finite
from hf_slt.models.legacy.renaming import Renamed
from hf_slt.training.init_settings import differing_settings
from hf_slt.training.init_sources import encoder_architecture, read_source

__all__ = ["InitReport", "encoder_architecture", "initialize_from", "initialize_run"]

logger = logging.getLogger(__name__)

_SHOWN = 5
_LEAST_SHARE = 0.01  # less is what models of one kind share by chance


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
        settings: Settings of the model or its inputs that were others, which weights cannot show: `name`, `was`, `is`.
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
    settings: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.loaded_parameters:,} of {self.total_parameters:,} parameters ({100 * self.share:.4g} %) from "
            f"{self.source}; {len(self.missing)} names missing, {len(self.unexpected)} unexpected, "
            f"{len(self.reshaped)} reshaped"
        )

    def details(self) -> list[str]:
        """Return a line for each kind of name that was not loaded, with the first ones, and one of the settings."""
        reshaped = [f"{row['name']} {row['in_file']} where {row['in_model']} fits" for row in self.reshaped]
        kinds = {"missing": self.missing, "unexpected": self.unexpected, "reshaped": reshaped}
        lines = [
            f"  {kind} ({len(names)}): {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
            for kind, names in kinds.items()
            if names
        ]
        if self.settings:
            changes = "; ".join(f"{row['name']} was {row['was']}, is {row['is']}" for row in self.settings)
            lines.append(f"  other settings, in which the weights do not mean the same: {changes}")
        return lines


def initialize_from(
    model: PreTrainedModel,
    path: str | Path,
    allow_partial: float | None = None,
    report_path: str | Path | None = None,
    extractor: Any = None,
) -> InitReport:
    """Load the weights of a checkpoint into a model, each in the model's own number format.

    Args:
        model: The model; it stays as it is if this fails.
        path: A folder with `model.safetensors` or `pytorch_model.bin`, in shards or whole (a saved model, the encoder
            of one, a run, a `checkpoint-N`); a `.safetensors` file; a `.pt` file of an older tool, or of weights under
            our own names.
        allow_partial: Share of the parameters that has to be found, in [0, 1]; None: all.
        report_path: Where the report is written as JSON, of a failure as well; None: nowhere.
        extractor: The feature extractor of the run, which is held against that of the checkpoint; None: it is not.

    Returns:
        What was loaded, and what was not.

    Raises:
        ConfigurationError: Nothing readable, another family of models, nothing that fits, less than the share, or NaN
            or infinity in what fits.
    """
    if allow_partial is not None and not 0 <= allow_partial <= 1:
        raise ConfigurationError(f"expected --allow-partial-init in [0, 1], found {allow_partial}")
    source = read_source(model, Path(path))
    report, values = _compare(model, _aligned(source.weights, model), str(path))
    report.settings = differing_settings(source, model, report.loaded, extractor)
    if report_path is not None:
        write_json(report_path, asdict(report))
    _require_share(report, 1.0 if allow_partial is None else allow_partial, model, report_path)
    own, parameters = stored_weights(model), _parameter_names(model)
    # Buffers may be masks of infinities.
    if broken := not_finite({name: value for name, value in values.items() if name in parameters}):
        raise ConfigurationError(
            f"expected finite numbers in --init-checkpoint {path}, found NaN or infinity in {len(broken)} weights: "
            f"{', '.join(broken)}; choose an earlier checkpoint"
        )
    with torch.no_grad():
        for name, value in values.items():
            own[name].copy_(value)
    details = report.details()
    logger.log(logging.WARNING if details else logging.INFO, "\n".join([f"initialised {report}", *details]))
    return report


def initialize_run(model: PreTrainedModel, args: Any, extractor: Any = None) -> None:
    """Do what `--init-checkpoint` asks for, if it does; the main process writes `init_report.json` to the run's folder.

    Args:
        model: The model.
        args: The arguments of the run.
        extractor: Its feature extractor, if it is to be held against that of the checkpoint.
    """
    if args.init_checkpoint:
        report_path = Path(args.output_dir) / "init_report.json" if args.process_index == 0 else None
        initialize_from(model, args.init_checkpoint, args.allow_partial_init, report_path, extractor)


def _aligned(source: Renamed, model: PreTrainedModel) -> Renamed:
    """Give weights the names that files have: without modules' other names, with the prefix with which more names fit.

    The base model has none: an encoder may be alone in the file, or in the model.
    """
    prefix = f"{model.base_model_prefix}."
    in_files = {name: stored for stored, name in stored_names(model).items()}
    own = {*in_files, *stored_weights(model)}
    variants = (
        source.weights,
        {prefix + name: value for name, value in source.weights.items()},
        {name.removeprefix(prefix): value for name, value in source.weights.items()},
    )
    fitting = max(variants, key=lambda weights: len(own & weights.keys()))
    source.weights = {in_files.get(name, name): value for name, value in fitting.items()}
    return source


def _compare(model: PreTrainedModel, source: Renamed, path: str) -> tuple[InitReport, dict[str, torch.Tensor]]:
    """Return the report, and what can be loaded: one value for each group of tied names."""
    own, parameters = stored_weights(model), _parameter_names(model)
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
    sizes = {_tensor_key(own[name]): own[name].numel() for name in parameters}
    report.total_parameters = sum(sizes.values())
    report.loaded_parameters = sum(size for key, size in sizes.items() if key in place)
    report.share = report.loaded_parameters / max(1, report.total_parameters)
    return report, values


def _parameter_names(model: PreTrainedModel) -> set[str]:
    """Return the names that parameters have in files, tied ones included."""
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    return {stored for stored, own in stored_names(model).items() if own in parameters}


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
    if report.share >= _LEAST_SHARE:
        accepted = int(1000 * report.share) / 1000
        lines.append(
            f"choose a model of the same sizes, or accept that the rest starts from random weights: "
            f"--allow-partial-init {accepted:g}"
        )
    elif report.loaded_parameters:
        lines.append("so little fits that these are weights of another model; choose a model of the same sizes")
    if report_path is not None:
        lines.append(f"All names are in {report_path}")
    raise ConfigurationError("\n".join(lines))
