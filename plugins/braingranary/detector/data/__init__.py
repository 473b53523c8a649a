"""Labelled slices and negatives for training and evaluation."""
