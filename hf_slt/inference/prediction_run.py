"""What `predict.py` does: find out what a model is for, let it predict, and draw its answer on the video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hf_slt.data.npz_files import data_error
from hf_slt.errors import ConfigurationError
from hf_slt.exporters.exported_models import (
    check_exported,
    check_not_exported,
    load_exported_classifier,
    load_exported_translation,
)
from hf_slt.extraction.video import VIDEO_SUFFIXES
from hf_slt.inference.clip_sources import extraction_options
from hf_slt.inference.gloss import GlossPrediction, GlossPredictor
from hf_slt.inference.translation import TranslationPrediction, TranslationPredictor, load_processor
from hf_slt.models.auto import GLOSS_FAMILIES
from hf_slt.models.loading import load_pretrained

Predictor = GlossPredictor | TranslationPredictor


def load_predictor(checkpoint: str | None = None, onnx: str | None = None) -> Predictor:
    """Load a trained model or an export, whichever of the two tasks it is for.

    Args:
        checkpoint: Folder of a trained model; or
        onnx: folder of an export, or of a variant in it.

    Raises:
        ConfigurationError: There is no model, or it does not load.
        MissingDependencyError: It is an export, and the extra `onnx` is not installed.
    """
    path = str(onnx or checkpoint or "")
    if onnx is None:
        check_not_exported(path)
        if not (Path(path) / "config.json").is_file():
            raise ConfigurationError(f"expected a trained model in --checkpoint, found no config.json in {path}")
    if _model_type(path) in GLOSS_FAMILIES or not (Path(path) / "config.json").is_file():
        return GlossPredictor(*load_exported_classifier(path)) if onnx else GlossPredictor.from_pretrained(path)
    if onnx is None:
        return TranslationPredictor.from_pretrained(path)
    processor = load_processor(Path(path), "an exported model in --onnx")
    check_exported(path, translates=True)
    return TranslationPredictor(load_exported_translation(path), processor)


def _model_type(path: str) -> str | None:
    """Return the type of the model in a folder, None where there is none."""
    from transformers import AutoConfig

    if not (Path(path) / "config.json").is_file():
        return None
    return str(load_pretrained(AutoConfig, path, "a trained model").model_type)


def predict_clips(
    predictor: Predictor,
    clips: Sequence[str],
    top_k: int = 5,
    batch_size: int | None = None,
    num_beams: int | None = None,
    **reading: Any,
) -> list[GlossPrediction] | list[TranslationPrediction]:
    """Predict clips.

    Args:
        predictor: Of sentences or of glosses.
        clips: Paths.
        top_k: Alternatives of each.
        batch_size: Clips a step; None: the predictor's default.
        num_beams: Beams of a translation; None: the model's.
        reading: `clip`, `key`, `fps` and `strict`, as the predictors take them.

    Raises:
        ConfigurationError: Beams for a model that generates nothing, or what the predictors refuse.
        DataContractError, VideoError: All that is wrong with any of the clips.
    """
    sizes: dict[str, Any] = {} if batch_size is None else {"batch_size": batch_size}
    if isinstance(predictor, TranslationPredictor):
        return predictor.predict(clips, top_k, num_beams=num_beams, **sizes, **reading)
    if num_beams is not None:
        raise ConfigurationError(
            f"expected no --num-beams for a gloss classifier, which has no beams, found {num_beams}; leave it out"
        )
    return predictor.predict(clips, top_k, **sizes, **reading)


def check_overlay(clips: Sequence[str], output: str) -> None:
    """Check that there is one video to draw on.

    Raises:
        ConfigurationError: Several clips, or one that is no video.
        DataContractError: The overlay would be no `.mp4`.
    """
    if len(clips) != 1 or Path(clips[0]).suffix.lower() not in VIDEO_SUFFIXES:
        raise ConfigurationError(
            f"expected one video with --overlay, to draw on, found {', '.join(map(str, clips))}; call predict.py for "
            f"each video"
        )
    if Path(output).suffix.lower() != ".mp4":
        raise data_error(output, "a file .mp4 in --overlay", f"'{Path(output).suffix}'", "end its name with .mp4")


def write_answer_overlay(
    predictor: Predictor,
    video: Path,
    output: Path,
    prediction: GlossPrediction | TranslationPrediction,
    fps: float | None = None,
) -> None:
    """Draw what was found in a video, and what the model says of it, on the video.

    Args:
        predictor: The predictor; what its model reads decides how the video is extracted.
        video: The video.
        output: The `.mp4` to write.
        prediction: The answer for it.
        fps: Frames a second that were taken; None: all of them.

    Raises:
        VideoError: The video is not usable.
        MissingDependencyError: A package of the extra `extraction` is not installed.
    """
    from hf_slt.extraction.overlay import overlay_video

    overlay_video(video, output, extraction_options(predictor.feature_extractor, fps), str(prediction))
