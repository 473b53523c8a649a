"""The encoder-decoder of detector-2 to detector-5, and the gate that declines what is no brain."""
