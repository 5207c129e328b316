"""Draws the results on the pictures they come from: Pillow and NumPy only.

`annotator` puts a frame together; each other file draws one thing or decides one. All lengths are in em,
the height of the text, which follows from the size of the picture (`layout`), so that a small picture and a
large one look the same.
"""
