"""Cleans raw captions before anything reads them."""


def clean_caption(text: str) -> str:
    """The caption with pairs of U+FFFD turned into spaces and the space around it removed.

    The pairs stand for spaces in the captions that were published with CUB.
    """
    return text.replace("\ufffd\ufffd", " ").strip()
