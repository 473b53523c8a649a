"""Ways from a picture to what a network sees, each under an id that weights files name; numpy and Pillow, no torch."""
