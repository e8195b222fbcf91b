"""Recordings and transcripts: from sources to one table of clips, divided and checked."""
