"""The tasks of `transformers.pipeline` that our models have, on trained models and on exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoModelForSeq2SeqLM, AutoModelForSequenceClassification

from hf_slt.exporters.exported_models import is_exported, load_exported_classifier, load_exported_translation
from hf_slt.models.gloss.pipeline_gloss import SignRecognitionPipeline
from hf_slt.models.multistream.pipeline_multistream import SignLanguageTranslationPipeline


class AnyTranslationModel:
    """What `pipeline` opens for sentences: a folder or name of a trained model, or a folder of an export."""

    @classmethod
    def from_pretrained(cls, name: str, **kwargs: Any) -> Any:
        """Load the model; an export takes none of the other arguments."""
        if is_exported(name):
            return load_exported_translation(Path(name))
        return AutoModelForSeq2SeqLM.from_pretrained(name, **kwargs)


class AnyGlossModel:
    """What `pipeline` opens for glosses: a folder or name of a trained model, or a folder of an export."""

    @classmethod
    def from_pretrained(cls, name: str, **kwargs: Any) -> Any:
        """Load the model; an export takes none of the other arguments."""
        if is_exported(name):
            return load_exported_classifier(Path(name))[0]
        return AutoModelForSequenceClassification.from_pretrained(name, **kwargs)


def register_pipelines() -> None:
    """Make `transformers.pipeline` know the tasks `sign-language-translation` and `sign-recognition`."""
    from transformers.pipelines import PIPELINE_REGISTRY

    for task, pipeline, model in (
        ("sign-language-translation", SignLanguageTranslationPipeline, AnyTranslationModel),
        ("sign-recognition", SignRecognitionPipeline, AnyGlossModel),
    ):
        PIPELINE_REGISTRY.supported_tasks.pop(task, None)  # once more is not worth a warning
        PIPELINE_REGISTRY.register_pipeline(task, pipeline, pt_model=model, type="multimodal")


register_pipelines()  # whoever imports this module first, transformers when its pipelines are used or a program
