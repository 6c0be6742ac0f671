"""A trial of a decoder of the user's own, before anything is trained with it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import torch

from hf_slt.errors import ConfigurationError
from hf_slt.models.custom_decoder.configuration_custom_decoder import CustomDecoderConfig
from hf_slt.models.custom_decoder.modeling_custom_decoder import CustomDecoderForConditionalGeneration

logger = logging.getLogger(__name__)

# N target tokens, T' states, how many are real in clip 1.
TOKENS, STATES, REAL = 6, 5, 3
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


def check_decoder(model: CustomDecoderForConditionalGeneration, max_target_length: int = TOKENS) -> None:
    """Run a decoder on a few random tokens, on the CPU in evaluation mode, and check what comes out.

    A decoder whose logits depend on padding is a warning, and an error if they depend on nothing else. One that does
    not depend on the encoder states at all is a warning: a gate in front of them may be closed when training begins.

    Args:
        model: The decoder.
        max_target_length: Longest sentence that it will have to take, in tokens; one of that length is tried too.

    Raises:
        ConfigurationError: It fails, returns NaN or something else each time, looks at later tokens, reads its mask
            the wrong way round, or does not take the longest sentence.
        DimensionMismatchError: The logits are not `(B, N, V)`.
    """
    inputs = _random_inputs(model.config, min(TOKENS, max_target_length))
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits = _run(model, inputs)
            _check_logits(model, inputs, logits)
            _check_states(model, inputs, logits)
            if max_target_length > TOKENS:
                _check_longest(model, inputs, logits, max_target_length)
    finally:
        model.train(training)


def _random_inputs(config: CustomDecoderConfig, length: int) -> _Inputs:
    generator = torch.Generator().manual_seed(0)  # the run's own random numbers stay as they are
    tokens = torch.randint(config.vocab_size, (2, length), generator=generator)
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
    later, earlier = inputs.tokens.clone(), 2 * inputs.tokens.shape[1] // 3
    later[:, earlier:] = (later[:, earlier:] + 1) % model.config.vocab_size
    if not _close(logits[:, :earlier], _run(model, replace(inputs, tokens=later))[:, :earlier]):
        raise ConfigurationError(
            f"expected a causal decoder, found that logits of {name} change with later tokens, which it would copy in "
            f"training and lack in generation; mask them in its self-attention"
        )


def _check_states(model: CustomDecoderForConditionalGeneration, inputs: _Inputs, logits: torch.Tensor) -> None:
    name, clip = model.config.decoder_class, logits[1]
    padding, real = inputs.states.clone(), inputs.states.clone()
    changes = torch.randn(inputs.states.shape[1:], generator=torch.Generator().manual_seed(1))
    if torch.equal(logits, _run(model, replace(inputs, states=inputs.states + changes))):
        logger.warning(
            f"the logits of {name} do not depend on the encoder states: as it is built, it writes the same sentence "
            f"for every clip; does its forward leave them out?"
        )
        return
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


def _check_longest(
    model: CustomDecoderForConditionalGeneration, inputs: _Inputs, logits: torch.Tensor, length: int
) -> None:
    name, short = model.config.decoder_class, inputs.tokens.shape[1]
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randint(model.config.vocab_size, (1, length), generator=generator)
    tokens[:, :short] = inputs.tokens[:1]
    try:
        found = _run(model, _Inputs(tokens, inputs.states[:1], inputs.mask[:1]))
    except ConfigurationError as error:
        raise ConfigurationError(
            f"expected {name} to take {length} tokens, the longest sentence of --max-target-length, found that it "
            f"takes {short} but not {length} ({error}); give it a position for each (--decoder-kwargs, where its "
            f"constructor has an argument for that) or choose a smaller --max-target-length"
        ) from error
    if found.isnan().any():
        raise ConfigurationError(
            f"expected numbers as logits from {name} for {length} tokens, the longest sentence of --max-target-length, "
            f"found {int(found.isnan().sum())} NaN"
        )
    # Sums over other lengths are rounded differently, in proportion to the largest logit.
    if (found[0, :short] - logits[0]).abs().max() > 1e-3 * logits.abs().max():
        raise ConfigurationError(
            f"expected a causal decoder, found that logits of {name} change with the number of tokens: those of the "
            f"first {short} are others when there are {length}; it would learn what generation, token by token, lacks"
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
