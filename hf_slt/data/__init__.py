"""From files to batches: the data contract, readers, builder, tokenizer, transforms and collators."""
