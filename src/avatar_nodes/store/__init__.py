"""Model files that are not shipped: named by content, brought from where they can be had."""
