"""Reading and writing NIfTI."""
