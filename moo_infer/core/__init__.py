"""What parts are made of: objectives, errors, checks of fields, files."""
