"""From a network's output sequence to texts: CTC decoding, and what checksums say of them."""
