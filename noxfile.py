"""What developers run: `nox -s lint`, `test`, `lowest`, `bench`, `sanitize`, `fuzz`."""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "test"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types, in both languages."""
    session.install(".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    sources = session.run("git", "ls-files", "*.cpp", "*.hpp", external=True, silent=True)
    session.run("clang-format", "--dry-run", "--Werror", *str(sources).split())


@nox.session
def tidy(session: nox.Session) -> None:
    """clang-tidy over the core."""
    session.install(".[dev]")
    session.run("cmake", "--preset", "debug")
    session.run("cmake", "--build", "--preset", "debug")
    sources = session.run("git", "ls-files", "cpp/labfactory/*.cpp", external=True, silent=True)
    native = [path for path in str(sources).split() if "/bindings/" not in path]
    session.run("clang-tidy", "-p", "build/debug", "--quiet", *native)


@nox.session
def test(session: nox.Session) -> None:
    """The suite; arguments go to pytest."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def lowest(session: nox.Session) -> None:
    """The suite with the oldest release that each requirement allows; arguments go to pytest."""
    session.install("uv")
    session.run("uv", "pip", "install", "--resolution", "lowest-direct", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The side-by-side benchmarks, as one table; arguments go to `python -m benchmarks`."""
    session.install(".[bench]")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def sanitize(session: nox.Session) -> None:
    """C++ tests under ASan and UBSan."""
    session.install(".[dev]")
    session.run("cmake", "--preset", "asan")
    session.run("cmake", "--build", "--preset", "asan")
    session.run("ctest", "--preset", "asan")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz runs of ten minutes a target, or as many seconds as the argument says."""
    seconds = session.posargs[0] if session.posargs else "600"
    session.install(".[dev]")
    session.run("python", "-m", "fuzz", "--seconds", seconds)
    session.run("cmake", "--preset", "fuzz")
    session.run("cmake", "--build", "--preset", "fuzz")
    for target in ("plan", "arrow", "kernels"):
        corpus = session.create_tmp()
        session.run(
            f"build/fuzz/fuzz_{target}", f"-max_total_time={seconds}", "-max_len=512", corpus, external=True
        )
