"""The version of all packages; here so that every one of them may tell it."""

VERSION = "0.1.0"
