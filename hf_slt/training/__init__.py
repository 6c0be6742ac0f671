"""Training and evaluation runs: arguments, trainer, callbacks and one `run_*` function a script."""
