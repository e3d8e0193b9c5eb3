"""Fills what it may write: sparse and huge files, many files, all of each folder; then clears up."""

import os
import shutil
import time
from pathlib import Path

from report import attempt

from tapedeck import Strategy

MIB = 1 << 20
SAID_S = 0.5  # until what was printed is out of the launcher: into a full folder it cannot be written


class Disk(Strategy):
    fields = ("close",)

    def weights(self, bars):
        for folder in ("/exchange/out", "/tmp", "/dev/shm"):
            attempt(f"a sparse terabyte in {folder}", lambda folder=folder: self.sparse(Path(folder)))
            attempt(f"one huge file in {folder}", lambda folder=folder: self.huge(Path(folder)))
            attempt(f"many big files in {folder}", lambda folder=folder: self.fill(Path(folder)))
        attempt("many small files in /exchange/out", lambda: self.many(Path("/exchange/out")))
        attempt("open files without end", self.open)
        return bars.close * 0

    @staticmethod
    def sparse(folder):
        path = folder / "sparse"
        try:
            with path.open("wb") as file:
                os.ftruncate(file.fileno(), 1 << 40)
        finally:
            path.unlink()

    @staticmethod
    def huge(folder):
        time.sleep(SAID_S)
        path = folder / "huge"
        try:
            with path.open("wb", buffering=0) as file:
                while file.tell() < 512 * MIB:
                    file.write(bytes(4 * MIB))
        finally:
            path.unlink()

    @staticmethod
    def fill(folder):
        time.sleep(SAID_S)
        inside, block = folder / "fill", bytes(16 * MIB)
        inside.mkdir()
        try:
            for number in range(64):
                with (inside / str(number)).open("wb", buffering=0) as file:
                    left = memoryview(block)
                    while left:
                        left = left[file.write(left) :]
        finally:
            shutil.rmtree(inside)

    @staticmethod
    def many(folder):
        inside = folder / "many"
        inside.mkdir()
        try:
            for number in range(20_000):
                (inside / str(number)).touch()
        finally:
            shutil.rmtree(inside)

    @staticmethod
    def open():
        files = []
        try:
            for _ in range(2_000):
                files.append(os.open("/dev/null", os.O_RDONLY))
        finally:
            for file in files:
                os.close(file)
