"""Volumes to images: planes, intensity, JPEG, slice packs, NIfTI. Arrays in, arrays or bytes out, nothing else."""
