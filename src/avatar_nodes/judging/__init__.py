"""Judges of pictures and sound that training and evaluation share."""
