"""Results of a run: facts, and their writers: text, JSON, data of pictures, a page."""
