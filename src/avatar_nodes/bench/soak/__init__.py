"""An avatar that is visited for hours while things go wrong around it."""
