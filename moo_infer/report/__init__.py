"""What a run found: facts, and their writers: text, JSON, pictures' data, a page."""
