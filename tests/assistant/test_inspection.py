"""What `inspect` says of a checkpoint beyond its weights."""

from assistant.faces.inspection import lines


def test_a_schedule_and_a_loss_scale_are_told_in_a_line_each() -> None:
    schedule = {"last_epoch": 97, "T_max": 100, "_last_lr": [0.001], "verbose": False}
    checkpoint = {"path": "c.pt", "kind": "checkpoint", "format": "torch-zip", "schedulers": [schedule]}
    told = list(lines({"artifacts": [checkpoint | {"scaler": {"scale": 1024.0, "_growth_tracker": 7}}]}))
    assert "  schedule: last_epoch 97, T_max 100, last_lr [0.001]" in told
    assert "  loss scale: scale 1024.0, growth_tracker 7" in told


def test_a_checkpoint_without_them_says_nothing_of_them() -> None:
    told = list(lines({"artifacts": [{"path": "c.pt", "kind": "checkpoint", "format": "torch-zip"}]}))
    assert not any("schedule" in line or "scale" in line for line in told)


def test_every_key_that_was_not_understood_is_listed_and_refused_names_are_counted() -> None:
    unread, refused = [f"key{i}" for i in range(40)], [f"some.Class{i}" for i in range(15)]
    checkpoint = {"path": "c.pt", "kind": "checkpoint", "format": "torch-zip", "unread": unread, "refused": refused}
    told = list(lines({"artifacts": [checkpoint]}))
    assert f"  not understood: {', '.join(unread)}" in told
    assert any(line.endswith("some.Class11 and 3 more") for line in told)


def test_an_optimizer_that_is_not_understood_or_has_no_names_says_so() -> None:
    notes = {"optimizer_note": "what its state means is not known (Q)", "mapping_note": "saving names would settle it"}
    told = list(lines({"artifacts": [{"path": "c.pt", "kind": "checkpoint", "format": "torch-zip"} | notes]}))
    assert [line for line in told if "optimizer: " in line] == [f"  optimizer: {note}" for note in notes.values()]
