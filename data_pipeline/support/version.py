"""The version of all packages; it is here because every package imports this one."""

VERSION = "0.1.0"
