"""The search benchmark: it scores any file of labelled questions, and says what it could not measure."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "search.py"
QUESTIONS = [
    {"query": "half of my relu units never fire", "gold": ["dead-relu"], "kind": "symptom"},
    {"query": "how many epochs should I train for", "gold": ["early-stopping"], "kind": "howto"},
    {"query": "which seed gives the same result in every run", "gold": ["irreproducible-runs"], "kind": "howto"},
    {"query": "best pizza near the station", "gold": [], "kind": "none"},
]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=60)


def test_it_prints_one_table_for_all_searches(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(map(json.dumps, QUESTIONS)))
    done = run(str(path))
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split()[:7] == ["search", "kind", "n", "top-1", "top-3", "MRR", "refused"]
    ours = {tuple(row.split()[1:-4][:1]): row.split() for row in rows if row.startswith("nn-doctor")}
    assert ours[("symptom",)][2:] == ["1", "1.000", "1.000", "1.000", "0.000"]
    assert ours[("howto",)][2] == "2"
    overall = next(row.split() for row in rows if row.startswith("nn-doctor") and "all real" in row)
    assert overall[4:9] == ["1.000", "1.000", "1.000", "0.000", "1.000"]
    assert float(overall[-2]) <= float(overall[-1])
    assert any(row.startswith("WRatio") for row in rows) and any(row.startswith("token_set_ratio") for row in rows)
    assert any(row.startswith("BM25 is not measured") for row in rows) is (find_spec("bm25s") is None)


def test_a_file_that_holds_no_questions_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    done = run(str(path))
    assert done.returncode == 1 and "is not a file of questions" in done.stderr and "Traceback" not in done.stderr
    assert run().returncode == 2
