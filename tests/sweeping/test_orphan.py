import os

from node_cli.sweeping import orphan


def test_a_process_whose_parent_changed_is_an_orphan(monkeypatch):
    assert not orphan.is_orphan()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert orphan.is_orphan()


def test_on_this_machine_submitits_own_controller_may_outlive_the_sweep(monkeypatch):
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "local")
    parent, above = orphan._starters()
    assert parent == os.getppid()
    monkeypatch.setattr(orphan, "_STARTERS", (parent, above))
    assert not orphan.is_orphan()
    monkeypatch.setattr(orphan, "_parent_of", lambda process: 1 if process == parent else above)
    assert orphan.is_orphan() == (above != 1)


def test_the_parent_of_a_process_is_read_from_the_system():
    assert orphan._parent_of(os.getpid()) == os.getppid()
    assert orphan._parent_of(2**22 + 1) == 0
