"""From a video to what a model reads: landmarks, crops and files of the data contract. No torch, no transformers."""
