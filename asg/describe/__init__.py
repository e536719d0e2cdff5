"""Graphs as data for people and pictures: the document, summaries, differences."""
