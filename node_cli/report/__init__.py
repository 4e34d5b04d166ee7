"""Reads the folders of runs, and makes tables, figures and a page of them."""
