"""Courses of AUs over time: neutral, events, summaries. Arrays in, arrays out; no files."""
