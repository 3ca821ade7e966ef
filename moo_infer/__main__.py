"""``python -m moo_infer``, the command ``moo-infer``."""

from .cli import main

if __name__ == "__main__":
    main()
