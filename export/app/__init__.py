"""A page that draws what a visitor types or says.

    python -m export.app
    python -m export.app --model_dir=runs/a --model_dir=runs/b
    python -m export.app --server=localhost:8500 --model_name=birds

opens on http://127.0.0.1:7860. Several models draw side by side. Nothing that is typed or said
leaves the machine, unless --recognizer or --share asks for it, and nothing of it is kept on disk.
"""
