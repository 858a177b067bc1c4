"""The engines that are compared: their worker processes, one line of JSON a request."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
CLAT = HERE.parents[1] / "clat"

# What an expert gives a framework on CPUs: pinned threads, an allocator that keeps its memory
# (otherwise large tensors are mapped and faulted in anew on every call), and huge pages.
TUNED = {
    "OMP_PROC_BIND": "true", "OMP_PLACES": "cores", "THP_MEM_ALLOC_ENABLE": "1",
    "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_MMAP_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456"}

TORCH = {f"torch-{mode}-{layout}": (mode, layout)
         for mode in ("eager", "inductor", "expert", "folded") for layout in ("nchw", "cl")}
OURS = {"clat": "compiled", "clat-eager": "eager"}
ENGINES = (*OURS, *TORCH, "jax")

# Where a mode does nothing that eager does not do.
ONLY = {"torch-expert": ("clat",), "torch-folded": ("forward", "pgd", "pgd-at", "clat")}


def serves(engine, work):
    return work in ONLY.get(engine.rsplit("-", 1)[0], (work,))


class Worker:
    """A process that runs one case's work on request and idles in between."""

    def __init__(self, engine, case, work, options):
        self.engine = engine
        environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
        if engine not in OURS:
            environment |= TUNED
        self.process = subprocess.Popen(
            command(engine, case, work, options), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=environment, cwd=HERE)

    def run(self, name):
        """Runs once; a dictionary with `seconds`, `peak_bytes`, and `foreign`: the processor time
        of other processes meanwhile, as a share of one processor."""
        before, start = self.foreign_time(), time.perf_counter()
        answer = self.request(name)
        answer["foreign"] = (self.foreign_time() - before) / (time.perf_counter() - start)
        return answer

    def foreign_time(self):
        """Seconds that all processors spent on other processes, or lost to other machines."""
        user, nice, system, _, _, irq, soft, steal = map(
            int, Path("/proc/stat").read_text().split()[1:9])
        own = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        busy = user + nice + system + irq + soft + steal - sum(map(int, own))
        return busy / os.sysconf("SC_CLK_TCK")

    def request(self, name):
        self.process.stdin.write(json.dumps({"run": name}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"compare: {self.engine} stopped with code {self.process.wait()}")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def command(engine, case, work, options):
    critical = ",".join(str(i) for i in case.critical)
    if engine in OURS:
        return [CLAT, "benchmark", "--serve", "--engine", OURS[engine], "--model", case.model,
                "--batch", str(case.batch), "--work", work, "--critical", critical,
                "--steps", str(options.steps), "--threads", str(options.threads)]
    python, script = (
        (options.jax_python, ["jax_worker.py"]) if engine == "jax"
        else (options.torch_python, ["torch_worker.py", *TORCH[engine]]))
    return [python, *script, case.model, str(case.batch), critical, str(options.steps),
            str(options.threads)]
