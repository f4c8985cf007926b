"""A kithd with voices in it and a Prometheus that scrapes it, both on free ports of this machine."""

import json
import os
import re
import select
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BIN = Path(os.environ["KITH_BIN"])
PATIENCE = 60  # seconds until a condition is given up
# What this machine's proxies are is no matter of servers on it.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def wait_until(condition, what):
    """Gives what condition() gave when it was true at last. An OSError counts as not yet. It is condition() that takes time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            value = condition()
        except OSError:
            value = None
        if value:
            return value
    raise AssertionError(f"in vain for {PATIENCE} s: {what}")


def get(url):
    with OPENER.open(url, timeout=10) as answer:
        return answer.read().decode()


class Process:
    """A program that is stopped at the end, with its output in a file."""

    def __init__(self, command, log, **options):
        self.log = log
        with open(log, "ab") as err:
            self.process = subprocess.Popen([str(part) for part in command], stderr=err, text=True, **options)

    def output(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        if self.process.stdout:
            self.process.stdout.close()
        return code


class Kithd(Process):
    def __init__(self, folder):
        (folder / "kithd.yaml").write_text("http:\n  listen: 127.0.0.1:0\n")
        command = [BIN / "kithd", "--config", folder / "kithd.yaml", "--listen", "127.0.0.1:0"]
        super().__init__(command + ["--data-dir", folder / "data"], folder / "kithd.log", stdout=subprocess.PIPE)
        assert select.select([self.process.stdout], [], [], PATIENCE)[0], "kithd says nothing"
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), self.output()
        self.address = line.split()[-1]
        self.http = re.search(r"http://([0-9.:]+)/metrics", self.output()).group(1)

    def kith(self, *arguments):
        command = [BIN / "kith", "--server", self.address] + [str(argument) for argument in arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Prometheus(Process):
    """With the project's configuration, but for the target and a faster clock."""

    def __init__(self, folder, target):
        text = (TOP / "docker/prometheus/prometheus.yml").read_text()
        assert '"kithd:9464"' in text
        (folder / "token").write_text("none is asked for\n")
        text = text.replace("/run/kith/scrape/token", str(folder / "token"))
        text = text.replace('"kithd:9464"', f'"{target}"').replace("interval: 15s", "interval: 1s")
        (folder / "prometheus.yml").write_text(text)
        (folder / "alerts.yml").write_text((TOP / "docker/prometheus/alerts.yml").read_text())
        self.url = f"http://127.0.0.1:{free_port()}"
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
        super().__init__(command + [f"--web.listen-address={self.url[7:]}"], folder / "prometheus.log")
        wait_until(lambda: get(self.url + "/-/ready"), "Prometheus is ready: " + self.output())

    def ask(self, path, **parameters):
        answer = json.loads(get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def values(self, expression):
        """Of the series that the expression gives now."""
        return [float(series["value"][1]) for series in self.ask("query", query=expression)["result"]]
