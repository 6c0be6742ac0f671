"""Build the parts of a gloss run from its arguments: class names, feature extractor, model, data sets, loss."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForSequenceClassification, PretrainedConfig

from hf_slt.data.epoch import SharedEpoch
from hf_slt.data.gloss.contract import GlossContractReport, GlossSplit, check_splits
from hf_slt.data.gloss.dataset import GlossDataset
from hf_slt.data.gloss.labels import LabelRow
from hf_slt.data.gloss.transforms import GlossAugmentation
from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.models.auto import register_models
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.training.gloss_arguments import (
    GlossDataArguments,
    GlossFeatureArguments,
    GlossLossArguments,
    GlossModelArguments,
)
from hf_slt.training.gloss_losses import GlossLoss, balanced_class_weights

logger = logging.getLogger(__name__)

DEFAULT_LABEL_SMOOTHING = 0.1  # of --loss-type label_smoothing
MODEL_TYPES = {"transformer": "sign_transformer", "iv3_gru": "inception_gru", "conv_transformer": "conv_transformer"}
# Flag -> field of the configuration, where the two differ; the GRUs' two widths are one field.
_CONFIG_FIELDS = {
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden1": "gru_hidden_sizes",
    "hidden2": "gru_hidden_sizes",
    "dropout": "hidden_dropout_prob",
}


@dataclass
class GlossClasses:
    """The classes of a run.

    Attributes:
        num_glosses: Number of glosses.
        num_categories: Number of categories; None: the labels have none, and the model gets one head.
        gloss_names: Their names, None if there is no table of them.
        category_names: The same of the categories.
    """

    num_glosses: int
    num_categories: int | None
    gloss_names: list[str] | None = None
    category_names: list[str] | None = None

    def config_fields(self) -> dict[str, Any]:
        """Return the classes as fields of a configuration; classes without names keep the configuration's."""
        fields: dict[str, Any] = {"num_labels": self.num_glosses, "num_categories": self.num_categories}
        if self.gloss_names:
            fields["id2label"] = dict(enumerate(self.gloss_names))
        if self.category_names and self.num_categories is not None:
            fields["category_id2label"] = dict(enumerate(self.category_names))
        return fields


def build_feature_extractor(
    feature_args: GlossFeatureArguments, data_args: GlossDataArguments, model: str
) -> GlossFeatureExtractor:
    """Build the feature extractor that is saved with the model.

    Raises:
        ConfigurationError: Values that cannot work.
    """
    if data_args.kind == "features":
        return GlossFeatureExtractor(input_type="features", feature_size=data_args.feature_size)
    extractor = GlossFeatureExtractor(**feature_args.extractor_fields(model))
    extractor.layout_name = extractor.layout().name  # a layout that is added later must not change a saved one
    return extractor


def check_gloss_data(data_args: GlossDataArguments, width: int | None, report_path: Path | None) -> GlossContractReport:
    """Check the splits of a run, read their clips, and write the report.

    Args:
        data_args: The flags.
        width: Numbers a frame that the clips must have.
        report_path: Where the report goes.

    Raises:
        DataContractError: Anything is wrong; the message and the report list all of it.
        ConfigurationError: Flags that cannot work.
    """
    splits = [GlossSplit(name, folder, labels) for name, (folder, labels) in data_args.splits().items()]
    report = check_splits(
        splits,
        kind=data_args.kind,
        key=data_args.key,
        width=width,
        num_gloss=data_args.num_gloss,
        num_cat=data_args.num_cat,
        gloss_names=data_args.gloss_names,
        cat_names=data_args.cat_names,
        allow_unlabelled=data_args.allow_unlabelled_files,
        encoding=data_args.encoding,
        dtype=data_args.data_dtype,
        cache_dir=data_args.cache_dir,
        show_progress=True,
    )
    return checked(report, report_path)


def checked(report: GlossContractReport, path: Path | None) -> GlossContractReport:
    """Write a report (None: nowhere) and log its warnings; raises `DataContractError` if there are problems."""
    if path is not None:
        report.write(path)
    if not report.ok:
        raise DataContractError(report.problems, None if path is None else str(path))
    for warning in report.warnings:
        logger.warning(warning)
    return report


