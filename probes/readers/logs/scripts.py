"""Python files by their syntax tree alone: does it train, does it offer a model to run. Nothing is imported or run."""

from __future__ import annotations

import ast
import warnings

TARGET_FUNCTIONS = ("build_model", "load_batch")


def parse(text: str) -> ast.Module | None:
    """The syntax tree, or None for text that is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def trains(tree: ast.Module) -> bool:
    """Whether the code trains: `loss.backward()` with an optimizer's `.step()`, or a trainer's fit or train."""
    called = {n.func.attr for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}
    named = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} | {
        n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)
    }
    if "backward" in called and "step" in called:
        return True
    return (
        bool(called & {"fit", "train", "learn"})
        and any("Trainer" in n or n in ("Sequential", "Model") for n in named)
        and ("fit" in called or any(n.endswith("Trainer") for n in named))
    )


def offers_target(tree: ast.Module) -> bool:
    """Whether the file defines the functions that let its model be run."""
    names = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    return set(TARGET_FUNCTIONS) <= names
