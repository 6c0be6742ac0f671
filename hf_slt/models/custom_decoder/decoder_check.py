"""A trial of a decoder of the user's own, before anything is trained with it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import torch

from hf_slt.errors import ConfigurationError
from hf_slt.models.custom_decoder.configuration_custom_decoder import CustomDecoderConfig
from hf_slt.models.custom_decoder.modeling_custom_decoder import CustomDecoderForConditionalGeneration

logger = logging.getLogger(__name__)

# N target tokens, how many of them a change of the later ones must not reach, T' states, how many are real in clip 1.
TOKENS, EARLIER, STATES, REAL = 6, 4, 5, 3
_POLARITY = "in the mask of the encoder states 1 is real; in torch's key_padding_mask true is padding"


@dataclass
class _Inputs:
    """Inputs of a decoder: tokens (2, N), states (2, T', D), their mask (2, T')."""

    tokens: torch.Tensor
    states: torch.Tensor
    mask: torch.Tensor

    def __str__(self) -> str:
        tokens = f"tokens {(*self.tokens.shape,)} up to {int(self.tokens.max())}"
        return f"{tokens}, encoder states {(*self.states.shape,)} and mask {(*self.mask.shape,)}"


def check_decoder(model: CustomDecoderForConditionalGeneration) -> None:
    """Run a decoder on a few random tokens, on the CPU in evaluation mode, and check what comes out.

    A decoder whose logits depend on padding is a warning, and an error if they depend on nothing else.

    Raises:
        ConfigurationError: It fails, returns NaN or something else each time, looks at later tokens, or reads its mask
            the wrong way round.
        DimensionMismatchError: The logits are not `(B, N, V)`.
    """
    inputs = _random_inputs(model.config)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits = _run(model, inputs)
            _check_logits(model, inputs, logits)
            _check_mask(model, inputs, logits)
    finally:
        model.train(training)


def _random_inputs(config: CustomDecoderConfig) -> _Inputs:
    generator = torch.Generator().manual_seed(0)  # the run's own random numbers stay as they are
    tokens = torch.randint(config.vocab_size, (2, TOKENS), generator=generator)
    tokens[:, 0] = config.decoder_start_token_id
    mask = torch.ones(2, STATES, dtype=torch.long)
    mask[1, REAL:] = 0
    return _Inputs(tokens, torch.randn(2, STATES, config.d_model, generator=generator), mask)


def _check_logits(model: CustomDecoderForConditionalGeneration, inputs: _Inputs, logits: torch.Tensor) -> None:
    name = model.config.decoder_class
    if logits.isnan().any():
        raise ConfigurationError(
            f"expected numbers as logits from {name}, found {int(logits.isnan().sum())} NaN; is the pad token masked, "
            f"from which sentences start, or are real encoder states? ({_POLARITY})"
        )
    if not _close(logits, _run(model, inputs)):
        raise ConfigurationError(
            f"expected the same logits from {name} for the same input in evaluation mode, found others the second "
            f"time; is a dropout on that does not follow train() and eval()?"
        )
    later = inputs.tokens.clone()
    later[:, EARLIER:] = (later[:, EARLIER:] + 1) % model.config.vocab_size
    if not _close(logits[:, :EARLIER], _run(model, replace(inputs, tokens=later))[:, :EARLIER]):
        raise ConfigurationError(
            f"expected a causal decoder, found that logits of {name} change with later tokens, which it would copy in "
            f"training and lack in generation; mask them in its self-attention"
        )


def _check_mask(model: CustomDecoderForConditionalGeneration, inputs: _Inputs, logits: torch.Tensor) -> None:
    name, clip = model.config.decoder_class, logits[1]
    padding, real = inputs.states.clone(), inputs.states.clone()
    changes = torch.randn(inputs.states.shape[1:], generator=torch.Generator().manual_seed(1))
    padding[1, REAL:] += changes[REAL:]
    real[1, :REAL] += changes[:REAL]
    if _close(clip, _run(model, replace(inputs, states=padding))[1]):
        return
    if _close(clip, _run(model, replace(inputs, states=real))[1]):
        raise ConfigurationError(
            f"expected logits of {name} that depend on the real encoder states, found that they depend on padding "
            f"alone; turn its mask round: {_POLARITY}"
        )
    logger.warning(
        f"the logits of {name} depend on padding (encoder states whose mask is 0): a clip scores differently alone "
        f"and in a batch; {_POLARITY}"
    )


def _run(model: CustomDecoderForConditionalGeneration, inputs: _Inputs) -> torch.Tensor:
    try:
        return model(inputs.tokens, (inputs.states,), inputs.mask).logits
    except ConfigurationError:
        raise
    except Exception as error:  # the class is the user's: it can raise anything
        raise ConfigurationError(
            f"expected {model.config.decoder_class} to take {inputs}, found {type(error).__name__}: {error}"
        ) from error


def _close(first: torch.Tensor, second: torch.Tensor) -> bool:
    return torch.allclose(first, second, rtol=1e-4, atol=1e-5, equal_nan=True)
