"""Speech synthesisers: text in, a stream of samples out."""
