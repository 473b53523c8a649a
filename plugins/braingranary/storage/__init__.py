"""The object store: its client and the one place where its keys are made."""
