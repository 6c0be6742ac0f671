"""Configuration of the InceptionV3-GRU classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hf_slt.models.gloss.configuration_gloss import GlossConfig


class InceptionGRUConfig(GlossConfig):
    r"""Configuration of [`InceptionGRUForGlossClassification`].

    Args:
        input_size (`int`): F, the features of a frame: InceptionV3's 2048 by default.
        gru_hidden_sizes (`Sequence[int]`): Width of each GRU, one after the other.
        pooling (`str`): `"last"` takes the state of the last real frame, `"mean"` and `"max"` take all real frames.
        hidden_dropout_prob (`float`): Dropout probability behind each GRU.
        head_hidden_size (`int`, *optional*): Width of the hidden layer of each head; `None`: one linear layer.
        use_pretrained_backbone (`bool`): A backbone that is built for frames starts from torchvision's ImageNet
            weights, which torchvision may have to download.
        freeze_backbone (`bool`): The backbone is not trained, stays in evaluation mode and is not saved.
        train_from_frames (`bool`): The model is made for frames: an unfrozen backbone is built with the model, trained
            and saved with it. Has no effect on a frozen one, which is built when the first frames come.
        gloss_fields (`Any`): `num_labels`, `num_categories` and the rest of [`GlossConfig`].

    Raises:
        ConfigurationError: Values that cannot work; the message lists all of them.

    Example:
        >>> from hf_slt import InceptionGRUConfig
        >>> InceptionGRUConfig(num_labels=49, num_categories=2).gru_hidden_sizes
        [16, 12]
    """

    model_type = "inception_gru"
    poolings = ("last", "mean", "max")

    def __init__(
        self,
        input_size: int = 2048,
        gru_hidden_sizes: Sequence[int] = (16, 12),
        pooling: str = "last",
        hidden_dropout_prob: float = 0.3,
        head_hidden_size: int | None = None,
        use_pretrained_backbone: bool = True,
        freeze_backbone: bool = True,
        train_from_frames: bool = False,
        **gloss_fields: Any,
    ):
        self.gru_hidden_sizes = list(gru_hidden_sizes)
        self.use_pretrained_backbone = use_pretrained_backbone
        self.freeze_backbone = freeze_backbone
        self.train_from_frames = train_from_frames
        super().__init__(
            input_size=input_size,
            pooling=pooling,
            hidden_dropout_prob=hidden_dropout_prob,
            head_hidden_size=head_hidden_size,
            **gloss_fields,
        )

    def _problems(self) -> list[str]:
        problems = super()._problems()
        if not self.gru_hidden_sizes or min(self.gru_hidden_sizes) < 1:
            problems.append(f"expected gru_hidden_sizes of 1 or more each, found {self.gru_hidden_sizes}")
        return problems
