"""Figures, audits and the model card."""
