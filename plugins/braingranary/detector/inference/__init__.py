"""From pictures to calibrated answers."""
