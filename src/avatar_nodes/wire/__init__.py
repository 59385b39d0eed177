"""Messages to tensors, images, sound and back; the only place that knows how they are laid out."""
