"""Make `optimum-cli export onnx` know our models.

setup.cfg installs this file as `optimum.commands.register.register_hf_slt`: `optimum-cli` imports every module of that
namespace when it starts. Nothing heavy is imported here, so that its other commands start as fast as before; our
configurations are registered right after its exporter was imported.
"""

from __future__ import annotations

import logging

from hf_slt.errors import MissingDependencyError
from hf_slt.models.auto import REGISTRATIONS

REGISTER_COMMANDS: list = []  # optimum-cli reads it; there is no command of ours

logger = logging.getLogger(__name__)


def register() -> None:
    """Register our ONNX configurations; where their conditions fail, optimum exports all other models as before."""
    try:
        from hf_slt.exporters.registration import register_onnx_configs

        register_onnx_configs()
    except MissingDependencyError as error:
        logger.warning("models of hf_slt cannot be exported: %s", error)


REGISTRATIONS["optimum.exporters.onnx.__main__"] = register
