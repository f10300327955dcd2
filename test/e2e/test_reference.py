"""The web reference: as files and over HTTP, judged by tidy, curl and a real browser."""
import html.parser
import json
import os
import re
import select
import shutil
import socket
import subprocess
import urllib.parse
from pathlib import Path

import pytest

from browser import CONTRAST, DESKTOP, LOOK, PHONE, Browser
from server import PROGRAM, settle
from waiting import PATIENCE_S, free_port, until

BYTES_MAX = 5_000_000  # of a language
ELSEWHERE = re.compile(r"https://www\.rfc-editor\.org/rfc/rfc\d+(#section-[\d.]+)?")
# Debian's tidy is older than these parts of the standard.
UNKNOWN_TO_TIDY = re.compile(r'proprietary attribute "aria-current"')
# A page of each kind.
KINDS = ["index.html", "252/index.html", "550/index.html", "421/index.html", "101/index.html",
         "5.7.1/index.html", "X.7.1/index.html", "4xx/index.html", "X.7.x/index.html",
         "5.x.x/index.html", "STARTTLS/index.html", "dkim=fail/index.html", "user-unknown/index.html",
         "compare/220-252/index.html", "compare/index.html", "search/index.html"]
PASTE = "/reference/paste"


def reference(*arguments):
    return subprocess.run([PROGRAM, "reference", *arguments], text=True, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """All languages, written once."""
    directory = tmp_path_factory.mktemp("reference")
    done = reference(str(directory))
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def browser():
    window = Browser()
    yield window
    window.stop()


@pytest.fixture
def http(postrider):
    """A server with the reference, and a function that asks it by curl."""
    port = free_port()
    server = postrider(extra=[f"listen http on 127.0.0.1:{port}"]).start()

    def ask(path, *options):
        done = subprocess.run(
            ["curl", "-sS", "-m", "60", "--path-as-is", "-i", *options, f"http://127.0.0.1:{port}{path}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, done.stderr
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 100"):
            head, _, body = body.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        return int(lines[0].split()[1]), fields, body.decode()

    ask.port = port
    ask.server = server
    return ask


class Page(html.parser.HTMLParser):
    """Links, ids, labels and languages of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.labels, self.fields, self.tags = [], [], [], [], []
        self.html = {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.links += [found[name] for name in ("href", "src", "action") if name in found]
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "html":
            self.html = found
        if tag == "label":
            self.labels.append(found.get("for"))
        if tag in ("input", "textarea"):
            self.fields.append(found.get("id"))
        assert not any(name.startswith("on") or name == "style" for name in found), found


def tidy(text):
    assert shutil.which("tidy"), "tidy is not installed: tools/setup test"
    done = subprocess.run(["tidy", "-e", "-q", "-utf8", "--drop-empty-elements", "no"],
                          input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return [line for line in done.stdout.decode().splitlines() if not UNKNOWN_TO_TIDY.search(line)]


def languages_of(directory):
    return ["en", *sorted(p.name for p in directory.iterdir() if re.fullmatch("[a-z]{2}", p.name))]


def root_of(directory, language):
    return directory if language == "en" else directory / language


# As files.

def test_files_are_whole_and_no_link_is_broken(files):
    languages = languages_of(files)
    assert {"en", "de", "es", "fr", "ja", "pt", "ru", "zh"} <= set(languages)
    ids = {}
    links = []
    for path in sorted(files.rglob("*.html")):
        language = path.relative_to(files).parts[0]
        language = language if language in languages else "en"
        # The others are made by the same code, and have the same names (the next test).
        if language not in ("en", "ar", "ja"):
            continue
        text = path.read_text()
        page = Page(text)
        assert page.html["lang"] == language, path
        assert page.html["dir"] == ("rtl" if language == "ar" else "ltr"), path
        assert len(page.ids) == len(set(page.ids)), path
        assert page.tags.count("h1") == 1 and page.tags.count("main") == 1, path
        assert set(page.fields) <= set(page.labels), path
        assert page.links[0:1] == ["data:,"], path
        ids[path] = set(page.ids)
        for link in page.links[1:]:
            if ELSEWHERE.fullmatch(link):
                continue
            target = urllib.parse.urlsplit(link)
            assert not target.scheme and not target.netloc and not target.query, (path, link)
            assert not target.path.startswith("/"), (path, link)
            found = path if not target.path else Path(
                os.path.normpath(path.parent / urllib.parse.unquote(target.path)))
            links.append((path, found, target.fragment))
    files_there = {path for path in files.rglob("*") if path.is_file()}
    linked = {found for _, found, _ in links}
    assert len({p for p in ids}) > 2000
    for path, found, fragment in links:
        assert found in files_there, (path, found)
        assert not fragment or found not in ids or fragment in ids[found], (path, found, fragment)
    assert len(links) > 10000
    # And every page is reached from some other one.
    assert not {p for p in ids if p not in linked}, sorted(p for p in ids if p not in linked)[:5]


def test_every_language_has_every_page_and_is_light(files):
    languages = languages_of(files)
    names = {}
    for language in languages:
        root = root_of(files, language)
        mine = [p for p in root.rglob("*") if p.is_file()
                and (language != "en" or p.relative_to(root).parts[0] not in languages)]
        names[language] = {str(p.relative_to(root)) for p in mine}
        size = sum(p.stat().st_size for p in mine)
        assert 1_000_000 < size < BYTES_MAX, (language, size)
    shared = {"style.css", "reference.js", ".postrider-reference"}
    for language in languages:
        assert names[language] - shared == names["en"] - shared, language
    assert set(KINDS) <= names["en"]
    # All codes of the catalogue: of explain's own list.
    listed = json.loads(subprocess.run([PROGRAM, "explain", "--list", "--json"], check=True,
                                       stdout=subprocess.PIPE).stdout)
    codes = [row["code"] for row in listed if "code" in row]
    assert len(codes) > 120
    assert {f"{code}/index.html" for code in codes} <= names["en"]


def test_the_html_is_valid(files):
    for language in ("en", "de", "ja"):
        for kind in KINDS:
            assert tidy((root_of(files, language) / kind).read_text()) == [], (language, kind)
    # The judge judges.
    broken = (files / "252/index.html").read_text().replace("</section>", "</div>", 1)
    assert tidy(broken) != []


def test_what_is_written_is_the_same_each_time_and_foreign_files_stay(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for directory in (one, other):
        assert reference("--lang", "en,de", str(directory)).returncode == 0
    names = sorted(str(p.relative_to(one)) for p in one.rglob("*") if p.is_file())
    assert names == sorted(str(p.relative_to(other)) for p in other.rglob("*") if p.is_file())
    assert all((one / n).read_bytes() == (other / n).read_bytes() for n in names)
    # Again, with one language less: its files go, those of others stay.
    (one / "mine.txt").write_text("mine")
    (one / "de" / "mine.txt").write_text("mine")
    assert reference("--lang", "en", str(one)).returncode == 0
    assert (one / "mine.txt").read_text() == (one / "de" / "mine.txt").read_text() == "mine"
    assert [p.name for p in (one / "de").iterdir()] == ["mine.txt"]
    # A page of somebody else's.
    (one / "de" / "252").mkdir()
    (one / "de" / "252" / "index.html").write_text("mine")
    refused = reference(str(one))
    assert refused.returncode == 73 and "is not from" in refused.stderr
    assert (one / "de" / "252" / "index.html").read_text() == "mine"
    assert not (one / "de" / "250").exists() and not (one / "fr").exists()


@pytest.mark.parametrize("arguments,status,says", [
    ([], 64, "into which directory?"),
    (["a", "b"], 64, "one directory at a time"),
    (["--lang", "xx", "a"], 64, 'there is no language "xx"'),
    (["--lang", ",", "a"], 64, "no language"),
    (["/dev/null/x"], 73, "cannot make /dev/null/x: Not a directory"),
    (["/dev/null"], 73, "cannot open /dev/null: Not a directory"),
    (["/proc/self/x"], 73, "cannot make /proc/self/x"),
])
def test_wrong_use_is_told(arguments, status, says):
    done = reference(*arguments)
    assert done.returncode == status and says in done.stderr, done.stderr


# Over HTTP.

def test_pages_over_http(http):
    status, fields, body = http("/reference/252")
    assert status == 200 and "Cannot VRFY" in body
    assert fields["content-type"] == "text/html; charset=utf-8"
    assert fields["content-language"] == "en" and fields["vary"] == "Accept-Language"
    policy = fields["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["referrer-policy"] == "no-referrer"
    for kind in KINDS:
        path = "/reference/" + kind.removesuffix("index.html")
        status, _, body = http(path)
        assert status == 200 and tidy(body) == [], path
    for path in ("/reference/style.css", "/reference/reference.js", "/reference/de/words.js"):
        status, fields, body = http(path)
        assert status == 200 and fields["x-content-type-options"] == "nosniff", path
        assert fields["content-type"].startswith("text/css" if path.endswith("css") else "text/javascript")
    # HEAD has no body; a page that is known already is not sent again.
    status, head, body = http("/reference/de/252", "-I")
    assert status == 200 and body == "" and int(head["content-length"]) > 1000
    status, fields, body = http("/reference/de/252", "-H", f"If-None-Match: {head['etag']}")
    assert status == 304 and body == ""
    assert http("/")[1]["location"] == "/reference"


def test_languages_over_http(http):
    for accept, wanted in (("de-AT, en;q=0.5", "de"), ("xx, fr;q=0.2", "fr"), ("ja", "ja"), ("xx", "en")):
        status, fields, body = http("/reference/252", "-H", f"Accept-Language: {accept}")
        assert fields["content-language"] == wanted and f'lang="{wanted}"' in body
    # An address with a language is the same for everybody.
    status, fields, body = http("/reference/zh/252", "-H", "Accept-Language: de")
    assert fields["content-language"] == "zh" and "vary" not in fields
    assert 'href="/reference/zh/250"' in body and 'href="/reference/de/252"' in body


def test_guessed_addresses(http):
    for path, says in (("/reference/starttls", "<code dir=\"ltr\">STARTTLS</code>"),
                       ("/reference/compare/252-220", "220 and 252"),
                       ("/reference/compare/334-5.7.1", "334 and 5.7.1"),
                       ("/reference/5xx", "permanent negative completion"),
                       ("/reference/599", "not a standard code"),
                       ("/reference/5.7.999", "not a standard code"),
                       ("/reference/252/", "Cannot VRFY")):
        status, _, body = http(path)
        assert status == 200 and says in body, path
    assert http("/reference/search?q=550")[1]["location"] == "/reference/550"
    assert http("/reference/compare?a=550&b=450")[1]["location"] == "/reference/compare/450-550"
    status, _, body = http("/reference/search?q=mailbox+full")
    assert status == 200 and 'href="/reference/X.2.2"' in body


@pytest.mark.parametrize("path,options,status", [
    ("/reference/nothing-here", [], 404),
    ("/reference/699", [], 404),
    ("/reference/%3Cscript%3Ealert(1)%3C/script%3E", [], 404),
    ("/reference/../../etc/passwd", [], 404),
    ("/reference/%2e%2e/%2e%2e/etc/passwd", [], 404),
    ("/etc/passwd", [], 404),
    ("/reference/%", [], 400),
    ("/reference/%00%ff", [], 404),
    ("/reference/252", ["-X", "POST", "-d", "x"], 405),
    ("/reference/252", ["-X", "DELETE"], 405),
    ("/reference/252", ["-X", "BREW"], 405),
    (PASTE, ["-F", "text=550 x"], 415),
    (PASTE, ["-d", "text=" + "x" * 100], 200),
    ("/reference/" + "a" * 3000, [], 404),
    ("/reference/" + "a" * 6000, [], 400),
])
def test_what_is_wrong_is_told_on_a_page(http, path, options, status):
    got, fields, body = http(path, *options)
    assert got == status, got
    assert tidy(body) == [] and "<h1>" in body and "<script>alert" not in body
    assert ("allow" in fields) == (status == 405)
    assert fields["x-content-type-options"] == "nosniff"
    assert "no-store" in fields["cache-control"] or status == 200


def test_pasting(http, tmp_path):
    bounce = ("Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; <b>@example.net\n"
              "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 No such user <script>\n")
    for options in (["--data-urlencode", f"text={bounce}"],
                    ["-H", "Content-Type: message/rfc822", "--data-binary", bounce],
                    ["-H", "Content-Type: text/plain", "--data-binary", bounce]):
        status, fields, body = http(PASTE, *options)
        assert status == 200 and fields["cache-control"] == "no-store" and "etag" not in fields
        assert 'href="/reference/5.1.1"' in body and tidy(body) == []
        assert "<script>" not in body and "&lt;script&gt;" in body
    status, _, body = http("/reference/de/paste", "--data-urlencode", "text=all is well")
    assert status == 200 and 'lang="de"' in body
    large = tmp_path / "large"
    large.write_text("x" * 70 + "\n" + "550 5.7.1 no\n" + "<&\n" * 60_000)
    status, _, body = http(PASTE, "-H", "Content-Type: text/plain", "--data-binary", f"@{large}")
    assert status == 200 and 'href="/reference/5.7.1"' in body
    large.write_bytes(bytes(range(256)) * 4096)
    status, _, body = http(PASTE, "-H", "Content-Type: text/plain", "--data-binary", f"@{large}")
    assert status == 413 and "256" in body
    # Nothing of it is in the log.
    assert "No such user" not in http.server.log_text()


def test_bytes_that_are_no_request(http):
    def say(text):
        with socket.create_connection(("127.0.0.1", http.port), PATIENCE_S) as peer:
            peer.sendall(text)
            peer.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := peer.recv(65536):
                answer += piece
            return answer

    for text in (b"\0" * 100, b"EHLO mail.example.net\r\nQUIT\r\n", b"GET /reference/252\r\n\r\n",
                 b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(200),
                 b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
                 b"POST /reference/paste HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
        answer = say(text)
        assert not answer or re.match(rb"HTTP/1\.[01] (4|5)\d\d ", answer), (text, answer)
    answer = say(b"GET /reference/252 HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n")
    assert re.match(rb"HTTP/1\.[01] 431 ", answer), answer[:100]
    # Two requests at once, answered in their order.
    answer = say(b"GET /reference/250 HTTP/1.1\r\nHost: a\r\n\r\nGET /reference/252 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 2 and answer.index(b"<title>250") < answer.index(b"<title>252")
    assert http("/reference/252")[0] == 200
    assert "event=role_died" not in http.server.log_text()


def test_one_address_cannot_take_all_connections(http):
    peers = [socket.create_connection(("127.0.0.1", http.port), PATIENCE_S) for _ in range(40)]
    try:
        def closed():
            return len(select.select(peers, [], [], 0)[0])

        until(lambda: closed() >= 4, "none of them is closed")
        settle(0.3)
        assert 4 <= closed() <= 12, closed()
    finally:
        for peer in peers:
            peer.close()
    # The queue is still answered for, and so is the next reader.
    assert http.server.run("queue", "list").returncode == 0
    assert http("/reference/252")[0] == 200


def test_without_the_statement_nothing_listens(postrider):
    server = postrider().start()
    assert "service=http" not in server.log_text()


def test_the_statement_is_checked(postrider):
    server = postrider(extra=["listen http on nowhere"])
    server.write_files()
    done = server.run("config", "check")
    assert done.returncode == 78 and b'"nowhere" is not an address' in done.stderr
    server = postrider(extra=["listen http on [::1]:8025, 127.0.0.1"])
    server.write_files()
    shown = json.loads(server.run("config", "show", "--json").stdout)
    assert {"address": "::1", "port": 8025} in shown["listen_http_on"], shown
    assert {"address": "127.0.0.1", "port": 80} in shown["listen_http_on"]


# In a browser.

VIEWS = [("en", False), ("ja", False), ("zh", False), ("ar", True)]
LOOKED_AT = ["index.html", "550/index.html", "5.7.1/index.html", "STARTTLS/index.html",
             "compare/220-252/index.html", "compare/index.html", "search/index.html"]


@pytest.mark.parametrize("language,rtl", VIEWS)
def test_pages_fit_phone_and_desktop(files, browser, language, rtl):
    root = root_of(files, language)
    assert root.exists(), language
    for size in (PHONE, DESKTOP):
        browser.size(size)
        for name in LOOKED_AT:
            browser.go((root / name).as_uri())
            assert browser.run(LOOK) == [], (name, size)
            assert browser.run("getComputedStyle(document.body).direction") == ("rtl" if rtl else "ltr")
            # The skip link and the foot are there, and the style is loaded.
            assert browser.run("document.styleSheets.length") == 1
        # A dialogue and a code stay left to right.
        browser.go((root / "550/index.html").as_uri())
        assert browser.run("getComputedStyle(document.querySelector('pre')).direction") == "ltr"
        if pictures := os.environ.get("REFERENCE_PICTURES"):
            browser.picture(f"{pictures}/{language}-{size[0]}.png")
    # The check can fail.
    browser.run("document.querySelector('main').style.inlineSize = '3000px'")
    assert browser.run(LOOK) != []


def test_contrast_in_light_and_dark(files, browser):
    for dark in (False, True):
        browser.size(DESKTOP, dark=dark)
        for name in LOOKED_AT:
            browser.go((files / name).as_uri())
            least, text = browser.run(CONTRAST)
            assert least >= 4.5, (name, dark, least, text)
        background = browser.run("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == dark, background
    browser.size(DESKTOP)


def test_nothing_is_loaded_from_elsewhere(files, browser):
    browser.requests.clear()
    for name in LOOKED_AT:
        browser.go((files / name).as_uri())
    assert browser.requests
    assert all(url.startswith((files.as_uri(), "data:,")) for url in browser.requests), browser.requests


def test_search_without_a_server(files, browser):
    page = (files / "search/index.html").as_uri()
    found = "[...document.querySelectorAll('#found a')].map(a => a.textContent.trim().split(/\\s/)[0])"

    browser.size(DESKTOP)
    browser.go(page + "?q=mailbox%20full")
    assert "X.2.2" in browser.run(found) and browser.run("document.getElementById('all').hidden")
    # Typing, with the key that leads to the field.
    browser.go(page)
    browser.key("/", 191, "/")
    assert browser.run("document.activeElement.id") == "q"
    browser.type("5.7.1")
    assert browser.run(found)[0] == "X.7.1"
    browser.loaded = False
    browser.run("document.querySelector('#found a').click()")
    browser.wait_loaded()
    assert browser.run("document.querySelector('h1').textContent").startswith("X.7.1")
    browser.go(page + "?q=252%20220")
    assert browser.run("document.querySelector('#found a').href").endswith("compare/220-252/index.html")
    browser.go(page + "?q=%3Cimg%20src=x%3E")
    assert browser.run(found) == [] and browser.run("document.querySelector('main img')") is None
    assert "<img src=x>" in browser.run("document.getElementById('nothing').textContent")
    # In another language and script.
    browser.go((files / "ru/search/index.html").as_uri() + "?q=" + urllib.parse.quote("ЯЩИК"))
    assert browser.run(found)
    browser.go((files / "zh/search/index.html").as_uri() + "?q=" + urllib.parse.quote("邮箱"))
    assert browser.run(found)


def test_without_script_everything_is_there(files, browser):
    browser.scripts(False)
    try:
        browser.go((files / "search/index.html").as_uri())
        # The list of pages is shown; Runtime.evaluate works all the same.
        assert browser.run("document.querySelectorAll('#all a').length") > 200
        assert browser.run("document.getElementById('all').offsetHeight") > 1000
    finally:
        browser.scripts(True)


def test_keyboard_and_paper(files, browser):
    browser.size(DESKTOP)
    browser.go((files / "252/index.html").as_uri())
    browser.key("Tab", 9)
    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("document.activeElement.getBoundingClientRect().top") >= 0
    browser.size(DESKTOP, media="print")
    assert browser.run("document.querySelector('form').offsetHeight") == 0
    assert browser.run("document.querySelector('article').offsetHeight") > 300
    browser.size(DESKTOP)


def test_the_served_pages_work_under_their_policy(http, browser):
    """The style and the scripts are let through, nothing is refused, and a bounce can be pasted."""
    base = f"http://127.0.0.1:{http.port}/reference"
    browser.size(PHONE)
    browser.requests.clear()
    browser.go(f"{base}/de/search?q=greylisting")
    assert browser.run("document.styleSheets.length") == 1
    assert browser.run("typeof referencePages") == "object"
    assert browser.run("document.querySelectorAll('#found a').length") > 0
    browser.go(f"{base}/en/paste")
    browser.run("document.getElementById('text').value = '550 5.1.1 <b>no</b> such user'")
    browser.loaded = False
    browser.run("document.querySelector('form.paste button').click()")
    browser.wait_loaded()
    assert browser.run("document.querySelector('#answer a[href$=\"/5.1.1\"]') !== null")
    assert browser.run(LOOK) == []
    assert all(url.startswith((base, "data:,")) for url in browser.requests), browser.requests
