"""From the images of a series to its volumes: where they lie, which belong together, and the voxels in one array."""
