"""Where series come from: each archive yields records and bytes; staging proves them and puts them under raw/."""
