"""Freed memory is kept while training, and given back after."""

import pytest

from kdfair_core.training import memory


@pytest.fixture
def calls(monkeypatch):
    made = []
    monkeypatch.setattr(memory, "_library_call", lambda *call: made.append(call))
    return made


def test_kept_once_and_given_back_at_the_end(calls):
    with memory.kept_memory():
        kept = [("mallopt", p, v) for p, v in memory.KEEP.items()]
        assert calls == kept
        with memory.kept_memory():
            assert calls == kept
        assert calls == kept
    assert calls[-1] == ("malloc_trim", 0)
    assert {p: v for name, p, *v in calls if name == "mallopt"} == {
        p: [v] for p, v in memory.USUAL.items()
    }


def test_given_back_after_an_error(calls):
    with pytest.raises(ZeroDivisionError), memory.kept_memory():
        1 / 0  # noqa: B018
    assert calls[-1] == ("malloc_trim", 0)
    with memory.kept_memory():
        assert calls[-1][0] == "mallopt"


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda *_: pytest.fail("no glibc here"))
    with memory.kept_memory():
        pass