def resolve_classes(data_args: GlossDataArguments, report: GlossContractReport) -> GlossClasses:
    """Return the classes: as many as the flags say, else as there are names, else as the labels need.

    Without a category in the training labels the model gets one head; categories of other splits are not used then.
    """
    rows = [row for split in report.rows.values() for row in split]
    num_glosses = data_args.num_gloss or len(report.gloss_names or ()) or 1 + max(row.gloss for row in rows)
    if all(row.cat is None for row in report.rows["train"]):
        if data_args.num_cat:
            logger.warning(f"no category in the training labels: --num-cat {data_args.num_cat} is not used")
        return GlossClasses(num_glosses, None, report.gloss_names)
    highest = 1 + max(row.cat for row in rows if row.cat is not None)
    num_categories = data_args.num_cat or len(report.cat_names or ()) or highest
    return GlossClasses(num_glosses, num_categories, report.gloss_names, report.cat_names)


def build_config(
    model_args: GlossModelArguments, loss_args: GlossLossArguments, input_size: int, classes: GlossClasses
) -> PretrainedConfig:
    """Build the configuration of the model; sizes that were not given are the model's own.

    Raises:
        ConfigurationError: A flag that this model does not have, or values that cannot work.
    """
    model_type = MODEL_TYPES[model_args.model]
    defaults = AutoConfig.for_model(model_type)
    given = model_args.given()
    foreign = [name for name in given if not hasattr(defaults, _CONFIG_FIELDS.get(name, name))]
    if foreign:
        flags = ", ".join("--" + name.replace("_", "-") for name in foreign)
        raise ConfigurationError(f"expected flags of --model {model_args.model}, found {flags}, which it does not have")
    fields = {_CONFIG_FIELDS.get(name, name): value for name, value in given.items()}
    if "gru_hidden_sizes" in fields:
        first, second = defaults.gru_hidden_sizes
        fields["gru_hidden_sizes"] = (given.get("hidden1", first), given.get("hidden2", second))
    if hasattr(defaults, "use_pretrained_backbone"):
        fields["use_pretrained_backbone"] = model_args.pretrained_backbone
        fields["freeze_backbone"] = model_args.freeze_backbone
    fields |= {"input_size": input_size, "alpha": loss_args.alpha, "beta": loss_args.beta}
    return AutoConfig.for_model(model_type, **fields, **classes.config_fields())


def build_model(config: PretrainedConfig) -> Any:
    """Build the classifier of a configuration, with random weights."""
    register_models()
    return AutoModelForSequenceClassification.from_config(config)


def build_loss(
    loss_args: GlossLossArguments, label_smoothing: float, rows: Sequence[LabelRow], config: PretrainedConfig
) -> GlossLoss:
    """Build the training loss; class weights are those of the training rows."""
    if loss_args.loss_type == "label_smoothing":
        label_smoothing = label_smoothing or DEFAULT_LABEL_SMOOTHING
    loss = GlossLoss(loss_args.alpha, loss_args.beta, loss_args.loss_type, loss_args.focal_gamma, label_smoothing)
    if loss_args.class_weights == "balanced":
        loss.gloss_weights = balanced_class_weights([row.gloss for row in rows], config.num_labels)
        if config.num_categories is not None:
            known = [row.cat for row in rows if row.cat is not None]
            loss.category_weights = balanced_class_weights(known, config.num_categories)
    return loss


def build_gloss_datasets(
    report: GlossContractReport,
    feature_extractor: Any,
    num_categories: int | None,
    augmentation: GlossAugmentation | None = None,
    seed: int = 0,
    epoch: SharedEpoch | None = None,
) -> dict[str, GlossDataset]:
    """Return split -> data set; only training clips are augmented.

    Args:
        report: What checking the splits found.
        feature_extractor: The model's.
        num_categories: Number of categories that the model knows; None: labels of categories are left out.
        augmentation: Changes to training clips.
        seed: Seed of them.
        epoch: The running epoch.
    """
    built = {}
    for split, rows in report.rows.items():
        if num_categories is None:
            rows = [dataclasses.replace(row, cat=None) for row in rows]
        changes = augmentation if split == "train" else None
        built[split] = GlossDataset(report.tables[split], rows, feature_extractor, changes, seed, epoch)
    return built
