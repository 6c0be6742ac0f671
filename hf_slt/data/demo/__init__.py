"""The demo corpus: a synthetic signer, so that everything can be tried on a machine without data."""

from hf_slt.data.demo.corpus import cached_demo_corpus, default_cache_dir, write_demo_corpus

__all__ = ["cached_demo_corpus", "default_cache_dir", "write_demo_corpus"]
