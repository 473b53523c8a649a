"""The command granary, one module a group."""
