"""Events and summaries of a finished extraction: its courses read, tables made of them, tables written."""
