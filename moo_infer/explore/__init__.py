"""The explorer: sliders for limits and options, and the choices under them."""
