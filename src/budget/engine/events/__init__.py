"""Events: the journal as a stream, read in pages by cursor or followed as it grows."""
