"""Speech recognisers and the thread they run on."""
