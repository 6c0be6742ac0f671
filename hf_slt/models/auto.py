"""Registration with the `Auto` classes of transformers, so that they load our directories.

Configurations, feature extractors and processors are registered as soon as transformers' own tables exist; model
classes, which need torch and `generate`, when a configuration of ours is read (every `AutoModel...` reads it first).
"""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from hf_slt.models.package_hooks import BEFORE_READING, BEFORE_UPLOAD, READ_CLIP

# Gloss classifiers: the name of a family, which is its folder and model type, and how its classes begin.
GLOSS_FAMILIES = {
    "sign_transformer": "SignTransformer",
    "inception_gru": "InceptionGRU",
    "conv_transformer": "ConvTransformer",
}


def _gloss_class(family: str, module: str, suffix: str) -> type:
    path = f"hf_slt.models.{family}.{module}_{family}"
    return getattr(importlib.import_module(path), GLOSS_FAMILIES[family] + suffix)


def register_config() -> None:
    """Make `AutoConfig` know our model types."""
    from transformers.models.auto.configuration_auto import AutoConfig

    from hf_slt.models.custom_decoder.configuration_custom_decoder import CustomDecoderConfig
    from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig

    for config in (CustomDecoderConfig, MultiStreamConfig):
        AutoConfig.register(config.model_type, config, exist_ok=True)
    for family in GLOSS_FAMILIES:
        AutoConfig.register(family, _gloss_class(family, "configuration", "Config"), exist_ok=True)


def register_feature_extractor() -> None:
    """Make `AutoFeatureExtractor` know our feature extractors."""
    from transformers.models.auto.feature_extraction_auto import AutoFeatureExtractor

    from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
    from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
    from hf_slt.models.multistream.feature_extraction_multistream import MultiStreamFeatureExtractor

    AutoFeatureExtractor.register(MultiStreamConfig, MultiStreamFeatureExtractor, exist_ok=True)
    for family in GLOSS_FAMILIES:
        config = _gloss_class(family, "configuration", "Config")
        AutoFeatureExtractor.register(config, GlossFeatureExtractor, exist_ok=True)


def register_processor() -> None:
    """Make `AutoProcessor` know our processors."""
    from transformers.models.auto.processing_auto import AutoProcessor

    from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
    from hf_slt.models.multistream.processing_multistream import MultiStreamProcessor

    AutoProcessor.register(MultiStreamConfig, MultiStreamProcessor, exist_ok=True)


@functools.cache
def register_models() -> None:
    """Make the `AutoModel...` classes know our models: `AutoModel` gives the encoder, or the whole classifier."""
    from transformers import AutoModel, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification

    from hf_slt.models.custom_decoder.configuration_custom_decoder import CustomDecoderConfig
    from hf_slt.models.custom_decoder.modeling_custom_decoder import CustomDecoderForConditionalGeneration
    from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
    from hf_slt.models.multistream.modeling_multistream import MultiStreamEncoder, MultiStreamForConditionalGeneration

    AutoModelForSeq2SeqLM.register(CustomDecoderConfig, CustomDecoderForConditionalGeneration, exist_ok=True)
    AutoModel.register(MultiStreamConfig, MultiStreamEncoder, exist_ok=True)
    AutoModelForSeq2SeqLM.register(MultiStreamConfig, MultiStreamForConditionalGeneration, exist_ok=True)
    for family in GLOSS_FAMILIES:
        config = _gloss_class(family, "configuration", "Config")
        classifier = _gloss_class(family, "modeling", "ForGlossClassification")
        AutoModel.register(config, classifier, exist_ok=True)
        AutoModelForSequenceClassification.register(config, classifier, exist_ok=True)


def add_code(folder: Path, repo: str) -> None:
    """Put our code into a folder that is about to be uploaded, see `remote_code.py`."""
    from hf_slt.models.remote_code import write_remote_code

    write_remote_code(folder)


_AUTO, _PIPELINES = "transformers.models.auto.", "transformers.pipelines"
REGISTRATIONS: dict[str, Callable[[], None]] = {
    _AUTO + "configuration_auto": register_config,
    _AUTO + "feature_extraction_auto": register_feature_extractor,
    _AUTO + "processing_auto": register_processor,
}


class _RegisterAfterImport(importlib.abc.MetaPathFinder):
    """Call a registration right after the transformers module that holds its table was imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find one of the modules with a registration as Python does, and put our loader around its own."""
        if fullname not in REGISTRATIONS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _RegisteringLoader(spec.loader, REGISTRATIONS[fullname])
        return spec


class _RegisteringLoader(importlib.abc.Loader):
    """Load a module as its own loader does, then register with it."""

    def __init__(self, loader: importlib.abc.Loader, register: Callable[[], None]):
        self.loader, self.register = loader, register

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Create the module as its own loader does."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then the registration."""
        self.loader.exec_module(module)
        self.register()


def register_when_imported(
    before_upload: Callable[[Path, str], None], read_clip: Callable[..., Any], register_pipelines: Callable[[], None]
) -> None:
    """Register now with the tables that are imported, and later with those that are not; never imports transformers.

    Args:
        before_upload: What else the rest of the package does to a folder of a repository before it is uploaded.
        read_clip: Reads a clip for a pipeline, see `package_hooks.py`.
        register_pipelines: Makes `pipeline(...)` know our tasks.
    """
    BEFORE_READING[:], BEFORE_UPLOAD[:], READ_CLIP[:] = [register_models], [add_code, before_upload], [read_clip]
    REGISTRATIONS[_PIPELINES] = register_pipelines
    for name, register in REGISTRATIONS.items():
        if name in sys.modules:
            register()
    if not any(isinstance(finder, _RegisterAfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _RegisterAfterImport())
