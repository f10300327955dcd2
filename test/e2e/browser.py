"""A headless Chromium, told over a pipe what to do (the DevTools protocol), so that no port is needed."""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from waiting import PATIENCE_S

PHONE = (390, 844)
DESKTOP = (1280, 900)

# What a page looks like, as far as a program can tell; [] where nothing is wrong.
LOOK = """(() => {
  const wrong = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width)
    wrong.push(`the page is ${document.documentElement.scrollWidth} wide, the window ${width}`);
  for (const element of document.querySelectorAll('body *')) {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    if (!box.width || !box.height || style.position === 'absolute' || style.clipPath !== 'none')
      continue;
    if (box.left < -1 || box.right > width + 1)
      wrong.push(`${element.tagName}.${element.className} reaches from ${box.left} to ${box.right}`);
    const text = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (text && parseFloat(style.fontSize) < 13)
      wrong.push(`${element.tagName} is in ${style.fontSize}`);
    if (text && element.scrollWidth > element.clientWidth + 1 && style.display !== 'inline' &&
        !['INPUT', 'TEXTAREA'].includes(element.tagName))
      wrong.push(`the text of ${element.tagName} is wider than it`);
  }
  return wrong.slice(0, 10);
})()"""

# The least contrast (WCAG 2) of a text with what is behind it.
CONTRAST = """(() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = c => { const [r, g, b] = c.map(v => { v /= 255;
    return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c.slice(0, 3); } return [255, 255, 255]; };
  let least = [99, ''];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const a = light(parse(getComputedStyle(e).color).slice(0, 3)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < least[0]) least = [ratio, e.tagName + ': ' + e.textContent.trim().slice(0, 40)];
  }
  return least;
})()"""


class Browser:
    """One window; every address that it asked for is in requests."""

    def __init__(self):
        program = shutil.which("chromium")
        assert program, "chromium is not installed: tools/setup test"
        self.directory = tempfile.mkdtemp(prefix="postrider-browser-")
        to_browser, self.write_fd = os.pipe()
        self.read_fd, from_browser = os.pipe()

        def pipes():
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_browser, from_browser)]
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--remote-debugging-pipe", "--no-first-run", "--disable-background-networking",
             "--disable-extensions", "--disable-sync", "--hide-scrollbars", "--mute-audio",
             f"--user-data-dir={self.directory}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=pipes, close_fds=False, start_new_session=True)
        os.close(to_browser)
        os.close(from_browser)
        self.number = 0
        self.kept = b""
        self.requests = []
        self.session = None
        self.loaded = False
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        self.ask("Network.enable")
        self.size(DESKTOP)

    def message(self, seconds):
        """The next message, or None."""
        until = time.monotonic() + seconds
        while b"\0" not in self.kept:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.read_fd], [], [], left)[0]:
                return None
            piece = os.read(self.read_fd, 1 << 16)
            assert piece, "chromium ended"
            self.kept += piece
        text, self.kept = self.kept.split(b"\0", 1)
        message = json.loads(text)
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        if message.get("method") == "Page.loadEventFired":
            self.loaded = True
        return message

    def ask(self, method, **parameters):
        self.number += 1
        question = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            question["sessionId"] = self.session
        os.write(self.write_fd, json.dumps(question).encode() + b"\0")
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            message = self.message(1)
            if message and message.get("id") == self.number:
                assert "error" not in message, (method, message["error"])
                return message["result"]
        raise AssertionError(f"chromium does not answer {method}")

    def size(self, size, dark=False, media=""):
        self.ask("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1],
                 deviceScaleFactor=1, mobile=size[0] < 600)
        self.ask("Emulation.setEmulatedMedia", media=media, features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}])

    def scripts(self, on):
        self.ask("Emulation.setScriptExecutionDisabled", value=not on)

    def wait_loaded(self):
        until = time.monotonic() + PATIENCE_S
        while not self.loaded:
            assert time.monotonic() < until, "the page does not load"
            self.message(1)

    def go(self, address):
        self.loaded = False
        result = self.ask("Page.navigate", url=address)
        assert "errorText" not in result, (address, result["errorText"])
        self.wait_loaded()

    def run(self, script):
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def type(self, text):
        self.ask("Input.insertText", text=text)

    def key(self, key, code=0, text=""):
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code,
                     text=text if kind == "keyDown" else "")

    def picture(self, path, whole=False):
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def stop(self):
        os.close(self.write_fd)
        os.close(self.read_fd)
        try:
            os.killpg(self.process.pid, 15)
            self.process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, 9)
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
