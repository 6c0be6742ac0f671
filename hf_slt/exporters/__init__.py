"""ONNX and TorchScript: what is exported and how, the comparison with PyTorch, and models that run on ONNX Runtime."""
